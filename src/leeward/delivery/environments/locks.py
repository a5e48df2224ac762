"""Keeping releases out of an environment for a while, and letting them in again.

The lock is in the status of the Environment and is changed only where that is as it was read, so that of two
people who lock at the same time one is told about the other.
"""

from __future__ import annotations

from typing import Protocol

from leeward.base.clock import PassiveClock
from leeward.base.errors import OperationError, UserInputError
from leeward.delivery.api import Patches
from leeward.delivery.audit.trail import AuditApi, append
from leeward.delivery.environments.environment import Lock, find_environment
from leeward.delivery.records import ENVIRONMENTS, hub_of
from leeward.kube.objects import Obj, format_time
from leeward.kube.status import ConflictError

_ATTEMPTS = 50  # the status changes while a promotion works


class LockApi(AuditApi, Patches, Protocol):
    """What locks need of a Kubernetes API."""


async def lock(api: LockApi, app: str, name: str, who: str, reason: str, clock: PassiveClock) -> Lock:
    """Keep releases out of the environment `name`; the same person may give another reason.

    Raises:
        OperationError: somebody else locked it, or it was not applied yet.
    """
    for _ in range(_ATTEMPTS):
        environment = await find_environment(api, app, name)
        held = environment.lock
        if held is not None and held.by != who:
            raise OperationError(
                f"{name} is locked by {held.by} since {format_time(held.at)}: {held.reason}",
                remedy=f'Let {held.by} unlock it, or: leeward unlock {name} --reason "…"',
            )
        now = clock.now()
        written = {"by": who, "reason": reason, "at": format_time(now)}
        if await _write(api, app, name, written, environment.resource_version):
            details = {"reason": reason}
            await _tell(api, app, name, "lock", who, details, clock)
            return Lock(who, reason, now)
    raise _busy(name)


async def unlock(
    api: LockApi, app: str, name: str, who: str, reason: str, clock: PassiveClock
) -> Lock | None:
    """Let releases into the environment `name` again; returns the lock that was there.

    Raises:
        UserInputError: somebody else locked it, and `reason` is "".
        OperationError: it was not applied yet.
    """
    for _ in range(_ATTEMPTS):
        environment = await find_environment(api, app, name)
        held = environment.lock
        if held is None:
            return None
        if held.by != who and not reason:
            raise UserInputError(
                f"{name} was locked by {held.by}: {held.reason}",
                remedy=f'Say why you unlock it all the same: leeward unlock {name} --reason "…"',
            )
        if await _write(api, app, name, None, environment.resource_version):
            details = {"lockedBy": held.by, "lockedFor": held.reason, "reason": reason}
            await _tell(api, app, name, "unlock", who, details, clock)
            return held
    raise _busy(name)


async def _write(api: LockApi, app: str, name: str, lock: Obj | None, version: str) -> bool:
    """Write the lock unless the environment changed since it was read; tell whether that is done."""
    patch = {"metadata": {"resourceVersion": version}, "status": {"lock": lock}}
    try:
        await api.patch(ENVIRONMENTS, hub_of(app), name, patch, patch_type="merge", subresource="status")
    except ConflictError:
        return False
    return True


async def _tell(
    api: LockApi, app: str, name: str, action: str, who: str, details: Obj, clock: PassiveClock
) -> None:
    await append(
        api,
        app,
        who=who,
        action=action,
        environment=name,
        result="succeeded",
        details=details,
        clock=clock,
    )


def _busy(name: str) -> OperationError:
    return OperationError(f"{name} changes all the time", remedy="Run the command again.")
