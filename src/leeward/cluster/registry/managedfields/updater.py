"""What an update or an apply does to ownership.

Managers are told apart by an opaque key; ``Owned.applied`` tells those that apply from those that update.
All functions are pure.

Source: sigs.k8s.io/structured-merge-diff/v6/merge/update.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leeward.cluster.registry.managedfields import typed
from leeward.cluster.registry.managedfields.fieldset import (
    EMPTY,
    FieldSet,
    difference,
    intersection,
    union,
    without,
)
from leeward.cluster.registry.managedfields.schema import Type


@dataclass(frozen=True, slots=True)
class Owned:
    """The fields of one manager."""

    fields: FieldSet
    applied: bool


Managers = Mapping[str, Owned]


class FieldConflictError(Exception):
    """Somebody else owns fields that an apply would change.

    Attributes:
        conflicts: manager → fields.
    """

    def __init__(self, conflicts: Mapping[str, FieldSet]) -> None:
        super().__init__(f"{len(conflicts)} managers")
        self.conflicts = conflicts


def update(kind: Type, live: Any, new: Any, managers: Managers, manager: str, ignored: FieldSet) -> Managers:
    """Return who owns what after `manager` has written `new` over `live`.

    Args:
        kind: type of both.
        live: what there was.
        new: what there is.
        managers: who owned what.
        manager: who writes.
        ignored: fields that this kind of write does not set.
    """
    left, comparison = _reassign(kind, live, new, managers, manager, force=True, ignored=ignored)
    own = left[manager].fields if manager in left else EMPTY
    fields = union(union(difference(own, comparison.removed), comparison.modified), comparison.added)
    result = {name: owned for name, owned in left.items() if name != manager}
    if fields:
        result[manager] = Owned(fields, applied=False)
    return result


def apply(
    kind: Type, live: Any, config: Any, managers: Managers, manager: str, *, force: bool, ignored: FieldSet
) -> tuple[Any, Managers]:
    """Return the object and who owns what after `manager` has applied `config`.

    Raises:
        FieldConflictError: others own fields that would change, and `force` is not given.
    """
    merged = typed.merge(kind, live, config)
    former = managers[manager].fields if manager in managers else EMPTY
    wanted = without(typed.field_set(kind, config), ignored)
    current = {**managers, manager: Owned(wanted, applied=True)}
    pruned = _prune(kind, merged, current, former)
    after, _ = _reassign(kind, live, pruned, current, manager, force=force, ignored=ignored)
    return pruned, {name: owned for name, owned in after.items() if owned.fields}


def _reassign(
    kind: Type, live: Any, new: Any, managers: Managers, manager: str, *, force: bool, ignored: FieldSet
) -> tuple[dict[str, Owned], typed.Comparison]:
    """Take from the others what `manager` changes, and from all what is gone."""
    whole = typed.compare(kind, live, new)
    comparison = typed.Comparison(
        without(whole.added, ignored), without(whole.modified, ignored), without(whole.removed, ignored)
    )
    changed = union(comparison.modified, comparison.added)
    conflicts = {
        name: conflict
        for name, owned in managers.items()
        if name != manager and (conflict := intersection(owned.fields, changed))
    }
    if conflicts and not force:
        raise FieldConflictError(conflicts)
    left: dict[str, Owned] = {}
    for name, owned in managers.items():
        fields = owned.fields
        if name != manager:
            fields = difference(difference(fields, conflicts.get(name, EMPTY)), comparison.removed)
        if fields:
            left[name] = Owned(fields, owned.applied)
    return left, comparison


def _prune(kind: Type, merged: Any, managers: Managers, former: FieldSet) -> Any:
    """Remove what the manager applied before and does not any more, unless somebody else owns it."""
    if not former:
        return merged
    former = typed.with_named(kind, former)
    every = typed.with_named(kind, typed.field_set(kind, merged))
    pruned = typed.remove(kind, merged, former)
    owned: FieldSet = EMPTY
    for each in managers.values():
        owned = union(owned, each.fields)
    keep = union(_fields(kind, pruned), typed.with_named(kind, owned))
    pruned = typed.remove(kind, merged, difference(every, keep))
    gone = intersection(difference(every, _fields(kind, pruned)), former)
    return typed.remove(kind, merged, gone)


def _fields(kind: Type, value: Any) -> FieldSet:
    return typed.with_named(kind, typed.field_set(kind, None if value is typed.ABSENT else value))
