"""Sets of fields, and their form on the wire (``fieldsV1``).

A set is a trie: ``{"f:spec": {"f:replicas": {".": True}}}``. A key is a path element as ``fieldsV1`` writes
it: ``f:`` a field, ``k:`` the keys of a list item, ``v:`` a value of a set, ``i:`` an index; ``.`` says that
the field at the node is itself in the set. A set is never changed once made; an empty one is ``{}``.

Source: sigs.k8s.io/structured-merge-diff/v6/fieldpath (set.go, serialize.go).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

FieldSet = Mapping[str, Any]
Path = tuple[str, ...]
MEMBER = "."
EMPTY: FieldSet = {}
_ITSELF: FieldSet = {MEMBER: True}


def field(name: str) -> str:
    """Return the path element of a field."""
    return f"f:{name}"


def keyed(keys: Mapping[str, Any]) -> str:
    """Return the path element of a list item with these keys."""
    return "k:" + orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()


def valued(value: Any) -> str:
    """Return the path element of a member of a set."""
    return "v:" + orjson.dumps(value).decode()


def make_set(paths: Iterable[Path]) -> FieldSet:
    """Return the set of `paths`."""
    root: dict[str, Any] = {}
    for path in paths:
        node = root
        for element in path:
            node = node.setdefault(element, {})
        node[MEMBER] = True
    return root


def paths_of(fields: FieldSet, prefix: Path = ()) -> Iterator[Path]:
    """Yield every path of a set, in order."""
    if MEMBER in fields:
        yield prefix
    for element in sorted(key for key in fields if key != MEMBER):
        yield from paths_of(fields[element], (*prefix, element))


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in either."""
    if not left or not right:
        return left or right
    merged = dict(left)
    for element, child in right.items():
        known = merged.get(element)
        merged[element] = child if known is None or element == MEMBER else union(known, child)
    return merged


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in `left` and not in `right`; what is below a field of `right` stays."""
    kept: dict[str, Any] = {}
    for element, child in left.items():
        other = right.get(element)
        if other is None:
            kept[element] = child
        elif element != MEMBER and (rest := difference(child, other)):
            kept[element] = rest
    return kept


def without(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in `left` and neither in `right` nor below a field of it."""
    kept: dict[str, Any] = {}
    for element, child in left.items():
        other = right.get(element)
        if other is None:
            kept[element] = child
        elif element != MEMBER and MEMBER not in other and (rest := without(child, other)):
            kept[element] = rest
    return kept


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    """Return what is in both."""
    common: dict[str, Any] = {}
    for element, child in left.items():
        other = right.get(element)
        if other is None:
            continue
        if element == MEMBER:
            common[element] = child
        elif rest := intersection(child, other):
            common[element] = rest
    return common


def to_wire(fields: FieldSet) -> dict[str, Any]:
    """Return the set as ``fieldsV1``: a field without anything below is ``{}``."""
    wire: dict[str, Any] = {}
    for element in sorted(fields):
        child = fields[element]
        if element == MEMBER:
            wire[element] = {}
        else:
            wire[element] = {} if child == _ITSELF else to_wire(child)
    return wire


def from_wire(wire: Mapping[str, Any]) -> FieldSet:
    """Return the set that ``fieldsV1`` says.

    Raises:
        ValueError: it is malformed.
    """
    fields: dict[str, Any] = {}
    for element, child in wire.items():
        if not isinstance(child, dict) or (element != MEMBER and element[:2] not in ("f:", "k:", "v:", "i:")):
            raise ValueError(f"invalid path element {element!r}")
        fields[element] = True if element == MEMBER else from_wire(child) or _ITSELF
    return fields


def path_text(path: Path) -> str:
    """Return a path as messages have it: ``.spec.containers[name="web"].image``."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    kind, text = element[:2], element[2:]
    if kind == "f:":
        return f".{text}"
    if kind == "k:":
        keys = json.loads(text)
        return "[" + ",".join(f"{name}={json.dumps(value)}" for name, value in sorted(keys.items())) + "]"
    return f"[={text}]" if kind == "v:" else f"[{text}]"
