"""``leeward rollback``: the release that was good before, again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output
from leeward.cli.commands.promote import DEFAULT_SECONDS, DryRun, Force, Reason, Timeout, Yes

if TYPE_CHECKING:
    from leeward.cli.promoting import Place
    from leeward.delivery.promotion.planning import Plan
    from leeward.kube.objects import Obj


def rollback(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    to: Annotated[
        str, typer.Option("--to", metavar="RELEASE", help="Instead of the one before.", show_default=False)
    ] = "",
    yes: Yes = False,
    dry_run: DryRun = False,
    reason: Reason = "",
    timeout: Timeout = DEFAULT_SECONDS,
    force: Force = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Promote the release that was good in an environment before the one that runs.

    Says first what will not come back: what was written to volumes, what migrations changed. A release that
    was found good there needs no approvals, soak or end of a freeze.

    Examples:

      leeward rollback production

      leeward rollback production --dry-run

      leeward rollback production --to 1.0 --reason "orders are lost" --yes
    """
    import asyncio

    from leeward.cli.commands.promote import carry_out
    from leeward.cli.hubaccess import application_of

    application = application_of(files, project_name, context, cluster)

    async def find(place: Place) -> tuple[Obj, dict[str, object]]:
        from leeward.cli.promoting import release_before

        called = to or await release_before(place.api, place.environment)
        wanted = {"rollback": True, "reason": reason, "timeout": timeout, "force": force}
        return await place.release(called), wanted

    asyncio.run(carry_out(application, environment, find, yes=yes, dry_run=dry_run, warn=_warn))


def _warn(plan: Plan) -> None:
    from leeward.delivery.wording.rollbacks import rollback_verdict

    for line in rollback_verdict(plan.before, plan.after):
        output.note(f"will not come back: {line}")
