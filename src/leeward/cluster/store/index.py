"""Objects by something that they say, each group in the order of keys.

A group is sorted only after an object joined or left it: what changes most is the state of objects.
"""

from __future__ import annotations

from collections.abc import Hashable

from leeward.kube.objects import Obj, ObjectKey


class Index:
    """Groups of objects; an empty group is forgotten."""

    def __init__(self) -> None:
        self._groups: dict[Hashable, dict[ObjectKey, Obj]] = {}
        self._sorted: dict[Hashable, list[ObjectKey]] = {}

    def get(self, group: Hashable) -> list[Obj]:
        """Return the objects of a group, ordered by key."""
        found = self._groups.get(group)
        if not found:
            return []
        keys = self._sorted.get(group)
        if keys is None:
            keys = self._sorted[group] = sorted(found)
        return [found[key] for key in keys]

    def move(self, key: ObjectKey, before: Hashable, after: Hashable, obj: Obj | None) -> None:
        """Note an object's new state.

        Args:
            key: of the object.
            before: the group it was in; None for none.
            after: the group it is in now; None for none.
            obj: its new state; None when it is gone.
        """
        if before is not None and (before != after or obj is None):
            group = self._groups.get(before, {})
            group.pop(key, None)
            self._sorted.pop(before, None)
            if not group:
                self._groups.pop(before, None)
        if after is not None and obj is not None:
            if before != after:
                self._sorted.pop(after, None)
            self._groups.setdefault(after, {})[key] = obj
