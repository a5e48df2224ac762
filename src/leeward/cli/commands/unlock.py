"""``leeward unlock``: releases into an environment again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.delivery.environments.environment import Lock


def unlock(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Needed where somebody else locked it.")
    ] = "",
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Let releases into an environment again; what somebody else locked needs a reason."""
    import asyncio

    from leeward.base.clock import SystemClock
    from leeward.cli.hubaccess import application_of, open_environment
    from leeward.delivery.environments.locks import unlock as take
    from leeward.delivery.identity import who_am_i

    application = application_of(files, project_name, context, cluster)

    async def work() -> Lock | None:
        async with open_environment(application, environment) as (api, _):
            who = await who_am_i(api)
            return await take(api, application.name, environment, who, reason.strip(), SystemClock())

    held = asyncio.run(work())
    if held is None:
        output.note(f"{environment} was not locked")
    else:
        output.say(f"{environment} is open again; it was locked by {held.by}: {held.reason}")
