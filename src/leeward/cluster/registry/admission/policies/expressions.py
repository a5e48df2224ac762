"""Expressions about a write: what they see, and whether match conditions hold.

Objects are seen in the version that a policy or webhook is asked about. An expression that names
``authorizer`` is compiled twice, with its types and to be evaluated.

Source: k8s.io/apiserver/pkg/admission/plugin/cel/{compile,composition}.go, webhook/matchconditions
(Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields, replace
from functools import cache, lru_cache
from typing import Any

from leeward.cluster.authorization.attributes import Attributes as Asked
from leeward.cluster.authorization.rbac import Rbac
from leeward.cluster.cel.authorizer import (
    CHECKS,
    VARIABLE,
    Answer,
    Question,
    authorizing,
    counting,
    values,
)
from leeward.cluster.cel.construction import compile_construction
from leeward.cluster.cel.expressions import (
    OUT_OF_BUDGET,
    CelEvaluationError,
    CelSyntaxError,
    Program,
    compile_expression,
)
from leeward.cluster.cel.types import Declarations
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.attributes import Attributes
from leeward.cluster.registry.admission.webhooks.review import question
from leeward.cluster.registry.admission.webhooks.rules import namespace_of
from leeward.kube.objects import Obj

_VARIABLES = ("object", "oldObject", "request", "params", "namespaceObject", "variables")
_DECLARED = Declarations(_VARIABLES, authorizer="plain")
_TYPED = Declarations(_VARIABLES, authorizer="typed")
_TOLD = Declarations(_VARIABLES)
_ABOUT_THE_OBJECT = ("uid", "object", "oldObject")
_VARIABLE = re.compile(r"\bvariables\.(\w+)")


class ExpressionError(Exception):
    """An expression has no value."""


class MatchError(ExpressionError):
    """It cannot be told whether match conditions hold."""


@lru_cache(maxsize=4096)
def program(expression: str) -> Program:
    """Return an expression over what is seen of a write.

    Raises:
        CelSyntaxError: it is none.
    """
    return _compiled(expression, compile_expression)


@lru_cache(maxsize=1024)
def message(expression: str) -> Program:
    """Return an expression that makes a message; it has no authorizer.

    Raises:
        CelSyntaxError: it is none.
    """
    return compile_expression(expression, _TOLD)


@lru_cache(maxsize=1024)
def construction(expression: str) -> Program:
    """Return an expression over the same that may construct objects and patches.

    Raises:
        CelSyntaxError: it is none.
    """
    return _compiled(expression, compile_construction)


def _compiled(expression: str, compiler: Callable[[str, Declarations], Program]) -> Program:
    if VARIABLE not in expression:
        return compiler(expression, _DECLARED)
    kind = compiler(expression, _TYPED).type
    return replace(compiler(expression, _DECLARED), type=kind)


def asking(rbac: Rbac) -> AbstractContextManager[None]:
    """Let expressions ask what users may do; an answer is good for one write."""

    @cache
    def authorize(question: Question) -> Answer:
        info = json.loads(question.user)
        user = User(
            info["username"], info.get("groups") or (), info.get("uid") or "", info.get("extra") or {}
        )
        if user.is_component:
            return Answer(allowed=True)
        about = {each.name: getattr(question, each.name) for each in fields(question)}
        about.update(user=user, version="" if question.path else "*")
        return Answer(*rbac.authorize(Asked(**about)))

    return authorizing(authorize)


def seen(write: Attributes, version: str, reader: Reader) -> dict[str, Any]:
    """Return what expressions see of a write: each variable by its name."""
    asked = question(write, version, "", ("v1",))
    assert asked is not None
    request: Obj = asked["request"]
    return {
        "object": request["object"],
        "oldObject": request["oldObject"],
        "request": {key: value for key, value in request.items() if key not in _ABOUT_THE_OBJECT},
        "namespaceObject": None if not write.namespace else namespace_of(write, reader),
        "params": None,
        "variables": {},
        **values(
            write.user.info(),
            {
                "group": write.resource.group,
                "resource": write.resource.plural,
                "subresource": write.subresource,
                "namespace": write.namespace,
                "name": write.name,
            },
        ),
    }


def evaluated(
    expression: str,
    variables: Mapping[str, Any],
    broken: Mapping[str, str],
    make: Callable[[str], Program] = program,
) -> Any:
    """Return the value of an expression.

    Args:
        expression: as written.
        variables: what it sees.
        broken: why variables of the policy have no value, by name.
        make: compiles it.

    Raises:
        ExpressionError: it has none.
    """
    try:
        with counting() as checks:
            value = make(expression).evaluate(variables)
    except CelSyntaxError as error:
        raise ExpressionError(f"compilation error: compilation failed: {error}") from error
    except CelEvaluationError as error:
        missed = next((name for name in _VARIABLE.findall(expression) if name in broken), None)
        if missed is not None:
            text = f'composited variable "{missed}" fails to evaluate: {broken[missed]}'
            raise ExpressionError(text) from error
        raise ExpressionError(str(error)) from error
    if checks[0] > CHECKS:
        raise ExpressionError(OUT_OF_BUDGET)
    return value


def compose(composed: Sequence[Obj], variables: dict[str, Any]) -> dict[str, str]:
    """Add the variables of a policy to what is seen, in order; returns why some have no value."""
    broken: dict[str, str] = {}
    values: dict[str, Any] = {}
    for each in composed:
        try:
            values[each["name"]] = evaluated(each["expression"], {**variables, "variables": values}, broken)
        except ExpressionError as error:
            broken[each["name"]] = str(error)
    variables["variables"] = values
    return broken


def conditions_hold(conditions: Sequence[Obj], variables: Mapping[str, Any]) -> bool:
    """Tell whether all match conditions hold; one that does not matters more than those without a value.

    Raises:
        MatchError: none is false, but one has no value.
    """
    troubles: list[str] = []
    for condition in conditions:
        try:
            if evaluated(condition["expression"], variables, {}) is not True:
                return False
        except ExpressionError as error:
            troubles.append(f"expression '{condition['expression']}' resulted in error: {error}")
    if troubles:
        raise MatchError(", ".join(troubles))
    return True
