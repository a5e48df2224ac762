"""Who owns which field: what the registry does about it in every write that is tracked.

A write is tracked when its options name a field manager. Those over the API do, and so do controllers, the
scheduler and kubelets, but for what they write all the time: heartbeats, Events and the status of Pods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from leeward.base.clock import PassiveClock
from leeward.cluster.registry.kinds.strategy import STATUS_METADATA, Strategy
from leeward.cluster.registry.managedfields.fieldset import FieldSet, make_set
from leeward.cluster.registry.managedfields.fieldset import field as field_element
from leeward.cluster.registry.managedfields.manager import (
    Writer,
    apply_config,
    track_create,
    track_update,
)
from leeward.cluster.registry.managedfields.schema import Type
from leeward.cluster.registry.managedfields.typed import TypeMismatchError
from leeward.cluster.registry.managedfields.types import CustomTypes, built_in_type
from leeward.cluster.registry.options import WriteOptions
from leeward.cluster.registry.podowners import PodOwners
from leeward.kube.objects import Obj, format_time
from leeward.kube.resources import Resource

_TOO_OFTEN = (  # by components; their managers stay as they are
    ("pods", "status"),
    ("events", ""),
    ("leases.coordination.k8s.io", ""),
)


class Ownership:
    """Keeps ``metadata.managedFields``.

    Args:
        clock: stamps entries.
        definitions: returns the CustomResourceDefinitions of the moment.
        built_in: tells whether a resource is a built-in one.
    """

    def __init__(
        self,
        clock: PassiveClock,
        definitions: Callable[[], Iterable[Obj]],
        built_in: Callable[[str], bool],
    ) -> None:
        self._clock = clock
        self._definitions = definitions
        self._built_in = built_in
        self._custom = CustomTypes()
        self._pods = PodOwners()

    def created(self, resource: Resource, strategy: Strategy, obj: Obj, options: WriteOptions) -> Obj:
        """Return a new object with its managers."""
        if options.managed is not None:
            return _with_entries(obj, options.managed)
        if not _is_tracked(resource, options, ""):
            return obj
        if resource.name == "pods":
            who = (options.field_manager, options.api_version)
            time = format_time(self._clock.now())
            entries = self._pods.entries(
                obj, who, time, lambda: self._created(resource, strategy, obj, options)
            )
            return {**obj, "metadata": {**obj["metadata"], "managedFields": entries}} if entries else obj
        return self._created(resource, strategy, obj, options)

    def _created(self, resource: Resource, strategy: Strategy, obj: Obj, options: WriteOptions) -> Obj:
        writer = self._writer(resource, options, "")
        try:
            return track_create(
                self.type_of(resource, writer.api_version), obj, writer, _ignored(strategy, "")
            )
        except TypeMismatchError:  # validation follows, and says what is wrong
            return obj

    def updated(
        self,
        resource: Resource,
        strategy: Strategy,
        old: Obj,
        new: Obj,
        requested: Any,
        options: WriteOptions,
        subresource: str = "",
    ) -> Obj:
        """Return the next state of an object with its managers."""
        if options.managed is not None:
            return _with_entries(new, options.managed)
        if not _is_tracked(resource, options, subresource):
            return _with_entries(new, old["metadata"].get("managedFields"))
        writer = self._writer(resource, options, subresource)
        ignored = _ignored(strategy, subresource)
        try:
            return track_update(
                self.type_of(resource, writer.api_version), old, new, requested, writer, ignored
            )
        except TypeMismatchError:
            return _with_entries(new, old["metadata"].get("managedFields"))

    def applied(
        self,
        resource: Resource,
        strategy: Strategy,
        old: Obj | None,
        config: Obj,
        options: WriteOptions,
        *,
        force: bool,
        subresource: str = "",
    ) -> Obj:
        """Return what server-side apply makes of an object; with its managers.

        Raises:
            StatusError: it is refused.
        """
        writer = self._writer(resource, options, subresource, apply=True)
        kind = self.type_of(resource, writer.api_version)
        return apply_config(kind, old, config, writer, force=force, ignored=_ignored(strategy, subresource))

    def _writer(
        self, resource: Resource, options: WriteOptions, subresource: str, *, apply: bool = False
    ) -> Writer:
        return Writer(
            name=options.field_manager,
            operation="Apply" if apply else "Update",
            api_version=options.api_version or resource.api_version,
            time=format_time(self._clock.now()),
            subresource=subresource,
        )

    def type_of(self, resource: Resource, api_version: str) -> Type:
        """Return what an object of a resource is made of in a version."""
        if self._built_in(resource.name):
            return built_in_type(api_version, resource.kind)
        return self._custom.find(self._definitions(), api_version, resource.kind)


def _is_tracked(resource: Resource, options: WriteOptions, subresource: str) -> bool:
    if not options.field_manager:
        return False
    return not (options.component and (resource.name, subresource) in _TOO_OFTEN)


def _ignored(strategy: Strategy, subresource: str) -> FieldSet:
    return _reset(subresource, frozenset(strategy.status_metadata), strategy.has_status, strategy.tracks_spec)


@lru_cache(maxsize=64)
def _reset(subresource: str, metadata: frozenset[str], has_status: bool, tracks_spec: bool) -> FieldSet:
    """Return the fields that a write to a part of an object does not own, because it cannot change them."""
    if subresource in ("status", "approval"):
        kept = [field for field in STATUS_METADATA if field not in metadata]
        paths = [("spec",), *((("metadata", field) for field in kept) if metadata else [("metadata",)])]
    else:
        paths = [("status",)] if has_status else []
    if not tracks_spec:
        paths += [("spec",), ("status", "conditions")]
    return make_set([tuple(map(field_element, path)) for path in paths])


def _with_entries(obj: Obj, entries: Any) -> Obj:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}
