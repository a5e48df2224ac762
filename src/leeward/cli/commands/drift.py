"""``leeward drift``: what somebody changed behind a promotion's back."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.base.errors import OperationError
from leeward.cli import options, output


def drift(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Compare what is live in an environment with what was promoted; changes nothing.

    Exit code 1 when something differs. Promoting again puts it right.

    Examples:

      leeward drift production
    """
    import asyncio

    from leeward.cli.hubaccess import application_of

    application = application_of(files, project_name, context, cluster)

    async def work() -> list[str]:
        from leeward.cli.promoting import opened
        from leeward.delivery import records
        from leeward.delivery.live import owned
        from leeward.delivery.promotion.manifests import find_manifest
        from leeward.delivery.promotion.planning import kept_for, project_of
        from leeward.delivery.wording.drift import drift as compare

        async with opened(application, environment) as place:
            where, runs = place.environment, place.environment.promotion
            applied = await find_manifest(place.api, where.namespace, runs)
            if applied is None:
                raise OperationError(f"what {runs} applied to {where.name} is not known any more")
            if not runs:
                raise OperationError(f"nothing was promoted to {where.name} yet")
            promotion = await place.api.find(records.PROMOTIONS, where.hub, runs)
            if promotion is not None and promotion["spec"].get("rollback"):  # it runs no Jobs again
                applied = [obj for obj in applied if obj["kind"] != "Job"]
            there = await owned(place.api, project_of(applied), place.environment.namespace)
            found = compare(applied, [obj for _, obj in there], await kept_for(place.api, place.environment))
            return [str(each) for each in found]

    lines = asyncio.run(work())
    for line in lines:
        output.say(line)
    if lines:
        raise typer.Exit(1)
    output.say(f"{environment} is as it was promoted")
