"""The variable ``authorizer``: expressions ask what a user may do.

To the type checker its values have types of their own; an expression that passes is evaluated on maps, which
say under "kind" what they are. Who decides is set around an evaluation, by `authorizing`.

Source: k8s.io/apiserver/pkg/cel/library/{authz,cost}.go (Kubernetes 1.36).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cel_expr_python import cel
    from google.protobuf.descriptor_pool import DescriptorPool

Value = Mapping[str, Any]

VARIABLE, OF_REQUEST = "authorizer", "authorizer.requestResource"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May a user do this? About a resource, or a path that is none."""

    user: str  # UserInfo as JSON
    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""


class Answer(NamedTuple):
    """What an authorizer says."""

    allowed: bool
    reason: str = ""
    error: str = ""


Authorize = Callable[[Question], Answer]
CHECKS = 2  # that one evaluation can afford: each costs 350,000 units of the 1,000,000 that it has
_AUTHORIZE: ContextVar[Authorize] = ContextVar("authorize")
_COUNT: ContextVar[list[int]] = ContextVar("count")


@contextmanager
def authorizing(authorize: Authorize) -> Iterator[None]:
    """Let `authorize` answer expressions that are evaluated meanwhile."""
    token = _AUTHORIZE.set(authorize)
    try:
        yield
    finally:
        _AUTHORIZE.reset(token)


@contextmanager
def counting() -> Iterator[list[int]]:
    """Count the checks of an evaluation; yields a list whose only element is how many there were."""
    count = [0]
    token = _COUNT.set(count)
    try:
        yield count
    finally:
        _COUNT.reset(token)


def values(user: Mapping[str, Any], request: Mapping[str, str]) -> dict[str, Value]:
    """Return the variables of an expression.

    Args:
        user: who makes a request, as UserInfo.
        request: group, resource, subresource, namespace and name of it.
    """
    shown = json.dumps(user)
    return {
        VARIABLE: {"kind": "Authorizer", "user": shown},
        OF_REQUEST: {"kind": "ResourceCheck", "user": shown, **request},
    }


def _named(value: str, what: str) -> str:
    if not value.strip():
        raise ValueError(f"{what} must not be empty")
    return value


def _service_account(asked: Value, namespace: str, name: str) -> Value:
    if _SUBDOMAIN.fullmatch(name) is None:
        raise ValueError("Invalid service account name")
    if _LABEL.fullmatch(namespace) is None:
        raise ValueError("Invalid service account namespace")
    user = {
        "username": f"system:serviceaccount:{namespace}:{name}",
        "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
    }
    return {"kind": "Authorizer", "user": json.dumps(user)}


def _with(kind: str, field: str, *, required: bool = False) -> Callable[[Value, str], Value]:
    def call(asked: Value, value: str) -> Value:
        return {**asked, "kind": kind, field: _named(value, field) if required else value}

    return call


def _check(asked: Value, verb: str) -> Value:
    known = {key: value for key, value in asked.items() if key not in ("kind", "selector")}
    _COUNT.get([0])[0] += 1
    answer = _AUTHORIZE.get()(Question(verb=verb, **known))
    return {"kind": "Decision", **answer._asdict()}


def _of(kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that only takes values of a kind."""

    def checked(asked: Value, *rest: Any) -> Any:
        if asked.get("kind") != kind:
            raise ValueError("no such overload")
        return call(dict(asked), *rest)

    return checked


_PACKAGE = "kubernetes.authorization"
_AUTHORIZER, _PATH, _GROUP, _RESOURCE, _DECISION = (
    "Authorizer", "PathCheck", "GroupCheck", "ResourceCheck", "Decision"
)  # fmt: skip
# Function, receiver, number of texts that it takes, result, implementation.
_FUNCTIONS: tuple[tuple[str, str, int, str, Callable[..., Any]], ...] = (
    ("path", _AUTHORIZER, 1, _PATH, _with(_PATH, "path", required=True)),
    ("group", _AUTHORIZER, 1, _GROUP, _with(_GROUP, "group")),
    ("serviceAccount", _AUTHORIZER, 2, _AUTHORIZER, _service_account),
    ("resource", _GROUP, 1, _RESOURCE, _with(_RESOURCE, "resource", required=True)),
    *(
        (name, _RESOURCE, 1, _RESOURCE, _with(_RESOURCE, name))
        for name in ("subresource", "namespace", "name")
    ),
    # Roles know no selectors: they do not matter to the answer.
    *(
        (name, _RESOURCE, 1, _RESOURCE, _with(_RESOURCE, "selector"))
        for name in ("fieldSelector", "labelSelector")
    ),
    ("check", _PATH, 1, _DECISION, _check),
    ("check", _RESOURCE, 1, _DECISION, _check),
    ("allowed", _DECISION, 0, "bool", lambda asked: asked["allowed"]),
    ("reason", _DECISION, 0, "string", lambda asked: asked["reason"]),
    ("error", _DECISION, 0, "string", lambda asked: asked["error"]),
    ("errored", _DECISION, 0, "bool", lambda asked: bool(asked["error"])),
)


def add_types(pool: DescriptorPool) -> None:
    """Declare the types of values, which have no fields."""
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="authorization.proto", package=_PACKAGE, syntax="proto3")
    for name in (_AUTHORIZER, _PATH, _GROUP, _RESOURCE, _DECISION):
        file.message_type.add(name=name)
    pool.Add(file)


def declarations(*, typed: bool) -> tuple[dict[str, cel.Type], cel.CelExtension]:
    """Return the types of the variables, and the functions.

    Args:
        typed: to look at types only, which `add_types` declares; else to evaluate.
    """
    from cel_expr_python import cel

    plain = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    scalars = {"bool": cel.Type.BOOL, "string": cel.Type.STRING}

    def kind_of(name: str) -> cel.Type:
        if name in scalars:
            return scalars[name]
        return cel.Type(f"{_PACKAGE}.{name}") if typed else plain

    overloads: dict[str, dict[str, cel.Overload]] = {}
    for name, receiver, texts, result, call in _FUNCTIONS:
        key = f"{name}_{receiver}" if typed else name  # maps of two kinds are one overload
        overloads.setdefault(name, {})[key] = cel.Overload(
            f"authorizer_{key}",
            kind_of(result),
            [kind_of(receiver), *[cel.Type.STRING] * texts],
            is_member=True,
            impl=call if name == "check" else _of(receiver, call),
        )
    functions = [cel.FunctionDecl(name, list(found.values())) for name, found in overloads.items()]
    variables = {VARIABLE: kind_of(_AUTHORIZER), OF_REQUEST: kind_of(_RESOURCE)}
    return variables, cel.CelExtension("authorizer", functions)
