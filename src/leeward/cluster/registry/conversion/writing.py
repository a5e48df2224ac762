"""Writes in a version that is not stored: who owns what is remembered in that version, then it is converted.

Source: k8s.io/apimachinery/pkg/util/managedfields (each manager's fields are those of the version it wrote).
"""

from __future__ import annotations

from dataclasses import replace

from leeward.cluster.registry.conversion.catalog import version_of
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.ownership import Ownership
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource


class Versions:
    """Converts what is written.

    Args:
        ownership: remembers managers.
    """

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    def as_asked(self, resource: Resource, obj: Obj, options: WriteOptions) -> Obj:
        """Return a stored object in the version of a request."""
        version = version_of(resource.name, options.api_version)
        return obj if version is None else version.from_stored(obj)

    def new(
        self, resource: Resource, strategy: Strategy, obj: Obj, options: WriteOptions
    ) -> tuple[Obj, WriteOptions]:
        """Return a new object as it is stored, and the options with who owns what of it."""
        version = version_of(resource.name, options.api_version)
        if version is None:
            return obj, options
        made = self._ownership.created(resource, strategy, version.default(obj), options)
        return self._stored(version.to_stored(made), options)

    def changed(
        self,
        resource: Resource,
        strategy: Strategy,
        old: Obj,
        obj: Obj,
        options: WriteOptions,
        subresource: str = "",
    ) -> tuple[Obj, WriteOptions]:
        """Return the next state of an object as it is stored, and the options with who owns what of it."""
        version = version_of(resource.name, options.api_version)
        if version is None:
            return obj, options
        before, requested = version.from_stored(old), obj["metadata"].get("managedFields")
        new = (
            {**before, "status": obj.get("status") or {}} if subresource == "status" else version.default(obj)
        )
        made = self._ownership.updated(resource, strategy, before, new, requested, options, subresource)
        return self._stored(version.to_stored(made), options)

    def applied(self, resource: Resource, obj: Obj, options: WriteOptions) -> Obj:
        """Return what server-side apply made in the version of a request as it is stored."""
        version = version_of(resource.name, options.api_version)
        return obj if version is None else version.to_stored(obj)

    @staticmethod
    def _stored(obj: Obj, options: WriteOptions) -> tuple[Obj, WriteOptions]:
        return obj, replace(options, managed=obj["metadata"].get("managedFields") or ())
