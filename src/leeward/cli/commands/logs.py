"""``leeward logs``: what the containers of a service said."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def logs(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services; all when none is named.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="How far back, such as 10m or 2h.")] = None,
    tail: Annotated[int | None, typer.Option("--tail", "-n", help="Only the last lines of each Pod.")] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Show when lines were written.")
    ] = False,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="FILE", help="Compose file; may be repeated.")
    ] = None,
    env_files: options.EnvFiles = None,
    f: Annotated[bool, typer.Option("-f", help="The same as --follow.")] = False,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Print the logs of services, of all their Pods together.

    Examples:

      leeward logs web

      leeward logs -f --since 5m web api
    """
    import asyncio
    from pathlib import Path

    from leeward.cli.target import find_running, find_target, require_services
    from leeward.render.naming import dns_label

    seconds = _seconds(since) if since else None
    target = find_target(cluster, [Path(name) for name in files or ()], project_name, env_files)

    async def work() -> None:
        from leeward.cli.connection import connect
        from leeward.cli.follow import LogFollower

        async with connect(target.state) as api:
            running = await find_running(api)
            wanted = require_services(target, services or (), running)
            follower = LogFollower(
                api,
                target.namespace,
                wanted or sorted({*running[target.project], *map(dns_label, target.services)}),
                since_seconds=seconds,
                tail=tail,
                timestamps=timestamps,
            )
            await (follower.forever() if follow or f else follower.once())

    asyncio.run(work())


def _seconds(text: str) -> int:
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or parts is None or not any(parts.groups()):
        raise UserInputError(f"{text!r} is no duration", remedy="Use --since 30s, 10m, 2h or 1d.")
    return sum(int(value or 0) * _UNITS[unit] for value, unit in zip(parts.groups(), "dhms", strict=True))
