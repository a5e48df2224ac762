"""Checks a tree against the schema and brings it into its long form.

What does not fit is reported with its line and dropped, so that one run reports everything. Required
keys are not checked here, because another file may still bring them: see :func:`check_required`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from leeward.compose.findings import Findings, ValuePath, did_you_mean
from leeward.compose.node import Node, Scalar, Tag, describe
from leeward.compose.scalars import parse_duration, parse_integer, parse_size, scalar_text
from leeward.compose.shapes import MalformedError, Many, PartlyMalformedError, Record, Shape, Table, Value

_NAME = re.compile(r"[a-zA-Z0-9._-]+\Z")
_TRUE = {"true", "yes", "y", "on", "1"}
_REQUIRING: dict[
    int, tuple[Shape, tuple[str, ...]]
] = {}  # by the id of the shape, which is a constant of the schema
_FALSE = {"false", "no", "n", "off", "0"}


_AS_IT_IS: dict[str, type] = {"string": str, "text": str, "integer": int, "boolean": bool}


class _UnfitError(Exception):
    """The scalar is not of the kind asked for; the text says what it must be."""


def conform(node: Node, shape: Shape, path: ValuePath, findings: Findings) -> Node | None:
    """Return `node` in long form, or None when nothing of it can be used.

    Args:
        node: a substituted tree.
        shape: what it should be.
        path: where it is.
        findings: takes what does not fit.
    """
    if node.tag is Tag.BROKEN:
        return None
    if node.tag is Tag.RESET:
        return node
    expanded = _expand(_unbroken(node), shape, path, findings)
    if expanded is None:
        return None
    if isinstance(shape, Value):
        return _value(expanded, shape, path, findings)
    if expanded.value is None:
        return expanded
    if isinstance(shape, Many):
        return _many(expanded, shape, path, findings)
    if not isinstance(expanded.value, dict):
        _wrong_type(expanded, "a mapping", path, findings)
        return None
    if isinstance(shape, Table):
        return _table(expanded, shape, path, findings)
    return _record(expanded, shape, path, findings)


def check_required(node: Node, shape: Shape, path: ValuePath, findings: Findings) -> None:
    """Report the required keys that the merged tree lacks."""
    if isinstance(shape, Many):
        for index, element in enumerate(node.elements()) if _requires(shape.item) else ():
            check_required(element, shape.item, (*path, index), findings)
    elif isinstance(shape, Table):
        for key, entry in node.items().items() if _requires(shape.item) else ():
            check_required(entry, shape.item, (*path, key), findings)
    elif isinstance(shape, Record) and isinstance(node.value, dict):
        _check_own_keys(node, shape, path, findings)
        for key in _requiring_keys(shape):
            if (found := node.value.get(key)) is not None:
                check_required(found, shape.keys[key], (*path, key), findings)


def _check_own_keys(node: Node, shape: Record, path: ValuePath, findings: Findings) -> None:
    for key in shape.required:
        present = node.get(key)
        if present is None or present.value is None:
            findings.error(
                "missing-key",
                f'"{key}" is required here.',
                path=path,
                at=node.location,
                remedy=f"Add {key}.",
                damages=True,
            )


def _requires(shape: Shape) -> bool:
    """Whether `shape`, or what it is made of, has required keys: most of a file needs no look."""
    if isinstance(shape, (Many, Table)):
        return _requires(shape.item)
    return isinstance(shape, Record) and bool(shape.required or _requiring_keys(shape))


def _requiring_keys(shape: Record) -> tuple[str, ...]:
    """Return the keys whose shapes have required keys."""
    known = _REQUIRING.get(id(shape))
    if known is None or known[0] is not shape:
        keys = tuple(key for key, inner in shape.keys.items() if _requires(inner))
        known = _REQUIRING[id(shape)] = (shape, keys)
    return known[1]


def _unbroken(node: Node) -> Node:
    """Return a list without the elements that were reported already."""
    if isinstance(node.value, list) and any(element.tag is Tag.BROKEN for element in node.value):
        return node.having([element for element in node.value if element.tag is not Tag.BROKEN])
    return node


def _expand(node: Node, shape: Shape, path: ValuePath, findings: Findings) -> Node | None:
    """Return the long form of what can be read, or None when nothing can."""
    if isinstance(shape, Value) or shape.expand is None:
        return node
    try:
        return shape.expand(node)
    except MalformedError as error:
        _malformed(error, node, path, findings)
        return None
    except PartlyMalformedError as error:
        for each in error.errors:
            _malformed(each, node, path, findings)
        return error.rest


def _malformed(error: MalformedError, node: Node, path: ValuePath, findings: Findings) -> None:
    findings.error(
        "invalid-value",
        error.message,
        path=path,
        at=error.location or node.location,
        remedy=error.remedy,
        damages=True,
    )


def _many(node: Node, shape: Many, path: ValuePath, findings: Findings) -> Node | None:
    if not isinstance(node.value, list):
        _wrong_type(node, "a list", path, findings)
        return None
    elements = []
    for index, element in enumerate(node.value):
        if element.tag is Tag.RESET:
            findings.error(
                "unsupported-reset",
                "A single element of a list cannot be reset.",
                path=(*path, index),
                at=element.location,
                remedy="Put !override on the list and write the elements that remain.",
            )
            continue
        if element.value is None:
            _wrong_type(element, "a value", (*path, index), findings)
            continue
        fit = conform(element, shape.item, (*path, index), findings)
        if fit is not None:
            elements.append(fit)
    return node.having(elements)


def _table(node: Node, shape: Table, path: ValuePath, findings: Findings) -> Node:
    entries: dict[str, Node] = {}
    for key, entry in node.items().items():
        if shape.names and not _NAME.match(key):
            findings.error(
                "invalid-name",
                f'"{key}" is not a valid name.',
                path=(*path, key),
                at=entry.location,
                remedy='Use letters, digits, ".", "_" and "-".',
            )
        elif _fits(entry, shape.item):
            entries[key] = entry
        elif entry.value is None and entry.tag is Tag.NONE and not shape.blank:
            _wrong_type(entry, "a value", (*path, key), findings)
        elif (fit := conform(entry, shape.item, (*path, key), findings)) is not None:
            entries[key] = fit
    return _changed(node, entries)


def _record(node: Node, shape: Record, path: ValuePath, findings: Findings) -> Node:
    entries: dict[str, Node] = {}
    keys = shape.keys
    for key, entry in node.items().items():
        if key in keys:
            if _fits(entry, keys[key]):
                entries[key] = entry
            elif (fit := conform(entry, keys[key], (*path, key), findings)) is not None:
                entries[key] = fit
        elif key.startswith("x-"):
            entries[key] = entry
        else:
            findings.error(
                "unknown-key",
                f'"{key}" is not a key of Compose here.',
                path=(*path, key),
                at=entry.location,
                remedy=shape.retired.get(key)
                or _right_place(key, entry, shape, path)
                or did_you_mean(key, shape.keys)
                or f'Remove it, or rename it "x-{key}" when it is your own.',
            )
    return _changed(node, entries)


def _right_place(key: str, entry: Node, shape: Record, path: ValuePath) -> str:
    """Return where a key that does not belong here does; "" when that is not clear."""
    if not path:
        services = shape.keys.get("services")
        if isinstance(services, Table) and isinstance(services.item, Record):
            if isinstance(entry.value, dict) and {"image", "build"} & entry.value.keys():
                return 'Put it under "services".'
            return "Write it inside a service." if key in services.item.keys else ""
    homes = [name for name, inner in shape.keys.items() if isinstance(inner, Record) and key in inner.keys]
    return f'Write it under "{homes[0]}".' if len(homes) == 1 else ""


def _fits(node: Node, shape: Shape) -> bool:
    """Tell, for most scalars of a file, that there is nothing to say about them."""
    return (
        shape.__class__ is Value
        and node.value.__class__ is _AS_IT_IS.get(shape.kind)
        and node.tag is Tag.NONE
        and not shape.choices
    )


def _changed(node: Node, entries: dict[str, Node]) -> Node:
    """Return `node` itself when it has just `entries`: what is in long form already is not copied."""
    own = node.items()
    if len(own) == len(entries) and all(own[key] is entries[key] for key in entries):
        return node
    return node.having(entries)


def _value(node: Node, shape: Value, path: ValuePath, findings: Findings) -> Node | None:
    value = node.value
    if shape.kind == "any" or value is None:
        return node
    if isinstance(value, (dict, list)):
        _wrong_type(node, _KINDS[shape.kind][0], path, findings)
        return None
    try:
        fit = _KINDS[shape.kind][1](value)
    except _UnfitError:
        _wrong_type(node, _KINDS[shape.kind][0], path, findings)
        return None
    if shape.choices and fit not in shape.choices:
        findings.error(
            "invalid-value",
            f"It must be one of {', '.join(shape.choices)}, but it is {describe(node)}.",
            path=path,
            at=node.location,
            remedy=did_you_mean(str(fit), shape.choices) or "Use one of these.",
            damages=True,
        )
        return None
    return node if fit is value else node.having(fit)


def _wrong_type(node: Node, wanted: str, path: ValuePath, findings: Findings) -> None:
    subject = "It" if path else "A Compose file"
    message = f"{subject} must be {wanted}, but it is {describe(node)}."
    remedy = _hint(node, wanted)
    findings.error("wrong-type", message, path=path, at=node.location, remedy=remedy, damages=True)


def _hint(node: Node, wanted: str) -> str:
    if isinstance(node.value, (bool, int, float)) and wanted.startswith("a string"):
        return f'Put it in quotes: "{scalar_text(node.value)}".'
    if isinstance(node.value, (int, float)) and wanted.startswith("a duration"):
        return f'Add a unit, such as "{scalar_text(node.value)}s".'
    if wanted == "a list" and isinstance(node.value, (str, bool, int, float)):
        return f'Write a list: ["{scalar_text(node.value)}"].'
    if wanted == "a list":
        return 'Start every element with "- ".'
    if wanted == "a mapping":
        return 'Write "key: value" lines, indented below it.'
    return f"Write {wanted}."


def _string(value: str | int | float | bool) -> Scalar:
    if isinstance(value, str):
        return value
    raise _UnfitError


def _integer(value: str | int | float | bool) -> Scalar:
    if isinstance(value, bool):
        raise _UnfitError
    if isinstance(value, int):
        return value
    try:
        if isinstance(value, float):
            if value.is_integer():
                return int(value)
            raise _UnfitError
        return int(value.strip())
    except ValueError:
        raise _UnfitError from None


def _number(value: str | int | float | bool) -> Scalar:
    if isinstance(value, bool):
        raise _UnfitError
    try:
        return float(value)
    except ValueError:
        raise _UnfitError from None


def _boolean(value: str | int | float | bool) -> Scalar:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise _UnfitError


def _duration(value: str | int | float | bool) -> Scalar:
    seconds = parse_duration(value.strip()) if isinstance(value, str) else None
    if seconds is None and value == 0 and not isinstance(value, bool):
        return 0.0
    if seconds is None:
        raise _UnfitError
    return seconds


def _size(value: str | int | float | bool) -> Scalar:
    if isinstance(value, (bool, float)):
        raise _UnfitError
    size = value if isinstance(value, int) else parse_size(value)
    if size is None:
        raise _UnfitError
    return size


def _mode(value: str | int | float | bool) -> Scalar:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise _UnfitError
    try:
        return parse_integer(value if value.startswith("0") else f"0{value}")
    except ValueError:
        raise _UnfitError from None


_KINDS: dict[str, tuple[str, Callable[[str | int | float | bool], Scalar]]] = {
    "string": ("a string", _string),
    "text": ("a string or a number", scalar_text),
    "integer": ("a whole number", _integer),
    "number": ("a number", _number),
    "boolean": ("true or false", _boolean),
    "duration": ('a duration such as "1m30s"', _duration),
    "size": ('a size such as "512m"', _size),
    "mode": ('a file mode such as "0440"', _mode),
}
