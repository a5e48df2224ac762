"""``metadata.managedFields``: read, brought up to date by every write that is tracked, written.

A write to an object that has no managers yet is not tracked.

Source: k8s.io/apimachinery/pkg/util/managedfields/internal (1.36).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from leeward.cluster.registry.managedfields.fieldset import (
    FieldSet,
    difference,
    from_wire,
    make_set,
    path_text,
    paths_of,
    to_wire,
    union,
)
from leeward.cluster.registry.managedfields.fieldset import field as field_element
from leeward.cluster.registry.managedfields.quick import in_order, unchanged_owners
from leeward.cluster.registry.managedfields.schema import Type, zero
from leeward.cluster.registry.managedfields.typed import TypeMismatchError, validate
from leeward.cluster.registry.managedfields.updater import (
    FieldConflictError,
    Managers,
    Owned,
    apply,
    update,
)
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ConflictError, StatusError

MAX_UPDATE_MANAGERS = 10
ANCIENT = "ancient-changes"
BEFORE_APPLY = "before-first-apply"
_CURRENT = "current-operation"
_OF_THE_SERVER = "name namespace creationTimestamp selfLink uid generation managedFields resourceVersion"
_STRIPPED = make_set(  # never in a set
    [
        *((field_element(name),) for name in ("apiVersion", "kind", "metadata")),
        *((field_element("metadata"), field_element(name)) for name in _OF_THE_SERVER.split()),
    ]
)
NOTHING: FieldSet = {}
STATUS: FieldSet = make_set([(field_element("status"),)])


class TypedPatchError(StatusError):
    """A configuration that does not fit its type; upstream tells no reason."""

    reason = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes, how and when."""

    name: str
    operation: Literal["Apply", "Update"]
    api_version: str
    time: str
    subresource: str = ""

    def entry_key(self) -> tuple[str, ...]:
        """Return what tells its entry from others."""
        return (self.operation, self.name, self.api_version, self.subresource)

    def key(self) -> str:
        """Return what tells this manager from others."""
        return _key(self.name, self.operation, self.api_version, self.subresource)


def _key(name: str, operation: str, api_version: str, subresource: str) -> str:
    version = "" if operation == "Apply" else api_version  # an applier is the same in every version
    return json.dumps([operation, name, version, subresource])


@dataclass(slots=True)
class _Managed:
    """The list, taken apart: sets and the rest of each entry, by manager."""

    managers: dict[str, Owned]
    entries: dict[str, dict[str, Any]]


def _decode(entries: Any) -> _Managed:
    """Read a list.

    Raises:
        ValueError: it is malformed.
    """
    managed = _Managed({}, {})
    for entry in entries or ():
        rest = {key: value for key, value in entry.items() if key != "fieldsV1"}
        operation = rest.get("operation")
        if operation not in ("Apply", "Update"):
            raise ValueError(f"invalid operation {operation!r}")
        key = _key(
            rest.get("manager", ""), operation, rest.get("apiVersion", ""), rest.get("subresource", "")
        )
        fields = from_wire(entry.get("fieldsV1") or {})
        known = managed.managers.get(key)
        managed.managers[key] = Owned(union(known.fields, fields) if known else fields, operation == "Apply")
        managed.entries[key] = rest
    return managed


def _encode(managed: _Managed) -> list[dict[str, Any]]:
    entries = [
        {**managed.entries[key], "fieldsV1": to_wire(owned.fields)}
        for key, owned in managed.managers.items()
        if owned.fields
    ]
    return in_order(entries)


def _start(live: Obj, requested: Any, writer: Writer) -> _Managed:
    """Return who owns what before a write: what the request says of it, else what is stored."""
    stored = live["metadata"].get("managedFields")
    if not writer.subresource and requested:
        if requested == [{}]:
            return _Managed({}, {})
        try:
            given = _decode(requested)
        except (ValueError, AttributeError):
            given = _Managed({}, {})
        if given.managers:
            return given
    try:
        return _decode(stored)
    except (ValueError, AttributeError):
        return _Managed({}, {})


