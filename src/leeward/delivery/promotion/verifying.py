"""What verifies a release in an environment, in order, and what of it can be done here: for the plan.

Drills are made by whoever brings them (``cli`` does), because delivery and drills do not know each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from leeward.base.errors import OperationError
from leeward.delivery.api import Creates
from leeward.delivery.environments.environment import Environment
from leeward.delivery.environments.verifications import Verification
from leeward.delivery.promotion.gates import Blocked
from leeward.delivery.promotion.httpcheck import Served, http_check, served_by
from leeward.delivery.promotion.verification import Check, Verifier
from leeward.kube.objects import Obj
from leeward.settings.verification import is_url


class Drills(Protocol):
    """Makes verifications that rehearse losses."""

    def check(self, wanted: Verification, environment: Environment, served: Served | None) -> Verifier:
        """Return one.

        Args:
            wanted: what is lost, for how long, and what is requested meanwhile.
            environment: whose release it is.
            served: the Service whose path is requested; None where it is a URL, or nothing is said.

        Raises:
            UserInputError: it cannot be requested.
        """
        ...


@dataclass(frozen=True, slots=True)
class Outlook:
    """What will verify a release, and what is against it."""

    checks: Sequence[Verifier]
    blocked: Sequence[Blocked]
    notes: Sequence[str]


def verifiers_of(
    environment: Environment, objects: Sequence[Obj], jobs: Sequence[Check], drills: Drills | None
) -> list[Verifier]:
    """Return what verifies a release, in the order of the environment.

    Args:
        environment: says what.
        objects: of the release there.
        jobs: the services that are run.
        drills: makes those of them that are drills.

    Raises:
        OperationError: the release has no such service or port.
        UserInputError: something cannot be requested.
    """
    run = {each.service: each for each in jobs}
    found: list[Verifier] = []
    for wanted in environment.verify:
        if wanted.run:
            if (job := run.pop(wanted.run, None)) is not None:  # named twice, it is run once
                found.append(job)
        elif not wanted.drill:
            found.append(http_check(objects, environment.namespace, wanted))
        elif drills is None:
            raise OperationError(f"{environment.name} is verified by a drill, which cannot be done from here")
        else:
            is_path = bool(wanted.http or wanted.service) and not is_url(wanted.http or "/")
            found.append(drills.check(wanted, environment, served_by(objects, wanted) if is_path else None))
    return found


async def look_at(api: Creates, checks: Sequence[Verifier], *, restores: bool) -> Outlook:
    """Decide which verifications are made.

    What cannot be done is against a promotion. A release that is taken back was verified here before, and
    somebody waits for it: nothing is taken down for it, and what cannot be done is left out, and told.

    Args:
        api: tells what the caller may do.
        checks: all of them.
        restores: a release is taken back.
    """
    kept: list[Verifier] = []
    blocked: list[Blocked] = []
    notes: list[str] = []
    for check in checks:
        if restores and check.disrupts:
            notes.append(f"Going back is not verified by {check.title}.")
        elif (why := await check.obstacle(api)) is None:
            kept.append(check)
        elif restores:
            notes.append(f"Going back is not verified by {check.title}: {why.message}.")
        else:
            blocked.append(Blocked("verification", f"{check.title}: {why.message}", why.remedy))
    return Outlook(kept, blocked, notes)
