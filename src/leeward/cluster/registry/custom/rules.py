"""The rules that a structural schema has in ``x-kubernetes-validations``, asked of objects.

A rule that speaks of ``oldSelf`` is asked only where there is an old value, unless it takes an optional one;
the members of sets and of atomic lists have none. What did not change may go on breaking the other rules.

Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/{compilation,validation}.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leeward.cluster.cel.expressions import (
    OUT_OF_BUDGET,
    CelEvaluationError,
    Program,
    as_message,
    compile_expression,
)
from leeward.cluster.cel.types import Declarations
from leeward.cluster.cel.values import converter
from leeward.cluster.registry.custom.structure import Schema
from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    invalid_without_value,
    required,
)

RULES = "x-kubernetes-validations"
SELF = Declarations(("self", "oldSelf"))
_WORD = re.compile(r"""\"(?:\\.|[^"\\])*\"|'(?:\\.|[^'\\])*'|(?<![\w.])(?P<old>oldSelf)\b""")

_INVALID = "FieldValueInvalid"


def _refused(path: str, value: Any, detail: str) -> Failure:
    """The value is not acceptable; lists and objects are too large to show."""
    large = isinstance(value, list | dict)
    return invalid_without_value(path, detail) if large else invalid(path, value, detail)


def names_old(expression: str) -> bool:
    """Tell whether an expression has the variable ``oldSelf``; in a string it is only a word."""
    return any(found["old"] for found in _WORD.finditer(expression))


def _optional(expression: str) -> str:
    """Return an expression in which ``oldSelf`` is optional."""
    return _WORD.sub(lambda found: "oldSelf.?v" if found["old"] else found[0], expression)


@dataclass(frozen=True)
class Rule:
    """One rule of one place in a schema."""

    given: Mapping[str, Any]

    @property
    def optional(self) -> bool:
        """Whether it is asked of values without an old one too."""
        return bool(self.given.get("optionalOldSelf"))

    @cached_property
    def of_transition(self) -> bool:
        """Whether it compares with the old value."""
        texts = (self.given["rule"], self.given.get("messageExpression") or "")
        return any(names_old(text) for text in texts)

    @cached_property
    def program(self) -> Program:
        """The rule, compiled."""
        return self._compiled(self.given["rule"])

    def _compiled(self, text: str) -> Program:
        return compile_expression(_optional(text) if self.optional else text, SELF)

    @cached_property
    def told(self) -> str:
        """What is said where the rule is broken."""
        message: str = (self.given.get("message") or "").strip()
        return message or f"failed rule: {self.given['rule'].strip()}"

    @cached_property
    def _message_program(self) -> Program | None:
        text = self.given.get("messageExpression")
        return self._compiled(text) if text else None

    def failure(self, variables: Mapping[str, Any], value: Any, path: str) -> Failure | None:
        """Return how a value breaks the rule, which sees it as `variables`; None: it does not."""
        try:
            if self.program.evaluate(variables) is True:
                return None
        except CelEvaluationError as error:
            return _refused(path, value, self._trouble(str(error)))
        reason = self.given.get("reason") or _INVALID
        where = f"{path}{self.given.get('fieldPath') or ''}".removeprefix(".")
        words = self._words(variables)
        if reason == "FieldValueDuplicate":
            return duplicate(where, value, words)
        known = {"FieldValueForbidden": forbidden, "FieldValueRequired": required}.get(reason)
        return known(where, words) if known is not None else _refused(where, value, words)

    def _trouble(self, error: str) -> str:
        name = (self.given.get("message") or self.given["rule"]).strip()
        if error.startswith("no such overload"):
            text = "call arguments did not match a supported operator, function or macro signature for rule"
            return f"'{error}': {text}: {name}"
        if error == OUT_OF_BUDGET:
            text = "no further validation rules will be run due to call cost exceeds limit for rule"
            return f"'{error}': {text}: {name}"
        return f"{error} evaluating rule: {name}"

    def _words(self, variables: Mapping[str, Any]) -> str:
        if self._message_program is None:
            return self.told
        try:
            made = self._message_program.evaluate(variables)
        except CelEvaluationError:
            return self.told
        return as_message(made) or self.told


@dataclass(frozen=True)
class Ruled:
    """A place in a schema with rules there or below."""

    rules: tuple[Rule, ...]
    properties: Mapping[str, Ruled]
    extra: Ruled | None
    items: Ruled | None
    keys: tuple[str, ...]  # by which members of a list are the same ones
    convert: Callable[[Any], Any] | None

    def failures(self, value: Any, old: Any, path: str) -> Iterator[Failure]:
        """Return what breaks a rule; `old` is None where there is nothing to compare with."""
        if value is None:
            return
        yield from self._own(value, old, path)
        for inner, each, was, where in self._below(value, old, path):
            yield from inner.failures(each, was, where)

    def _own(self, value: Any, old: Any, path: str) -> Iterator[Failure]:
        if not self.rules:
            return
        seen, seen_old = (each if self.convert is None else self.convert(each) for each in (value, old))
        for rule in self.rules:
            if rule.of_transition and old is None and not rule.optional:
                continue
            if not rule.of_transition and old is not None and old == value:
                continue
            variables = {"self": seen}
            if rule.optional:
                variables["oldSelf"] = {} if old is None else {"v": seen_old}
            elif rule.of_transition:
                variables["oldSelf"] = seen_old
            failure = rule.failure(variables, value, path)
            if failure is not None:
                yield failure

    def _below(self, value: Any, old: Any, path: str) -> Iterable[tuple[Ruled, Any, Any, str]]:
        if isinstance(value, list) and self.items is not None:
            known = self._by_keys(old)
            for index, each in enumerate(value):
                yield self.items, each, known.get(self._key(each)), f"{path}[{index}]"
        elif isinstance(value, dict):
            was = old if isinstance(old, dict) else {}
            for name, each in value.items():
                inner = self.properties.get(name)
                if inner is not None:
                    yield inner, each, was.get(name), f"{path}.{name}" if path else name
                elif self.extra is not None:
                    yield self.extra, each, was.get(name), f"{path}[{name}]"

    def _by_keys(self, old: Any) -> dict[Any, Any]:
        if not self.keys or not isinstance(old, list):
            return {}
        return {self._key(each): each for each in old}

    def _key(self, member: Any) -> tuple[str, ...] | None:
        if not self.keys or not isinstance(member, dict):
            return None
        return tuple(repr(member.get(key)) for key in self.keys)


def ruled(schema: Schema) -> Ruled | None:
    """Return the rules of a schema; None: it has none."""
    rules = tuple(Rule(each) for each in schema.get(RULES) or ())
    properties = {
        name: found
        for name, each in (schema.get("properties") or {}).items()
        if (found := ruled(each)) is not None
    }
    extra, items = schema.get("additionalProperties"), schema.get("items")
    of_extra = ruled(extra) if isinstance(extra, Mapping) else None
    of_items = ruled(items) if isinstance(items, Mapping) else None
    if not (rules or properties or of_extra or of_items):
        return None
    keyed = schema.get("x-kubernetes-list-type") == "map"
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if keyed else ()
    return Ruled(rules, properties, of_extra, of_items, keys, converter(schema) if rules else None)
