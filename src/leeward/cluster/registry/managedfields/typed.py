"""Values with a type: which fields they have, how two differ, how one is merged over another.

Values are plain JSON and never changed. A path that the type does not allow is told as upstream tells it.

Source: sigs.k8s.io/structured-merge-diff/v6/typed (tofieldset, compare, merge, remove, validate).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from leeward.cluster.registry.managedfields.fieldset import (
    MEMBER,
    FieldSet,
    Path,
    keyed,
    make_set,
    path_text,
    valued,
)
from leeward.cluster.registry.managedfields.fieldset import field as field_element
from leeward.cluster.registry.managedfields.schema import DEDUCED, Type


class _Absent:
    pass


ABSENT = _Absent()


class TypeMismatchError(ValueError):
    """A value is not what its type says; the text names the path."""


@dataclass(slots=True)
class Comparison:
    """How one value became another."""

    added: FieldSet = field(default_factory=dict)
    modified: FieldSet = field(default_factory=dict)
    removed: FieldSet = field(default_factory=dict)


def _resolved(kind: Type, value: Any) -> Type:
    """Return the type of `value` where the type leaves that to the value."""
    if kind.kind != "deduced":
        return kind
    if isinstance(value, Mapping):
        return Type("map", element=DEDUCED)
    return Type("list", element=DEDUCED, atomic=True) if isinstance(value, list) else Type()


def element_of(kind: Type, item: Any, index: int) -> str:
    """Return the path element of one item of a list.

    Raises:
        TypeMismatchError: an item of an associative list lacks its keys.
    """
    if kind.atomic:
        return f"i:{index}"
    if not kind.keys:
        return valued(item)
    if not isinstance(item, Mapping):
        raise TypeMismatchError(": associative list with keys may not have non-map elements")
    found = {}
    for key in kind.keys:
        if key in item:
            found[key] = item[key]
        elif key in kind.defaults:
            found[key] = kind.defaults[key]
    if not found:
        names = ", ".join(f'"{key}"' for key in kind.keys)
        raise TypeMismatchError(
            f": element {index}: associative list with keys has an element that omits key field {names}"
            " (and doesn't have default value)"
        )
    return keyed(found)


def _items(kind: Type, value: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(element_of(kind, item, index), item) for index, item in enumerate(value)]


def _children(kind: Type, value: Mapping[str, Any]) -> Iterator[tuple[str, Type, Any]]:
    for name, inner in value.items():
        yield name, kind.fields.get(name) or kind.element or DEDUCED, inner


def validate(kind: Type, value: Any, path: Path = ()) -> None:
    """Check a value that somebody wants to apply.

    Raises:
        TypeMismatchError: it has fields that are not in the type, values of another shape, or two items
            with the same keys.
    """
    kind = _resolved(kind, value)
    if value is None or kind.kind == "scalar":
        if isinstance(value, Mapping | list) and kind.kind == "scalar":
            shape = "map" if isinstance(value, Mapping) else "list"
            raise TypeMismatchError(f"{path_text(path)}: expected scalar, got {shape}")
        return
    if kind.kind == "list":
        if not isinstance(value, list):
            raise TypeMismatchError(f"{path_text(path)}: expected list, got {_go(value)}")
        _validate_items(kind, value, path)
        return
    if not isinstance(value, Mapping):
        raise TypeMismatchError(f"{path_text(path)}: expected map, got {_go(value)}")
    for name, inner in value.items():
        below = (*path, field_element(name))
        child = kind.fields.get(name) or kind.element
        if child is None:
            raise TypeMismatchError(f"{path_text(below)}: field not declared in schema")
        validate(child, inner, below)


def _validate_items(kind: Type, value: Sequence[Any], path: Path) -> None:
    seen: set[str] = set()
    for index, item in enumerate(value):
        try:
            element = element_of(kind, item, index)
        except TypeMismatchError as error:
            raise TypeMismatchError(f"{path_text(path)}{error}") from None
        if element in seen:
            raise TypeMismatchError(f"{path_text(path)}: duplicate entries for key {path_text((element,))}")
        seen.add(element)
        validate(kind.element or DEDUCED, item, (*path, element))


def _go(value: Any) -> str:
    if isinstance(value, list):
        return "&{[" + " ".join(str(each) for each in value) + "]}"
    return f"&{{{value}}}"


def field_set(kind: Type, value: Any) -> FieldSet:
    """Return the fields that `value` has."""
    paths: list[Path] = []
    _collect(kind, value, (), paths)
    return make_set(paths)


def _collect(kind: Type, value: Any, path: Path, paths: list[Path]) -> None:
    kind = _resolved(kind, value)
    if kind.kind == "scalar" or kind.atomic:
        paths.append(path)
    elif kind.kind == "list":
        for element, item in _items(kind, value or ()):
            _collect(kind.element or DEDUCED, item, (*path, element), paths)
            paths.append((*path, element))
    else:
        for name, child, inner in _children(kind, value or {}):
            below = (*path, field_element(name))
            _collect(child, inner, below, paths)
            if inner is None or inner == {} or name not in kind.fields:
                paths.append(below)


def compare(kind: Type, old: Any, new: Any) -> Comparison:
    """Return what is added, changed and removed in `new`."""
    comparer = _Comparer()
    comparer.visit(kind, old, new, ())
    return Comparison(comparer.added, make_set(comparer.modified), make_set(comparer.removed))


def _everything(kind: Type, value: Any) -> dict[str, Any]:
    """Return the set of all that `value` has, the fields at the nodes included."""
    found: dict[str, Any] = {}
    kind = _resolved(kind, value)
    if kind.kind != "scalar" and not kind.atomic and value and _fits(kind, value):
        if kind.kind == "list":
            for element, item in _items(kind, value):
                found[element] = _everything(kind.element or DEDUCED, item)
        else:
            for name, child, inner in _children(kind, value):
                found[field_element(name)] = _everything(child, inner)
    found[MEMBER] = True
    return found


class _Comparer:
    def __init__(self) -> None:
        self.added: dict[str, Any] = {}
        self.modified: list[Path] = []
        self.removed: list[Path] = []

    def visit(self, kind: Type, old: Any, new: Any, path: Path) -> None:
        if old is new or old == new:
            return
        if old is ABSENT:
            self._add(path, _everything(kind, new))
            return
        shape = _resolved(kind, old if new is ABSENT or new is None else new)
        mismatch = not (_fits(shape, old) and _fits(shape, new))
        if mismatch or shape.kind == "scalar" or shape.atomic or (not _filled(old) and not _filled(new)):
            self._leaf(old, new, path)
            return
        if shape.kind == "list":
            self._lists(shape, old, new, path)
        else:
            self._maps(shape, old, new, path)
        if new is ABSENT:
            self.removed.append(path)

    def _add(self, path: Path, everything: dict[str, Any]) -> None:
        node = self.added
        for element in path:
            node = node.setdefault(element, {})
        node.update(everything)

    def _leaf(self, old: Any, new: Any, path: Path) -> None:
        if new is ABSENT:
            self.removed.append(path)
        elif old != new:
            self.modified.append(path)

    def _maps(self, kind: Type, old: Any, new: Any, path: Path) -> None:
        before, after = _or_empty(old, {}), _or_empty(new, {})
        for name in (*before, *(key for key in after if key not in before)):
            was, now = before.get(name, ABSENT), after.get(name, ABSENT)
            if was is not now and was != now:
                child = kind.fields.get(name) or kind.element or DEDUCED
                self.visit(child, was, now, (*path, field_element(name)))

    def _lists(self, kind: Type, old: Any, new: Any, path: Path) -> None:
        before = dict(_items(kind, _or_empty(old, ())))
        after = dict(_items(kind, _or_empty(new, ())))
        for element in (*before, *(key for key in after if key not in before)):
            self.visit(
                kind.element or DEDUCED,
                before.get(element, ABSENT),
                after.get(element, ABSENT),
                (*path, element),
            )


def _fits(kind: Type, value: Any) -> bool:
    """Tell whether a value may be what its type says; absent and null may be anything."""
    if value is ABSENT or value is None:
        return True
    return isinstance(value, {"map": Mapping, "list": list}.get(kind.kind, object))


def _filled(value: Any) -> bool:
    return value is not ABSENT and value not in (None, {}, [])


def _or_empty(value: Any, empty: Any) -> Any:
    return empty if value is ABSENT or value is None else value


def merge(kind: Type, base: Any, over: Any) -> Any:
    """Return `base` with what `over` says; lists with keys keep the order of both as far as possible."""
    if over is ABSENT:
        return base
    kind = _resolved(kind, over)
    if base is ABSENT or not _filled(base) or kind.kind == "scalar" or kind.atomic or over is None:
        return over
    if kind.kind == "list":
        return _merge_lists(kind, base, over) if isinstance(base, list) else over
    if not isinstance(base, Mapping):
        return over
    merged = dict(base)
    for name, child, inner in _children(kind, over):
        merged[name] = merge(child, base.get(name, ABSENT), inner)
    return merged


def _merge_lists(kind: Type, base: Sequence[Any], over: Sequence[Any]) -> list[Any]:
    left, right = _items(kind, base), _items(kind, over)
    before, after = dict(left), dict(right)
    merged: dict[str, Any] = {}

    def take(element: str) -> None:
        merged[element] = merge(kind.element or DEDUCED, before.get(element, ABSENT), after[element])

    waiting = [element for element, _ in right]  # of `over`, in its order
    for element, item in left:
        if element not in after:
            merged[element] = item
            continue
        if element == next((each for each in waiting if each in before), None):
            while element not in merged:
                take(waiting.pop(0))
    for element in waiting:
        take(element)
    return list(merged.values())


def remove(kind: Type, value: Any, fields: FieldSet) -> Any:
    """Return `value` without `fields`; what becomes empty is ABSENT."""
    kind = _resolved(kind, value)
    if not fields or kind.kind == "scalar" or kind.atomic or not _filled(value):
        return value
    if kind.kind == "list":
        kept = [
            remaining
            for element, item in _items(kind, value)
            if MEMBER not in fields.get(element, ())
            and (remaining := _below(kind.element or DEDUCED, item, fields.get(element))) is not ABSENT
        ]
        return kept or ABSENT
    left = {
        name: remaining
        for name, child, inner in _children(kind, value)
        if MEMBER not in fields.get(field_element(name), ())
        and (remaining := _below(child, inner, fields.get(field_element(name)))) is not ABSENT
    }
    return left or ABSENT


def _below(kind: Type, value: Any, fields: FieldSet | None) -> Any:
    return remove(kind, value, fields) if fields else value


def with_named(kind: Type, fields: FieldSet) -> FieldSet:
    """Return the set with every declared field that has something in the set below it."""
    result: dict[str, Any] = {}
    for element, child in fields.items():
        if element == MEMBER:
            result[element] = child
            continue
        name = element[2:]
        declared = element.startswith("f:") and name in kind.fields
        inner = kind.fields.get(name) if declared else kind.element
        below = with_named(inner or DEDUCED, child)
        result[element] = {**below, MEMBER: True} if declared else below
    return result
