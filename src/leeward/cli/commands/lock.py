"""``leeward lock``: no releases into an environment for a while."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output


def lock(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Shown to whoever wants in.")],
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Keep releases out of an environment until it is unlocked.

    Examples:

      leeward lock production --reason "inventory until Monday"
    """
    import asyncio

    from leeward.base.clock import SystemClock
    from leeward.cli.hubaccess import application_of, open_environment
    from leeward.delivery.environments.locks import lock as put
    from leeward.delivery.identity import who_am_i

    if not reason.strip():
        raise UserInputError("a lock needs a reason", remedy='Write it: --reason "inventory until Monday"')
    application = application_of(files, project_name, context, cluster)

    async def work() -> str:
        async with open_environment(application, environment) as (api, _):
            who = await who_am_i(api)
            return (await put(api, application.name, environment, who, reason, SystemClock())).by

    output.say(f"{environment} is locked by {asyncio.run(work())}: {reason}")
