"""``leeward approve``: somebody agrees that a release enters an environment, with what it changes there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options, output
from leeward.cli.commands.promote import Yes
from leeward.cli.confirm import confirmed

if TYPE_CHECKING:
    from leeward.cli.promoting import Place
    from leeward.delivery.promotion.planning import Plan


def approve(
    release: Annotated[str | None, typer.Argument(metavar="[RELEASE]", show_default=False)] = None,
    environment: Annotated[
        str, typer.Option("--for", "--to", metavar="ENV", help="The environment.", show_default=False)
    ] = "",
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept with the approval.")] = "",
    expires: Annotated[
        str,
        typer.Option("--expires", metavar="DURATION", help="How long it holds: 8h.  [default: for good]"),
    ] = "",
    yes: Yes = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Agree that a release enters an environment, with exactly the difference that is shown.

    Whoever made the release does not count, and nobody counts twice.

    Examples:

      leeward approve --for production

      leeward approve 1.2 --for uat --expires 8h --yes
    """
    import asyncio

    from leeward.cli.hubaccess import application_of

    if not environment:
        raise UserInputError("for which environment?", remedy="Name it: leeward approve --for production")
    seconds = _seconds(expires)
    application = application_of(files, project_name, context, cluster)

    async def work() -> None:
        from leeward.cli.promoting import opened, tell

        async with opened(application, environment) as place:
            found = await place.release(release)
            makers = [found["spec"].get(key) for key in ("createdBy", "copiedBy")]
            if place.who in makers:
                raise OperationError(
                    f"{place.who} brought this release here, so that their approval does not count",
                    remedy="Let somebody else look at it.",
                )
            plan = await place.plan(found)
            tell(plan, found)
            if not (yes or confirmed("Approve this?")):
                raise typer.Exit(1)
            await _write(place, plan, reason, seconds)
        output.say(f"{place.who} approves {plan.request.release} for {environment}")

    asyncio.run(work())


def _seconds(text: str) -> float | None:
    """Return how long an approval holds; None for good.

    Raises:
        UserInputError: it is no duration.
    """
    from leeward.compose.scalars import parse_duration

    if not text:
        return None
    seconds = parse_duration(text)
    if not seconds:
        raise UserInputError(f"--expires {text} is no duration", remedy="Write it as 30m, 8h or 72h.")
    return seconds


async def _write(place: Place, plan: Plan, reason: str, seconds: float | None) -> None:
    import hashlib
    from datetime import timedelta

    from leeward.delivery import records
    from leeward.delivery.audit.trail import append
    from leeward.kube.objects import format_time
    from leeward.kube.status import AlreadyExistsError

    app, environment, release = place.application.name, plan.environment.name, plan.request.release
    until = "" if seconds is None else format_time(place.clock.now() + timedelta(seconds=seconds))
    unique = hashlib.sha256(f"{place.who} {plan.request.diff_hash} {until}".encode()).hexdigest()[:8]
    spec = {
        "environment": environment,
        "release": release,
        "diffHash": plan.request.diff_hash,
        "by": place.who,
        "reason": reason,
        "until": until,
    }
    labels = {records.ENVIRONMENT_LABEL: environment}
    name = f"{environment}-{release.rpartition('-')[2]}-{unique}"
    made = records.record("Approval", app, name, spec, **labels)
    details = {"diffHash": plan.request.diff_hash, "reason": reason, "until": until}
    await append(
        place.api, app, who=place.who, action="approve", environment=environment, release=release,
        result="approved", details=details, clock=place.clock,
    )  # fmt: skip
    try:
        await place.api.create(records.APPROVALS, made)
    except AlreadyExistsError:
        there = await place.api.get(records.APPROVALS, records.hub_of(app), name)
        if there["spec"].get("by") != place.who or there["spec"].get("environment") != environment:
            raise OperationError(
                f"the approval {name} is somebody else's", remedy="Ask an administrator."
            ) from None
