"""Writes in a version that is not stored: who owns what is remembered in that version, then it is converted.

What a webhook converts is checked by the rules of its own version first, and then by those of the stored one,
in which the write goes on.

Source: k8s.io/apimachinery/pkg/util/managedfields (each manager's fields are those of the version it wrote).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from leeward.cluster.registry.admission.webhooks.dispatch import Asking
from leeward.cluster.registry.conversion.catalog import version_of
from leeward.cluster.registry.conversion.webhook import WebhookConversion
from leeward.cluster.registry.failures import raise_if_any
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.ownership import Ownership
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource


class Versions:
    """Converts what is written.

    Args:
        ownership: remembers managers.
        webhooks: convert custom resources.
    """

    def __init__(self, ownership: Ownership, webhooks: WebhookConversion) -> None:
        self._ownership = ownership
        self._webhooks = webhooks

    def _spec(self, resource: Resource, api_version: str) -> Obj | None:
        """Return the spec of the definition whose webhook converts a version to the stored one, else None."""
        if api_version in ("", resource.api_version):
            return None
        return self._webhooks.spec(resource.name)

    def as_stored(self, resource: Resource, old: Obj) -> Asking[Obj]:
        """Return what is stored in the version in which it would be stored now."""
        spec = self._spec(resource, old.get("apiVersion") or "")
        if spec is None:
            return old
        return (yield from self._webhooks.convert(spec, [old], resource.api_version))[0]

    def shown(self, resource: Resource, objects: Sequence[Obj], api_version: str) -> Asking[list[Obj]]:
        """Return stored objects in a version of a custom resource."""
        spec = self._webhooks.spec(resource.name)
        if spec is None:
            return list(objects)
        return (yield from self._webhooks.convert(spec, objects, api_version))

    def as_asked(self, resource: Resource, obj: Obj, options: WriteOptions) -> Asking[Obj]:
        """Return a stored object in the version of a request."""
        version = version_of(resource.name, options.api_version)
        if version is not None:
            return version.from_stored(obj)
        spec = self._spec(resource, options.api_version)
        if spec is None:
            return obj
        return (yield from self._webhooks.convert(spec, [obj], options.api_version))[0]

    def new(
        self, resource: Resource, strategy: Strategy, obj: Obj, options: WriteOptions
    ) -> Asking[tuple[Obj, WriteOptions]]:
        """Return a new object as it is stored, and the options with who owns what of it."""
        version = version_of(resource.name, options.api_version)
        if version is not None:
            made = self._ownership.created(resource, strategy, version.default(obj), options)
            return _stored(version.to_stored(made), options)
        spec = self._spec(resource, options.api_version)
        if spec is None:
            return obj, options
        made = self._ownership.created(resource, strategy, strategy.default(obj), options)
        return (yield from self._converted(resource, spec, strategy, made, None, options))

    def changed(
        self,
        resource: Resource,
        strategy: Strategy,
        old: Obj,
        obj: Obj,
        options: WriteOptions,
        subresource: str = "",
    ) -> Asking[tuple[Obj, WriteOptions]]:
        """Return the next state of an object as it is stored, and the options with who owns what of it."""
        version = version_of(resource.name, options.api_version)
        spec = self._spec(resource, options.api_version) if version is None else None
        if version is None and spec is None:
            return obj, options
        before = yield from self.as_asked(resource, old, options)
        requested = obj["metadata"].get("managedFields")
        if subresource == "status":  # nothing else counts
            obj = {**before, "metadata": obj["metadata"], "status": obj.get("status") or {}}
        new = (strategy if version is None else version).default(obj)
        made = self._ownership.updated(resource, strategy, before, new, requested, options, subresource)
        if version is not None:
            return _stored(version.to_stored(made), options)
        assert spec is not None
        return (yield from self._converted(resource, spec, strategy, made, before, options))

    def applied(
        self, resource: Resource, strategy: Strategy, obj: Obj, old: Obj | None, options: WriteOptions
    ) -> Asking[tuple[Obj, WriteOptions]]:
        """Return what server-side apply made in the version of a request as it is stored."""
        version = version_of(resource.name, options.api_version)
        if version is not None:
            return _stored(version.to_stored(obj), options)
        spec = self._spec(resource, options.api_version)
        if spec is None:
            return _stored(obj, options)
        return (yield from self._converted(resource, spec, strategy, strategy.default(obj), old, options))

    def _converted(
        self,
        resource: Resource,
        spec: Obj,
        strategy: Strategy,
        obj: Obj,
        old: Obj | None,
        options: WriteOptions,
    ) -> Asking[tuple[Obj, WriteOptions]]:
        """Check an object by the rules of its version, and convert it."""
        failures = strategy.validate(obj) or strategy.validate_rules(obj, old)
        raise_if_any(resource, obj["metadata"].get("name") or "", failures)
        typed = {**obj, "apiVersion": options.api_version, "kind": resource.kind}
        stored = (yield from self._webhooks.convert(spec, [typed], resource.api_version))[0]
        return _stored(stored, replace(options, api_version=resource.api_version))


def _stored(obj: Obj, options: WriteOptions) -> tuple[Obj, WriteOptions]:
    return obj, replace(options, managed=obj["metadata"].get("managedFields") or ())
