"""The quick way through an update: values change that their writer owns already, and nothing else does.

That is what controllers do most of the time, counting replicas. Sets of fields are neither taken apart nor
made then: what the stored entries say is kept by their identity, as stored objects are never changed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

from leeward.cluster.registry.managedfields import typed
from leeward.cluster.registry.managedfields.fieldset import (
    FieldSet,
    difference,
    from_wire,
    intersection,
    without,
)
from leeward.cluster.registry.managedfields.schema import Type

_KEPT = 512
_ORDER = ("operation", "time", "manager", "apiVersion", "subresource")
Entry = Mapping[str, Any]
_read: OrderedDict[int, tuple[Any, FieldSet]] = OrderedDict()  # by identity of what was read, which is kept


def unchanged_owners(
    kind: Type,
    live: Any,
    new: Any,
    entries: Sequence[Entry],
    writer: tuple[str, ...],
    time: str,
    ignored: FieldSet,
) -> list[Any] | None:
    """Return the entries after an update that leaves all fields to their owners; None: it does not.

    Args:
        kind: type of both.
        live: what is stored.
        new: what is to be stored.
        entries: who owns what of `live`.
        writer: operation, manager, version and subresource of the writer.
        time: of the update.
        ignored: fields that this kind of write does not set.
    """
    comparison = typed.compare(kind, live, new)
    if without(comparison.added, ignored) or without(comparison.removed, ignored):
        return None
    modified = without(comparison.modified, ignored)
    if not modified:
        return list(entries)
    after: list[Any] = []
    owned = False
    for entry in entries:
        try:
            fields = _fields(entry)
        except (ValueError, AttributeError):
            return None
        if _key(entry) == writer:
            if difference(modified, fields):
                return None
            owned = True
            after.append({**entry, "time": time})
        elif intersection(fields, modified):
            return None
        else:
            after.append(entry)
    return in_order(after) if owned else None


def _key(entry: Entry) -> tuple[str, ...]:
    return tuple(entry.get(part, "") for part in ("operation", "manager", "apiVersion", "subresource"))


def _fields(entry: Entry) -> FieldSet:
    wire = entry.get("fieldsV1") or {}
    known = _read.get(id(wire))
    if known is None or known[0] is not wire:
        known = _read[id(wire)] = (wire, from_wire(wire))
        if len(_read) > _KEPT:
            _read.popitem(last=False)
    return known[1]


def in_order(entries: Sequence[Any]) -> list[Any]:
    """Return entries in the order in which they are shown."""
    return sorted(entries, key=lambda entry: tuple(entry.get(part, "") for part in _ORDER))
