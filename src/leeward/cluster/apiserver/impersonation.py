"""Acting as somebody else, for whoever may.

Constrained impersonation is tried first: the requester needs ``impersonate:MODE`` on the identity and
``impersonate-on:MODE:VERB`` on what is asked for. Then the old verb ``impersonate``, which gives everything
that the other one may do. Of several refusals the first one is told.

Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple
from urllib.parse import unquote

from leeward.cluster.authorization.attributes import Attributes
from leeward.cluster.authorization.rbac import Decision
from leeward.cluster.interface.user import (
    ANONYMOUS,
    AUTHENTICATED,
    MASTERS,
    UNAUTHENTICATED,
    User,
    service_account_groups,
    split_service_account,
)
from leeward.kube.status import BadRequestError, ForbiddenError

Authorize = Callable[[Attributes], Decision]
Headers = Sequence[tuple[str, str]]

_EXTRA = "impersonate-extra-"
_NODE = re.compile(r"system:node:([a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?)")
_NODE_EXTRA = "authentication.kubernetes.io/node-name"
_GROUP = "authentication.k8s.io"


class _Mode(NamedTuple):
    name: str  # "" for the old way
    verb: str


_LEGACY = _Mode("", "impersonate")


def wanted_user(headers: Headers) -> User | None:
    """Return who a request wants to act as, or None.

    Raises:
        BadRequestError: it names groups, a uid or extras of nobody.
    """
    name, uid, groups, extra = "", "", list[str](), dict[str, list[str]]()
    for key, value in headers:
        if key == "impersonate-user":
            name = name or value
        elif key == "impersonate-uid":
            uid = uid or value
        elif key == "impersonate-group":
            groups.append(value)
        elif key.startswith(_EXTRA):
            extra.setdefault(unquote(key.removeprefix(_EXTRA)), []).append(value)
    if not name and (uid or groups or extra):
        raise BadRequestError("requested impersonation without impersonating a user name")
    return User(name, tuple(groups), uid, extra) if name else None


def impersonate(wanted: User, asked: Attributes, authorize: Authorize) -> User:
    """Return the user that a request is carried out as.

    Args:
        wanted: who the requester wants to be.
        asked: what is asked for, by the requester.
        authorize: decides.

    Raises:
        ForbiddenError: the requester may not.
    """
    refusal: ForbiddenError | None = None
    for mode in _modes(wanted, asked.user):
        try:
            if mode.name:
                _check(replace(asked, verb=f"impersonate-on:{mode.name}:{asked.verb}"), authorize)
            return _granted(mode, wanted, asked.user, authorize)
        except ForbiddenError as error:
            refusal = refusal or error
    raise refusal or ForbiddenError("all impersonation modes failed")


def _modes(wanted: User, requester: User) -> Iterator[_Mode]:
    """Yield the ways in which somebody can be impersonated."""
    plain = not (wanted.groups or wanted.uid or wanted.extra)
    node, account = _NODE.fullmatch(wanted.name), split_service_account(wanted.name)
    if plain and node and list(requester.extra.get(_NODE_EXTRA) or ()) == [node[1]]:
        yield _Mode("associated-node", "impersonate:associated-node")
    if plain and node:
        yield _Mode("arbitrary-node", "impersonate:arbitrary-node")
    if plain and account:
        yield _Mode("serviceaccount", "impersonate:serviceaccount")
    if not node and not account:
        yield _Mode("user-info", "impersonate:user-info")
    yield _LEGACY


def _granted(mode: _Mode, wanted: User, requester: User, authorize: Authorize) -> User:
    """Check every part of an identity."""
    identity = Attributes(
        user=requester, verb=mode.verb, group=_GROUP, version="v1", resource="users", name=wanted.name
    )
    named = (
        identity if mode.name else replace(identity, group="")
    )  # names and groups were in the core group once
    groups = list(wanted.groups)
    node, account = _NODE.fullmatch(wanted.name), split_service_account(wanted.name)
    who = named
    if mode.name and node:
        name = "*" if mode.name == "associated-node" else node[1]
        who, groups = replace(named, resource="nodes", name=name), ["system:nodes"]
    elif account:
        who = replace(named, resource="serviceaccounts", namespace=account[0], name=account[1])
        groups = groups or list(service_account_groups(account[0]))
    _check(who, authorize)
    if wanted.uid:
        _check(replace(identity, resource="uids", name=wanted.uid), authorize)
    for group in wanted.groups:
        asked = replace(named, resource="groups", name=group)
        if mode.name and group in ("", MASTERS):
            what = f"the {group} group" if group else "the empty string group"
            raise asked.forbidden(f"impersonating {what} is not allowed")
        _check(asked, authorize)
    for key, values in wanted.extra.items():
        for value in values:
            _check(replace(identity, resource="userextras", subresource=key, name=value), authorize)
    return replace(wanted, groups=_completed(wanted.name, groups))


def _completed(name: str, groups: list[str]) -> tuple[str, ...]:
    if name == ANONYMOUS:
        needed = UNAUTHENTICATED
    elif UNAUTHENTICATED in groups:
        return tuple(groups)
    else:
        needed = AUTHENTICATED
    return (*groups, *(() if needed in groups else (needed,)))


def _check(asked: Attributes, authorize: Authorize) -> None:
    decision = authorize(asked)
    if not decision.allowed:
        raise asked.forbidden(decision.error)
