"""``leeward restart``: new Pods for services, one after another, with nobody noticing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import LeewardError, OperationError
from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.cli.room import Whereabouts


def restart(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services; all when none is named.")
    ] = None,
    environment: options.Environment = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds until everything has to be up; with --env.")
    ] = 600.0,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Restart services by a rolling update, as ``kubectl rollout restart`` does.

    Services that depend on one of them with ``restart: true`` are restarted too. In an environment it waits
    until they are up again; the release that runs stays the same.

    Examples:

      leeward restart web

      leeward restart --env production web
    """
    import asyncio

    from leeward.cli.room import Whereabouts

    where = Whereabouts(
        environment=environment, files=files, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    asyncio.run(_restart(where, services or (), timeout))


async def _restart(where: Whereabouts, names: Sequence[str], timeout: float) -> None:
    from leeward.base.clock import SystemClock
    from leeward.cli.progress import Steps
    from leeward.cli.room import entered
    from leeward.delivery import restarting
    from leeward.delivery.clustertime import ClusterClock

    async with entered(where) as room:
        wanted = {each.name for each in room.chosen(names)} if names else set()
        found = restarting.to_restart(room.services.values(), wanted)
        if not found:
            raise OperationError(
                f"nothing of {', '.join(names) or room.title} can be restarted: it has only jobs",
                remedy="`leeward run` runs one again."
                if room.environment
                else "`leeward up` runs a job again when it changed.",
            )
        clock = ClusterClock(room.api, SystemClock())
        told = [each.host for each in found]
        try:
            mark = await restarting.restart(room.api, found, clock.now())
        except LeewardError:  # some may have new Pods all the same
            await room.record("restart", "failed", services=told)
            raise
        await room.record("restart", "started", services=told)
        output.say(f"restarting {', '.join(sorted(told))}")
        if room.environment is None:
            return
        begin = clock.monotonic()
        with Steps() as steps:
            await restarting.wait_until_up(room.api, clock, found, mark, timeout, steps.show)
        output.say(f"{', '.join(sorted(told))} up again after {clock.monotonic() - begin:.0f} s")
