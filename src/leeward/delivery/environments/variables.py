"""What ``leeward env set`` wrote: variables and secrets of an environment, in versions that never change.

A version is an immutable Secret in the environment's namespace and has all values. The newest counts; a
promotion remembers which one it took. Who changes something creates the version after the one that was read:
of two that do so at the same time one is refused, reads again and merges, so that nothing is lost.

Invariants: the newest version, and those that a promotion took, are never deleted. A number is never given
twice, also when the namespace was deleted with all versions: the hub remembers them.
"""

from __future__ import annotations

import base64
import builtins
import contextlib
import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from leeward.base.clock import PassiveClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.api import Deletes
from leeward.delivery.audit.trail import AuditApi, append
from leeward.delivery.environments.environment import Environment, not_applied
from leeward.delivery.records import APP_LABEL, AUDIT_RECORDS, ENVIRONMENT_LABEL, GROUP, PROMOTIONS
from leeward.kube.objects import Obj, annotations_of, format_time, labels_of, parse_time
from leeward.kube.status import AlreadyExistsError, ForbiddenError, NotFoundError
from leeward.render.naming import dns_label

KEPT = 50  # versions
_SECRETS = "secrets"
_PREFIX = "leeward-env-"
_KIND_LABEL, _KIND = f"{GROUP}/kind", "variables"
_BY, _AT, _CHANGES, _REASON = (f"{GROUP}/{key}" for key in ("by", "at", "changes", "reason"))
_ATTEMPTS = 200  # each is lost to another writer, who is then done
_MOST_BYTES = 900_000  # of names and values; the API server takes Secrets of 1 MiB
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}")


class VariablesApi(AuditApi, Deletes, Protocol):
    """What versions need of a Kubernetes API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """All values at one time; number 0 is the one before the first."""

    number: int = 0
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    by: str = ""
    at: datetime | None = None
    set: Sequence[str] = ()  # the names that this version changed
    unset: Sequence[str] = ()
    reason: str = ""
    is_new: bool = field(default=False, compare=False)  # made just now, by who asked for it

    @property
    def texts(self) -> dict[str, str]:
        """The values as text, those left out that are none."""
        found = {}
        for name, value in self.values.items():
            with contextlib.suppress(UnicodeDecodeError):
                found[name] = value.decode()
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who changes values, and why."""

    name: str  # as the cluster knows it
    reason: str = ""


