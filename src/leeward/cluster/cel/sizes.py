"""How large a value of a structural schema can get: what the cost of an expression is estimated by.

What a schema does not bound is bounded by the largest request.

Source: k8s.io/apiserver/pkg/cel/common/schemas.go, pkg/cel/limits.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from leeward.cluster.cel.types import Schema, escaped, properties_of

REQUEST = 3 * 1024 * 1024  # bytes, the largest
_LONGEST = {"duration": 32, "date": 12, "date-time": 32}
_SHORTEST = {"duration": 3, "date": 12, "date-time": 21}
_SCALARS = {"boolean": 4, "number": 1, "integer": 1}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a value can get.

    Attributes:
        most: items of a list or map, characters of a text; 0 of what has one size.
        written: bytes that JSON needs for the smallest one.
        item: of a list or map.
        fields: of an object, by the names that expressions know them by.
    """

    most: int = 0
    written: int = 2
    item: Size | None = None
    fields: Mapping[str, Size] = field(default_factory=dict)

    def at(self, path: tuple[str, ...]) -> Size | None:
        """Return the size of what is at a path: names of fields, or "@items", "@values" and "@keys"."""
        found: Size | None = self
        for name in path:
            if found is None or name in ("@keys", "@indices"):
                return Size() if found is not None and found.item is not None and name == "@keys" else None
            found = found.item if name in ("@items", "@values") else found.fields.get(name)
        return found


def size_of(schema: Schema, *, root: bool = False) -> Size | None:
    """Return how large a value gets; None: expressions do not see it.

    Args:
        schema: of the value.
        root: whether it is a whole object.
    """
    if schema.get("x-kubernetes-int-or-string"):
        return Size(_length(schema), 1)
    kind = "object" if root else schema.get("type") or ""
    if kind == "array":
        return _list(schema)
    if kind == "object":
        return _object(schema, root)
    if kind == "string":
        form = schema.get("format") or ""
        return Size(_length(schema), _SHORTEST.get(form, 2))
    return Size(0, _SCALARS[kind]) if kind in _SCALARS else None


def _length(schema: Schema) -> int:
    form: str = schema.get("format") or ""
    longest: int | None = schema.get("maxLength")
    if form in _LONGEST:
        return _LONGEST[form]
    if longest is not None:
        return max(longest, 0) * (1 if form == "byte" else 4)  # a character has up to 4 bytes
    if schema.get("enum") and form != "byte" and not schema.get("x-kubernetes-int-or-string"):
        return max(len(each.encode()) if isinstance(each, str) else 0 for each in schema["enum"])
    return REQUEST - 2


def _inner(schema: object) -> Size | None:
    if not isinstance(schema, Mapping):
        return None
    return size_of(schema, root=bool(schema.get("x-kubernetes-embedded-resource")))


def _list(schema: Schema) -> Size | None:
    item = _inner(schema.get("items"))
    if item is None:
        return None
    most = schema.get("maxItems")
    return Size((REQUEST - 2) // (item.written + 1) if most is None else max(most, 0), 2, item)


def _object(schema: Schema, root: bool) -> Size | None:
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        item = _inner(extra)
        if item is None:
            return None
        most = schema.get("maxProperties")
        return Size((REQUEST - 2) // (item.written + 6) if most is None else max(most, 0), 2, item)
    required, written = schema.get("required") or (), 2
    fields = {}
    for name, each in properties_of(schema, root=root).items():
        size, known_as = _inner(each), escaped(name)
        if size is None:
            continue
        if known_as is not None:
            fields[known_as] = size
        if name in required and each.get("default") is None:
            written += len(name) + size.written + 4
    return Size(0, written, None, fields)
