"""``leeward promote``: a release enters an environment, or everything stays as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output
from leeward.cli.confirm import confirmed
from leeward.cli.progress import Steps

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from leeward.cli.hub import Application
    from leeward.cli.promoting import Place
    from leeward.delivery.promotion.planning import Plan
    from leeward.kube.objects import Obj

    Find = Callable[[Place], Awaitable[tuple[Obj, dict[str, object]]]]
    Warn = Callable[[Plan], None]

DEFAULT_SECONDS = 600.0
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would happen, and stop.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept with the promotion.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds until everything has to be up.")]
Force = Annotated[bool, typer.Option("--force", help="Take over fields that somebody else changed.")]


def promote(
    release: Annotated[str | None, typer.Argument(metavar="[RELEASE]", show_default=False)] = None,
    to: Annotated[str, typer.Option("--to", metavar="ENV", help="The environment.", show_default=False)] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    reason: Reason = "",
    override: Annotated[
        str, typer.Option("--override", metavar="REASON", help="Pass soak, freeze and approvals; recorded.")
    ] = "",
    timeout: Timeout = DEFAULT_SECONDS,
    force: Force = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Bring a release into an environment, verify it there, or leave everything as it was.

    RELEASE is an id, the beginning of its digest, or a version; without it, what runs in the environment
    before. Shows what would be different in Compose's words, what somebody changed by hand meanwhile, and
    everything that is against it, and asks. What did not end is taken up again.

    Examples:

      leeward promote --to qa

      leeward promote 1.2 --to production --yes
    """
    import asyncio

    from leeward.cli.hubaccess import application_of

    if not to:
        raise UserInputError("where to?", remedy="Name an environment: leeward promote --to qa")
    application = application_of(files, project_name, context, cluster)
    wanted = {"reason": reason, "override": override, "timeout": timeout, "force": force}

    async def find(place: Place) -> tuple[Obj, dict[str, object]]:
        return await place.release(release), wanted

    asyncio.run(carry_out(application, to, find, yes=yes, dry_run=dry_run))


async def carry_out(
    application: Application,
    environment: str,
    find: Find,
    *,
    yes: bool,
    dry_run: bool = False,
    warn: Warn | None = None,
) -> None:
    """Plan, tell, ask and do.

    Args:
        application: whose environment.
        environment: its name.
        find: gives the release and the fields of the wish.
        yes: do not ask.
        dry_run: stop after telling.
        warn: tells more of a plan.

    Raises:
        OperationError: it may not enter, or is not good.
    """
    from leeward.cli.promoting import opened, stop_at_gates, tell

    async with opened(application, environment) as place:
        release, fields = await find(place)
        plan = await place.plan(release, **fields)
        tell(plan, release)
        if warn is not None:
            warn(plan)
        stop_at_gates(plan)
        if dry_run:
            output.note("nothing was done, because of --dry-run")
        elif yes or confirmed(f"Promote to {environment}?"):
            await _do(place, plan, release)
        else:
            raise typer.Exit(1)


async def _do(place: Place, plan: Plan, release: Obj) -> None:
    import asyncio
    import signal

    from leeward.cli.interrupts import TERMINATED
    from leeward.cli.promoting import describe, holder
    from leeward.delivery.audit.trail import append
    from leeward.delivery.promotion.promoter import Promoter
    from leeward.kube.objects import parse_time

    if (passed := plan.verdict.override) is not None:
        await append(
            place.api, place.application.name, who=place.who, action="override", result="used",
            environment=plan.environment.name, release=plan.request.release, details=passed.details,
            clock=place.clock,
        )  # fmt: skip
    try:
        with Steps() as steps:
            done = await Promoter(place.api, place.clock, plan.request, steps.show).run(holder(place.who))
    except asyncio.CancelledError as error:
        output.note(
            f"{plan.environment.name} is in the middle of it: the same command goes on from there, and "
            f"`leeward rollback {plan.environment.name}` brings back what was there before"
        )
        if signal.SIGTERM in error.args:
            raise typer.Exit(TERMINATED) from None
        raise
    status = done["status"]
    took = parse_time(status["finishedAt"]) - parse_time(status["startedAt"])
    verified = "up and verified" if plan.request.checks else "up"
    output.say(
        f"{plan.environment.name} runs {describe(release)}: {verified} after {took.total_seconds():.0f} s "
        f"({done['metadata']['name']})"
    )
