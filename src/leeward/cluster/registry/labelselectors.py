"""Label selectors as text, as tokens and then as requirements.

Invariant: pure; what cannot be read is refused in the words of Kubernetes, which clients show.

Source: ``k8s.io/apimachinery/pkg/labels/selector.go`` (Lexer, Parser, NewRequirement; 1.36).
"""

from __future__ import annotations

import re
from typing import Any

from leeward.cluster.registry.validation.formats import label_failures
from leeward.kube.status import BadRequestError

_TOKEN = re.compile(r"\s*(==|!=|[!=(),<>]|[^\s!=(),<>]+)")
_SPECIAL = frozenset(("==", "!=", "!", "=", "(", ")", ",", "<", ">"))
_OPERATORS = {"=": "In", "==": "In", "!=": "NotIn", "in": "In", "notin": "NotIn", ">": "Gt", "<": "Lt"}
_BINARY = "in, notin, =, ==, !=, gt, lt"

Requirement = dict[str, Any]


class _UnreadableError(Exception):
    """What a requirement says cannot be read."""


def parse_label_selector(text: str) -> list[Requirement]:
    """Return the requirements ``{key, operator, values}`` of a selector such as ``a=b,c in (d,e),!f``.

    Raises:
        BadRequestError: it cannot be parsed.
    """
    parser = _Parser(text)
    requirements: list[Requirement] = []
    while parser.next:
        if parser.next != "!" and parser.next in _SPECIAL:
            raise BadRequestError(f"found '{parser.next}', expected: !, identifier, or 'end of string'")
        try:
            requirements.append(parser.requirement())
        except _UnreadableError as error:
            raise BadRequestError(f"unable to parse requirement: {error}") from None
        found = parser.take()
        if found == "":
            break
        if found != ",":
            raise BadRequestError(f"found '{found}', expected: ',' or 'end of string'")
        if parser.next != "!" and not parser.at_identifier:
            raise BadRequestError(f"found '{parser.next}', expected: identifier after ','")
    return requirements


class _Parser:
    """Reads one requirement after the other; "" is the end."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._position = 0

    @property
    def next(self) -> str:
        """The token to come."""
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    @property
    def at_identifier(self) -> bool:
        return bool(self.next) and self.next not in _SPECIAL

    def take(self) -> str:
        """Return the token to come and go on."""
        found = self.next
        self._position += 1
        return found

    def requirement(self) -> Requirement:
        """Read one requirement."""
        absent = self.next == "!"
        if absent:
            self.take()
        if not self.at_identifier:
            raise _UnreadableError(f"found '{self.next}', expected: identifier")
        key = self.take()
        _check({key: ""}, "key")
        if absent or self.next in ("", ","):
            return {"key": key, "operator": "DoesNotExist" if absent else "Exists"}
        word = self.take()
        if word not in _OPERATORS:
            raise _UnreadableError(f"found '{word}', expected: {_BINARY}")
        values = self._set() if word in ("in", "notin") else [self._exact()]
        operator = _OPERATORS[word]
        _check_values(key, operator, values)
        return {"key": key, "operator": operator, "values": values}

    def _exact(self) -> str:
        if self.next in ("", ","):
            return ""
        if not self.at_identifier:
            raise _UnreadableError(f"found '{self.next}', expected: identifier")
        return self.take()

    def _set(self) -> list[str]:
        if self.next != "(":
            raise _UnreadableError(f"found '{self.next}' expected: '('")
        self.take()
        if self.next == ")":
            self.take()
            return []
        if self.next != "," and not self.at_identifier:
            raise _UnreadableError(f"found '{self.next}', expected: ',', ')' or identifier")
        values = {self._member()}
        while self.next == ",":
            self.take()
            values.add(self._member())
        if self.next != ")":
            raise _UnreadableError(f"found '{self.next}', expected: ',' or ')'")
        self.take()
        return sorted(values)

    def _member(self) -> str:
        return self.take() if self.at_identifier else ""


def _check(labels: dict[str, str], field: str) -> None:
    for failure in label_failures(labels, field):
        raise _UnreadableError(f"{field}: {failure.message}")


def _check_values(key: str, operator: str, values: list[str]) -> None:
    if not values:
        text = "for 'in', 'notin' operators, values set can't be empty"
        raise _UnreadableError(f"values: Invalid value: []: {text}")
    if operator in ("Gt", "Lt") and not re.fullmatch(r"[+-]?\d+", values[0]):
        text = "for 'Gt', 'Lt' operators, the value must be an integer"
        raise _UnreadableError(f'values[0]: Invalid value: "{values[0]}": {text}')
    for index, value in enumerate(values):
        _check({"k": value}, f"values[{index}][{key}]")
