"""``leeward down``: takes a project off the cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli import options, output
from leeward.cli.progress import Steps


def down(
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    volumes: Annotated[
        bool, typer.Option("--volumes", "-v", help="Remove its volumes for good, too.")
    ] = False,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Stop and remove a project; its volumes stay unless -v is given. The cluster goes on running.

    Examples:

      leeward down

      leeward down -v
    """
    import asyncio

    from leeward.cli.target import find_target

    target = find_target(cluster, files, project_name, env_files)

    async def work(steps: Steps) -> int:
        from leeward.cli.connection import connect
        from leeward.cli.deploy import take_down

        async with connect(target.state) as api:
            return await take_down(api, target.project, target.namespace, volumes=volumes, show=steps.show)

    with Steps() as steps:
        removed = asyncio.run(work(steps))
    output.say(f"{target.project} is down" if removed else f"{target.project} was not up")
