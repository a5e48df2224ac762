"""Variables in values: ``$X ${X} ${X:-d} ${X-d} ${X:?e} ${X?e} ${X:+v} ${X+v}``, nested, and ``$$``.

Values are substituted, keys never. A variable that is not set and has no default becomes the empty
string with one warning a variable, as Docker does. Substitution happens once: what a variable contains
is not looked at again.

Source: Compose Specification, "Interpolation".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node, Tag

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+]")
_MAX_DEPTH = 50
_COLLECTIONS = frozenset((dict, list))
MISSING_CODE = "missing-variable"  # of the diagnostic
_MISSING = re.compile(r"The required variable (\w+) is ")

Lookup = Callable[[str], str | None]


class TemplateError(ValueError):
    """A value that cannot be substituted.

    Args:
        code: of the diagnostic: "invalid-interpolation" or "missing-variable".
        message: one sentence.
        remedy: one sentence.
    """

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy


def substitute(text: str, lookup: Lookup, unset: Callable[[str], object] = lambda name: None) -> str:
    """Return `text` with its variables replaced.

    Args:
        text: any string.
        lookup: value of a variable, None when it is not set.
        unset: called with the name of each variable replaced by "" because it is not set.

    Raises:
        TemplateError: bad syntax, or a required variable is missing.
    """
    return _substitute(text, lookup, unset, 0)


def _substitute(text: str, lookup: Lookup, unset: Callable[[str], object], depth: int) -> str:
    if "$" not in text:
        return text
    if depth > _MAX_DEPTH:
        raise _invalid(text)
    parts: list[str] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        parts.append(text[position:dollar])
        following = text[dollar + 1 : dollar + 2]
        if following == "$":
            parts.append("$")
            position = dollar + 2
        elif following == "{":
            end = _closing_brace(text, dollar + 2)
            parts.append(_braced(text[dollar + 2 : end], text, lookup, unset, depth))
            position = end + 1
        elif (name := _NAME.match(text, dollar + 1)) is not None:
            parts.append(_value(name[0], lookup, unset))
            position = name.end()
        else:
            parts.append("$")  # a lone dollar means itself
            position = dollar + 1
    parts.append(text[position:])
    return "".join(parts)


class Reference(NamedTuple):
    """One use of a variable in a text: ``text[start:end]``."""

    start: int
    end: int
    name: str
    operator: str = ""  # such as ":-"
    word: str = ""  # what follows the operator


def references(text: str) -> list[Reference]:
    """Return the uses of variables in `text`, in order, without those inside of their words.

    Raises:
        TemplateError: bad syntax.
    """
    found: list[Reference] = []
    position = 0
    while (dollar := text.find("$", position)) >= 0:
        following = text[dollar + 1 : dollar + 2]
        name = _NAME.match(text, dollar + 1)
        if following == "{":
            position = _closing_brace(text, dollar + 2) + 1
            found.append(_reference(text, dollar, position))
        elif name is not None:
            position = name.end()
            found.append(Reference(dollar, position, name[0]))
        else:
            position = dollar + (2 if following == "$" else 1)
    return found


def _reference(text: str, start: int, end: int) -> Reference:
    inside = text[start + 2 : end - 1]
    name = _NAME.match(inside)
    operator = _OPERATOR.match(inside, name.end()) if name is not None else None
    if name is None or (operator is None and name.end() < len(inside)):
        raise _invalid(text)
    if operator is None:
        return Reference(start, end, name[0])
    return Reference(start, end, name[0], operator[0], inside[operator.end() :])


def _closing_brace(text: str, start: int) -> int:
    depth, position = 1, start
    while position < len(text):
        if text.startswith("${", position):
            depth += 1
            position += 1
        elif text[position] == "}":
            depth -= 1
            if depth == 0:
                return position
        position += 1
    raise _invalid(text)


def _braced(inside: str, text: str, lookup: Lookup, unset: Callable[[str], object], depth: int) -> str:
    name = _NAME.match(inside)
    if name is None:
        raise _invalid(text)
    if name.end() == len(inside):
        return _value(name[0], lookup, unset)
    operator = _OPERATOR.match(inside, name.end())
    if operator is None:
        raise _invalid(text)
    word = inside[operator.end() :]
    value = lookup(name[0])
    present = value is not None and (value != "" or operator[0][0] != ":")
    kind = operator[0][-1]
    if kind == "+":
        return _substitute(word, lookup, unset, depth + 1) if present else ""
    if present:
        return value or ""
    if kind == "-":
        return _substitute(word, lookup, unset, depth + 1)
    reason = _substitute(word, lookup, unset, depth + 1)
    raise TemplateError(
        MISSING_CODE,
        f"The required variable {name[0]} is {'empty' if value == '' else 'not set'}"
        + (f": {reason}" if reason else "")
        + ".",
        f"Set {name[0]} in the environment, in .env or in a file given with --env-file.",
    )


def missing_name(message: str) -> str:
    """Return the variable that a diagnostic with :data:`MISSING_CODE` is about."""
    match = _MISSING.match(message)
    return match[1] if match else ""


def _value(name: str, lookup: Lookup, unset: Callable[[str], object]) -> str:
    value = lookup(name)
    if value is None:
        unset(name)
        return ""
    return value


def _invalid(text: str) -> TemplateError:
    shown = text if len(text) <= 60 else text[:57] + "..."
    return TemplateError(
        "invalid-interpolation",
        f'"{shown}" is not a valid use of a variable.',
        'Write ${NAME} or ${NAME:-default}, or "$$" for a dollar sign.',
    )


class Interpolator:
    """Substitutes the variables of whole trees.

    Args:
        environment: what variables may be.
        findings: takes errors, and one warning for each variable that is not set.
    """

    def __init__(self, environment: Mapping[str, str], findings: Findings) -> None:
        self._environment = environment
        self._findings = findings
        self._warned: set[str] = set()

    def apply(self, node: Node, path: ValuePath = ()) -> Node:
        """Return `node` with every string value substituted; broken ones are tagged BROKEN."""
        value = node.value
        if isinstance(value, str):
            return self._string(node, value, path) if "$" in value else node
        if isinstance(value, dict):
            entries = {
                key: self.apply(entry, (*path, key))
                for key, entry in value.items()
                if (inner := entry.value).__class__ in _COLLECTIONS
                or (inner.__class__ is str and "$" in inner)
            }
            if all(entries[key] is value[key] for key in entries):
                return node  # most of a file mentions no variable
            return node.having({**value, **entries})
        if isinstance(value, list):
            elements = [self.apply(entry, (*path, index)) for index, entry in enumerate(value)]
            same = all(new is old for new, old in zip(elements, value, strict=True))
            return node if same else node.having(elements)
        return node

    def _string(self, node: Node, text: str, path: ValuePath) -> Node:
        def warn(name: str) -> None:
            if name not in self._warned:
                self._warned.add(name)
                self._findings.warning(
                    "unset-variable",
                    f"The variable {name} is not set; an empty string is used.",
                    path=path,
                    at=node.location,
                    remedy=f"Set it, or write ${{{name}:-default}}.",
                )

        try:
            return node.having(substitute(text, self._environment.get, warn))
        except TemplateError as error:
            self._findings.error(
                error.code,
                error.message,
                path=path,
                at=node.location,
                remedy=error.remedy,
                damages=True,
            )
            return Node(None, node.location, Tag.BROKEN)
