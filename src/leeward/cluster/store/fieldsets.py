"""Sets of owned fields (``fieldsV1`` in ``metadata.managedFields``), of which equal ones are kept once.

They say which fields an object has, not their values, so all Pods of a template have the same: half of what a
stored Pod takes. Here they are told from the rest of an object and put back, and equal ones become one.

Invariant: an object that has none, or is not as managed fields are, passes as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from leeward.kube.objects import Obj

_MOST = 8192  # sets that are remembered, before it starts anew
_FIELDS, _ENTRIES = "fieldsV1", "managedFields"


class FieldSets:
    """Remembers sets of fields, as trees and as the JSON that they are stored as."""

    def __init__(self) -> None:
        self._trees: dict[bytes, Obj] = {}
        self._texts: dict[int, bytes] = {}  # id of a tree that is remembered → its text

    def shared(self, obj: Obj) -> Obj:
        """Return an object with the sets that are remembered in place of equal ones."""
        entries = _entries(obj)
        if not entries or all(id(entry[_FIELDS]) in self._texts for entry in entries):
            return obj
        trees = [self._tree(orjson.dumps(entry[_FIELDS]), entry[_FIELDS]) for entry in entries]
        if all(tree is entry[_FIELDS] for tree, entry in zip(trees, entries, strict=True)):
            return obj
        return _with(obj, trees)

    def split(self, obj: Obj) -> tuple[Obj, bytes | None]:
        """Return an object without its sets, and these, one a line."""
        entries = _entries(obj)
        if not entries:
            return obj, None
        trees = (entry[_FIELDS] for entry in entries)
        lines = [self._texts.get(id(tree)) or orjson.dumps(tree) for tree in trees]
        return _with(obj, (None for _ in lines)), b"\n".join(lines)

    def joined(self, obj: Obj, lines: bytes | None) -> Obj:
        """Put the sets of :meth:`split` back into `obj`, which becomes the whole object."""
        if lines is None:
            return self.shared(obj)
        for entry, line in zip(obj["metadata"][_ENTRIES], lines.split(b"\n"), strict=True):
            entry[_FIELDS] = self._tree(line)
        return obj

    def _tree(self, text: bytes, tree: Obj | None = None) -> Obj:
        found = self._trees.get(text)
        if found is None:
            if len(self._trees) >= _MOST:
                self._trees.clear()
                self._texts.clear()
            found = self._trees[text] = orjson.loads(text) if tree is None else tree
            self._texts[id(found)] = text
        return found


def _entries(obj: Obj) -> list[Any]:
    """Return the entries of managed fields when all of them have a set."""
    entries = obj["metadata"].get(_ENTRIES)
    whole = isinstance(entries, list) and all(
        isinstance(entry, dict) and isinstance(entry.get(_FIELDS), dict) for entry in entries
    )
    return entries if whole and entries else []


def _with(obj: Obj, trees: Iterable[Obj | None]) -> Obj:
    meta = obj["metadata"]
    entries = [{**entry, _FIELDS: tree} for entry, tree in zip(meta[_ENTRIES], trees, strict=True)]
    return {**obj, "metadata": {**meta, _ENTRIES: entries}}
