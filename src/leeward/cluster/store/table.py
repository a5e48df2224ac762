"""A table of objects by key that is put in order when it is listed, as far as it has changed since then."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import islice

from leeward.kube.objects import Obj, ObjectKey


class Table:
    """Objects by key."""

    __slots__ = ("_keys", "_new", "_removed", "objects")

    def __init__(self) -> None:
        self.objects: dict[ObjectKey, Obj] = {}
        self._keys: list[ObjectKey] = []  # in order, as of the last time
        self._new: dict[ObjectKey, None] = {}  # since then
        self._removed = False  # since then, some were

    def __len__(self) -> int:
        return len(self.objects)

    def put(self, key: ObjectKey, obj: Obj) -> None:
        """Add an object, or put it in place of the one with its key."""
        if key not in self.objects:
            self._new[key] = None
        self.objects[key] = obj

    def remove(self, key: ObjectKey) -> None:
        """Take an object out, if it is there."""
        if self.objects.pop(key, None) is None:
            return
        if key in self._new:
            del self._new[key]  # it may be among the old ones, too
        self._removed = True

    def keys(self) -> list[ObjectKey]:
        """Return the keys in order; not to be changed."""
        if self._removed or self._new:
            kept = [key for key in self._keys if key in self.objects] if self._removed else self._keys
            added: Iterable[ObjectKey] = self._new
            if self._removed and self._new:
                known = set(kept)
                added = [key for key in self._new if key not in known]
            self._keys = sorted([*kept, *added])  # quick, as nearly all are in order
            self._new, self._removed = {}, False
        return self._keys

    def values(self) -> list[Obj]:
        """Return all objects, ordered by key."""
        objects = self.objects
        return [objects[key] for key in self.keys()]

    def of_namespace(self, namespace: str) -> Iterator[Obj]:
        """Yield the objects of a namespace, ordered by key."""
        keys = self.keys()
        for key in islice(keys, bisect_right(keys, ObjectKey(namespace, "")), None):
            if key.namespace != namespace:
                break
            yield self.objects[key]