def _bare(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return `obj` without its list of managers."""
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": meta}


def _carrying(obj: Obj, managed: _Managed) -> Obj:
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    entries = _encode(managed)
    return {**obj, "metadata": {**meta, "managedFields": entries} if entries else meta}


def track_create(kind: Type, obj: Obj, writer: Writer, ignored: FieldSet) -> Obj:
    """Return a new object with who owns its fields."""
    return _carrying(obj, _update(kind, zero(kind), obj, _Managed({}, {}), writer, ignored))


def track_update(kind: Type, live: Obj, new: Obj, requested: Any, writer: Writer, ignored: FieldSet) -> Obj:
    """Return `new` with who owns its fields.

    Args:
        kind: type of both.
        live: what is stored.
        new: what is to be stored.
        requested: the managedFields that the request has.
        writer: who writes.
        ignored: fields that this kind of write does not set.
    """
    stored = live["metadata"].get("managedFields")
    if stored and (requested is None or requested is stored):
        entries = unchanged_owners(
            kind, _bare(live), _bare(new), stored, writer.entry_key(), writer.time, ignored
        )
        if entries is not None:
            return {**new, "metadata": {**new["metadata"], "managedFields": entries}}
    managed = _start(live, requested, writer)
    if managed.managers:
        managed = _update(kind, _bare(live), new, managed, writer, ignored)
    return _carrying(new, managed)


def _update(
    kind: Type, live: Any, new: Obj, managed: _Managed, writer: Writer, ignored: FieldSet
) -> _Managed:
    managers: Managers = update(kind, live, _bare(new), managed.managers, _CURRENT, ignored)
    left = {name: Owned(_stripped(owned.fields), owned.applied) for name, owned in managers.items()}
    taken = left.pop(_CURRENT, None)
    entries = dict(managed.entries)
    if taken is not None and taken.fields:
        key = writer.key()
        previous = left.get(key)
        fields = union(previous.fields, taken.fields) if previous else taken.fields
        left[key] = Owned(fields, applied=False)
        entries[key] = _entry(writer)
    return _capped(_Managed(left, entries))


def _entry(writer: Writer) -> dict[str, Any]:
    entry = {
        "manager": writer.name,
        "operation": writer.operation,
        "apiVersion": writer.api_version,
        "time": writer.time,
        "fieldsType": "FieldsV1",
    }
    if (
        writer.subresource == "scale"
    ):  # whose managers go through upstream's scale handler, which knows no time
        del entry["time"]
    return {**entry, "subresource": writer.subresource} if writer.subresource else entry


def _stripped(fields: FieldSet) -> FieldSet:
    return difference(fields, _STRIPPED)


def _capped(managed: _Managed) -> _Managed:
    """Fold the oldest updates into one entry when there are too many."""
    updates = [key for key, owned in managed.managers.items() if not owned.applied]
    if len(updates) <= MAX_UPDATE_MANAGERS:
        return managed
    updates.sort(key=lambda key: (managed.entries[key].get("time", ""), key))
    oldest = updates[: len(updates) - MAX_UPDATE_MANAGERS + 1]
    by_version: dict[str, FieldSet] = {}
    for key in oldest:
        version = managed.entries[key].get("apiVersion", "")
        by_version[version] = union(by_version.get(version, NOTHING), managed.managers[key].fields)
    managers = {key: owned for key, owned in managed.managers.items() if key not in oldest}
    entries = {key: entry for key, entry in managed.entries.items() if key not in oldest}
    time = managed.entries[oldest[-1]].get("time", "")
    for version, fields in by_version.items():
        writer = Writer(name=ANCIENT, operation="Update", api_version=version, time=time)
        managers[writer.key()] = Owned(fields, applied=False)
        entries[writer.key()] = _entry(writer)
    return _Managed(managers, entries)


def apply_config(
    kind: Type, live: Obj | None, config: Obj, writer: Writer, *, force: bool, ignored: FieldSet
) -> Obj:
    """Return the object that server-side apply makes of `live` and `config`.

    Args:
        kind: type of both.
        live: what is stored; None: nothing, the object is made.
        config: what is applied.
        writer: who applies.
        force: take fields from others.
        ignored: fields that this kind of write does not set.

    Raises:
        BadRequestError: `config` brings managers.
        StatusError: `config` does not fit the type.
        ConflictError: others own fields that would change.
    """
    if config["metadata"].get("managedFields"):
        raise BadRequestError("metadata.managedFields must be nil")
    check_typed(kind, config, writer.api_version)
    base: Any = zero(kind) if live is None else _bare(live)
    managed = _Managed({}, {}) if live is None else _start(live, None, writer)
    if live is not None and not managed.managers:
        before = Writer(
            name=BEFORE_APPLY, operation="Update", api_version=writer.api_version, time=writer.time
        )
        managed = _update(kind, zero(kind), live, managed, before, ignored)
    key = writer.key()
    try:
        merged, managers = apply(kind, base, config, managed.managers, key, force=force, ignored=ignored)
    except FieldConflictError as error:
        raise _conflict(error, managed) from None
    merged = _without_nulls(merged) if live is None else merged
    left = {name: Owned(_stripped(owned.fields), owned.applied) for name, owned in managers.items()}
    left = {name: owned for name, owned in left.items() if owned.fields}
    entries = {name: entry for name, entry in managed.entries.items() if name in left}
    unchanged = merged == base and left == managed.managers
    if key in left and not unchanged:
        entries[key] = _entry(writer)
    return _carrying(merged, _Managed(left, entries))


def _without_nulls(obj: Obj) -> Obj:
    """Return a new object without the empty parts of the one that it was merged over."""
    return {
        key: inner
        for key, value in obj.items()
        if (inner := _without_nulls(value) if isinstance(value, dict) else value) is not None
        and (inner != {} or value is not inner)
    }


def check_typed(kind: Type, config: Obj, api_version: str) -> None:
    """Refuse a configuration that does not fit its type.

    Raises:
        TypedPatchError: it does not.
    """
    try:
        validate(kind, config)
    except TypeMismatchError as error:
        subject = _subject(config, api_version)
        raise TypedPatchError(f"failed to create typed patch object ({subject}): {error}") from None


def _subject(config: Obj, api_version: str) -> str:
    given = config.get("metadata")
    meta = given if isinstance(given, dict) else {}
    group, _, version = api_version.rpartition("/")
    name = f"{meta.get('namespace', '')}/{meta.get('name', '')}"
    return f"{name}; {group}/{version}, Kind={config.get('kind', '')}"


def _conflict(error: FieldConflictError, managed: _Managed) -> ConflictError:
    """Return the refusal: every field, by manager."""
    causes: list[dict[str, Any]] = []
    lines: list[tuple[str, list[str]]] = []
    for key in sorted(error.conflicts, key=lambda each: managed.entries[each].get("manager", "")):
        who = _who(managed.entries[key])
        fields = [path_text(path) for path in paths_of(error.conflicts[key])]
        lines.append((who, fields))
        causes += [
            {"reason": "FieldManagerConflict", "message": f"conflict with {who}", "field": each}
            for each in fields
        ]
    count = len(causes)
    if count == 1:
        text = f"conflict with {lines[0][0]}: {lines[0][1][0]}"
    else:
        text = "\n".join(
            f"conflicts with {who}:\n" + "\n".join(f"- {each}" for each in fields) for who, fields in lines
        )
    noun = "conflict" if count == 1 else "conflicts"
    return ConflictError(f"Apply failed with {count} {noun}: {text}", details={"causes": causes})


def _who(entry: Mapping[str, Any]) -> str:
    text = json.dumps(entry.get("manager", ""))
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    return f"{text} using {entry.get('apiVersion', '')}" if entry.get("operation") == "Update" else text
