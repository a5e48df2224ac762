"""Compiling and evaluating expressions of the Common Expression Language.

The language itself is Google's implementation (`cel-expr-python`), whose parser and type checker tell errors
in the words that Kubernetes users see. What it says while it evaluates is put into upstream's words here.

Invariant: the library is loaded with the first expression; clusters without any do not pay for it.

Source: k8s.io/apiserver/pkg/cel/environment, github.com/google/cel-go/common/types/err.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from leeward.cluster.cel.syntax import Tree, tree_of

if TYPE_CHECKING:
    from cel_expr_python import cel

    from leeward.cluster.cel.types import Declarations

OUT_OF_BUDGET = "operation cancelled: actual cost limit exceeded"

_MESSAGE_LIMIT = 5120  # bytes
_NOT_IN_STRUCT = re.compile(r"(undefined field '[^']*') not found in struct '[^']*'")
_TYPE_NAME = re.compile(r"[A-Za-z_]\w*")
_STATUS = re.compile(r"^(?:[A-Z_]+: )?(?P<text>.*?)(?: \[[A-Z_]+\])?$", re.DOTALL)
_WORDS = (
    (re.compile(r'Key not found in map : "?(?P<key>.*?)"?$'), r"no such key: \g<key>"),
    (re.compile(r"No matching overloads found.*", re.DOTALL), "no such overload"),
    (re.compile(r"Applying SELECT to non-message type"), "no such overload"),
    (re.compile(r"Index error: index=(-?\d+) size=\d+"), r"index out of bounds: \1"),
    (re.compile(r"divide by zero"), "division by zero"),
    (re.compile(r"Iteration budget exceeded"), OUT_OF_BUDGET),
    (re.compile(r"(integer|unsigned integer) overflow"), r"\1 overflow"),
)


class CelSyntaxError(Exception):
    """An expression that cannot be compiled: ``ERROR: <input>:1:5: …`` with the line and a mark under it."""


class CelEvaluationError(Exception):
    """An expression that has no value for what it was given: "no such key: data"."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression.

    Attributes:
        source: as written.
        type: of its value: ``bool``, ``string``, ``dyn``, ``list(int)``, ``Object``, ….
    """

    source: str
    type: str
    _expression: cel.Expression

    def tree(self) -> Tree:
        """Return the expression as a CheckedExpr."""
        return tree_of(self._expression)

    @property
    def returns(self) -> str:
        """The type without what it is made of: ``list`` of a list."""
        return self.type.partition("(")[0]

    def evaluate(self, variables: Mapping[str, Any]) -> Any:
        """Return the value for `variables`: JSON-like, times as `datetime` and `timedelta`.

        Raises:
            CelEvaluationError: there is none.
        """
        try:
            value = self._expression.eval(data=dict(variables))
        except (RuntimeError, TypeError, ValueError) as error:
            raise CelEvaluationError(_in_upstream_words(str(error))) from error
        if value.type().name() == "ERROR":
            raise CelEvaluationError(_in_upstream_words(str(value.value())))
        return value.plain_value()


def _in_upstream_words(text: str) -> str:
    found = _STATUS.match(text)
    plain = found["text"] if found else text
    for pattern, words in _WORDS:
        if pattern.match(plain):
            return pattern.sub(words, plain)
    return plain


def as_message(value: Any) -> str:
    """Return what a message expression made, if it can be told: one line that is not too long; else ""."""
    text = value.strip() if isinstance(value, str) else ""
    return "" if "\n" in text or len(text.encode()) > _MESSAGE_LIMIT else text


def compile_expression(source: str, declared: Declarations) -> Program:
    """Compile an expression over `declared` variables.

    Raises:
        CelSyntaxError: it is not an expression, or its types do not fit.
    """
    expression = compiled(environment_of(declared), source)
    return Program(source, type_text(expression), expression)


def compiled(
    environment: cel.Env, source: str, names: Mapping[str, str] | None = None, *, check: bool = True
) -> cel.Expression:
    """Compile an expression in an environment.

    Args:
        environment: what is declared.
        source: as written.
        names: what identifiers are called in messages, where that is not what they are.
        check: whether types have to fit.

    Raises:
        CelSyntaxError: it is not an expression, or its types do not fit.
    """
    try:
        return environment.compile(source, disable_check=not check)
    except (RuntimeError, ValueError) as error:
        found = _STATUS.match(str(error))
        text = _NOT_IN_STRUCT.sub(r"\1", found["text"] if found else str(error))
        raise CelSyntaxError(_called(text, names or {})) from error


def type_text(expression: cel.Expression, names: Mapping[str, str] | None = None) -> str:
    """Return the type of an expression in upstream's words: "bool", "list(dyn)"."""
    text = expression.return_type().name()
    text = _TYPE_NAME.sub(lambda found: found[0].lower() if found[0].isupper() else found[0], text)
    return _called(text, names or {}).replace("<", "(").replace(">", ")")


def _called(text: str, names: Mapping[str, str]) -> str:
    return _TYPE_NAME.sub(lambda found: names.get(found[0], found[0]), text) if names else text


@lru_cache(maxsize=256)
def environment_of(declared: Declarations) -> cel.Env:
    """Return the environment of `declared`, made once."""
    return declared.environment()