def check_name(name: str) -> None:
    """Refuse what cannot be the name of a variable or secret.

    Raises:
        UserInputError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise UserInputError(
            f"{name!r} cannot be the name of a variable or secret",
            remedy="Use letters, digits, underscores, hyphens and dots.",
        )


async def list_versions(api: AuditApi, environment: Environment) -> builtins.list[Version]:
    """Return the versions that are kept, newest first."""
    selector = f"{ENVIRONMENT_LABEL}={environment.name},{_KIND_LABEL}={_KIND}"
    found = await api.list(_SECRETS, environment.namespace, label_selector=selector)
    versions = [_read(obj) for obj in found if obj["metadata"]["name"].removeprefix(_PREFIX).isdecimal()]
    return sorted(versions, key=lambda each: each.number, reverse=True)


async def newest_version(api: AuditApi, environment: Environment) -> Version:
    """Return the newest version; its number is 0 when nothing was ever set."""
    return next(iter(await list_versions(api, environment)), Version())


async def find_version(api: AuditApi, environment: Environment, number: int) -> Version | None:
    """Return one version, or None; number 0 is always there and empty."""
    if number == 0:
        return Version()
    found = await api.find(_SECRETS, environment.namespace, f"{_PREFIX}{number}")
    is_own = found is not None and labels_of(found).get(ENVIRONMENT_LABEL) == environment.name
    return _read(found) if found is not None and is_own else None


async def set_values(
    api: VariablesApi,
    environment: Environment,
    values: Mapping[str, str | bytes],
    author: Author,
    clock: PassiveClock,
) -> Version:
    """Set values; returns the version that has them, which is the newest as it is when they are set already.

    Raises:
        UserInputError: a name is none.
        OperationError: the environment's namespace is not there, or the values are too long.
    """
    for name in values:
        check_name(name)
    wanted = _as_bytes(values)
    return await _change(api, environment, lambda old: {**old, **wanted}, author, clock, "env-set")


async def unset_values(
    api: VariablesApi, environment: Environment, names: Collection[str], author: Author, clock: PassiveClock
) -> Version:
    """Remove values; names that are not set do not matter."""

    def without(old: Mapping[str, bytes]) -> dict[str, bytes]:
        return {name: value for name, value in old.items() if name not in names}

    return await _change(api, environment, without, author, clock, "env-unset")


async def import_missing(
    api: VariablesApi,
    environment: Environment,
    values: Mapping[str, str | bytes],
    author: Author,
    clock: PassiveClock,
) -> tuple[Version, list[str]]:
    """Set those of `values` that are not set yet; returns the newest version and the names that were set.

    Raises:
        UserInputError: a name is none.
        OperationError: the environment's namespace is not there, or the values are too long.
    """
    for name in values:
        check_name(name)
    wanted, before = _as_bytes(values), frozenset[str]()

    def complete(old: Mapping[str, bytes]) -> dict[str, bytes]:
        nonlocal before
        before = frozenset(old)
        return {**wanted, **old}

    version = await _change(api, environment, complete, author, clock, "env-import")
    return version, [name for name in wanted if name not in before]


async def _change(
    api: VariablesApi,
    environment: Environment,
    change: Callable[[Mapping[str, bytes]], dict[str, bytes]],
    author: Author,
    clock: PassiveClock,
    action: str,
) -> Version:
    """Create the version that `change` makes of the newest, unless that is the same."""
    taken = 0  # by another writer, or by an environment that had the namespace before
    for _ in range(_ATTEMPTS):
        versions = await list_versions(api, environment)
        old = versions[0] if versions else Version()
        values = change(old.values)
        if values == old.values:
            return old
        last = old.number if versions else await last_number(api, environment)
        new = Version(
            number=max(last, taken) + 1,
            values=values,
            by=author.name,
            at=clock.now(),
            set=sorted(name for name, value in values.items() if old.values.get(name) != value),
            unset=sorted(old.values.keys() - values.keys()),
            reason=author.reason,
            is_new=True,
        )
        try:
            await api.create(_SECRETS, _secret(environment, new))
        except AlreadyExistsError:
            taken = new.number
            continue
        except NotFoundError:
            raise not_applied(environment.name) from None
        details = {"version": new.number, "set": new.set, "unset": new.unset, "reason": author.reason}
        await append(
            api,
            environment.app,
            who=author.name,
            action=action,
            environment=environment.name,
            result="succeeded",
            details=details,
            clock=clock,
        )
        await _forget_old(api, environment, [new, *versions])
        return new
    raise OperationError(
        f"the variables of {environment.name} could not be changed, because others did so all the time",
        remedy="Run the command again.",
    )


async def last_number(api: AuditApi, environment: Environment) -> int:
    """Return the greatest number that a version of an environment ever had, as the hub remembers it."""
    label = f"{ENVIRONMENT_LABEL}={environment.name}"
    told = await api.list(AUDIT_RECORDS, environment.hub, label_selector=label)
    numbers = [(obj["spec"].get("details") or {}).get("version") for obj in told if _is_of_versions(obj)]
    taken = taken_by(await api.list(PROMOTIONS, environment.hub, label_selector=label), environment.name)
    return max((each for each in (*numbers, *taken) if isinstance(each, int)), default=0)


def _is_of_versions(record: Obj) -> bool:
    return str(record["spec"].get("action") or "").startswith("env-")


async def _forget_old(api: VariablesApi, environment: Environment, versions: Sequence[Version]) -> None:
    """Delete old versions beyond those that are kept; who may not delete leaves them."""
    if len(versions) <= KEPT:
        return
    with contextlib.suppress(ForbiddenError):
        promotions = await api.list(PROMOTIONS, environment.hub)
        for version in outlived(versions, taken_by(promotions, environment.name)):
            with contextlib.suppress(NotFoundError):
                await api.delete(_SECRETS, environment.namespace, f"{_PREFIX}{version.number}")


def outlived(versions: Iterable[Version], taken: Collection[int]) -> list[Version]:
    """Return the versions that go, oldest first, so that `KEPT` are left where promotions allow it."""
    ordered = sorted(versions, key=lambda each: each.number)
    free = [each for each in ordered[:-1] if each.number not in taken]
    return free[: max(0, len(ordered) - KEPT)]


def taken_by(promotions: Iterable[Obj], environment: str) -> dict[int, str]:
    """Return the numbers of the versions that an environment's promotions took, with the last of each."""
    mine = (obj for obj in promotions if obj["spec"]["environment"] == environment)
    return {
        obj["spec"].get("variablesVersion") or 0: obj["metadata"]["name"]
        for obj in sorted(mine, key=lambda obj: str(obj["metadata"]["name"]))
    }


def _as_bytes(values: Mapping[str, str | bytes]) -> dict[str, bytes]:
    return {name: value.encode() if isinstance(value, str) else value for name, value in values.items()}


def _secret(environment: Environment, version: Version) -> Obj:
    size = sum(len(name) + len(value) for name, value in version.values.items())
    if size > _MOST_BYTES:
        raise OperationError(
            f"the variables of {environment.name} would be {size} bytes of at most {_MOST_BYTES}",
            remedy="Large files belong into images or volumes.",
        )
    notes = {
        _BY: version.by,
        _AT: format_time(version.at) if version.at else "",
        _CHANGES: json.dumps({"set": version.set, "unset": version.unset}),
        _REASON: version.reason,
    }
    labels = {
        APP_LABEL: dns_label(environment.app), ENVIRONMENT_LABEL: environment.name, _KIND_LABEL: _KIND,
    }  # fmt: skip
    meta = {
        "name": f"{_PREFIX}{version.number}", "namespace": environment.namespace,
        "labels": labels, "annotations": {key: value for key, value in notes.items() if value},
    }  # fmt: skip
    data = {name: base64.b64encode(value).decode() for name, value in sorted(version.values.items())}
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": meta}
    return {**head, "type": "Opaque", "immutable": True, "data": data}


def _read(obj: Obj) -> Version:
    notes = annotations_of(obj)
    changes, at = {}, None
    with contextlib.suppress(ValueError):  # anybody can write annotations; the values are what counts
        at = parse_time(notes.get(_AT, ""))
        found = json.loads(notes.get(_CHANGES, "{}"))
        changes = found if isinstance(found, dict) else {}
    return Version(
        number=int(obj["metadata"]["name"].removeprefix(_PREFIX)),
        values={name: base64.b64decode(value) for name, value in (obj.get("data") or {}).items()},
        by=notes.get(_BY, ""),
        at=at,
        set=tuple(changes.get("set") or ()),
        unset=tuple(changes.get("unset") or ()),
        reason=notes.get(_REASON, ""),
    )
