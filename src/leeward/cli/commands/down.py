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
    cluster: options.AnyCluster = None,
    preview: options.Preview = None,
    context: options.PreviewContext = None,
) -> None:
    """Stop and remove a project; its volumes stay unless -v is given. The cluster goes on running.

    Examples:

      leeward down

      leeward down -v

      leeward down --preview pr-12
    """
    import asyncio

    from leeward.cli.target import find_target

    options.need_preview(preview, {"--context": context})
    if preview is not None:
        from leeward.cli.previewing import Wish
        from leeward.cli.previewpruning import take_down_preview
        from leeward.cli.projects import Source

        source = Source.of(files, None, env_files, project_name)
        take_down_preview(Wish.of(preview, source, cluster, context))
        return
    target = find_target(cluster or options.DEFAULT_CLUSTER, files, project_name, env_files)

    async def work(steps: Steps) -> int:
        from leeward.cli.connection import connect
        from leeward.cli.deploy import take_down

        async with connect(target.state) as api:
            return await take_down(api, target.project, target.namespace, volumes=volumes, show=steps.show)

    with Steps() as steps:
        removed = asyncio.run(work(steps))
    output.say(f"{target.project} is down" if removed else f"{target.project} was not up")
