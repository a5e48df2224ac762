"""``leeward logs``: what the containers of a service said."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options

if TYPE_CHECKING:
    from leeward.cli.room import Whereabouts
    from leeward.kube.client import KubeClient

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def logs(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services; all when none is named.")
    ] = None,
    environment: options.Environment = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with what comes.")] = False,
    since: Annotated[str | None, typer.Option("--since", help="How far back, such as 10m or 2h.")] = None,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", min=0, help="Only the last lines of each Pod.")
    ] = None,
    timestamps: Annotated[
        bool, typer.Option("--timestamps", "-t", help="Show when lines were written.")
    ] = False,
    files: Annotated[
        list[str] | None, typer.Option("--file", metavar="FILE", help="Compose file; may be repeated.")
    ] = None,
    env_files: options.EnvFiles = None,
    f: Annotated[bool, typer.Option("-f", help="The same as --follow.")] = False,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    cloudwatch: Annotated[
        bool, typer.Option("--cloudwatch", help="What CloudWatch has, of Pods that are gone too; with --env.")
    ] = False,
) -> None:
    """Print the logs of services, of all their Pods together.

    Examples:

      leeward logs web

      leeward logs -f --since 5m web api

      leeward logs --env production --tail 20 web

      leeward logs --env production --cloudwatch --since 2d web
    """
    import asyncio
    from pathlib import Path

    from leeward.cli.room import Whereabouts

    paths = [Path(name) for name in files or ()]
    where = Whereabouts(
        environment=environment, files=paths, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    wanted = _Wanted(services or (), _seconds(since) if since else None, tail, timestamps)
    if cloudwatch:
        _of_cloudwatch(where, wanted, follow=follow or f)
        return
    work = _of_project if environment is None else _of_environment
    asyncio.run(work(where, wanted, follow=follow or f))


@dataclass(frozen=True, slots=True)
class _Wanted:
    services: Sequence[str]
    since: int | None  # seconds
    tail: int | None
    timestamps: bool

    async def show(self, api: KubeClient, namespace: str, services: Sequence[str], *, follow: bool) -> None:
        """Print the logs of services, by the names that the cluster has."""
        from leeward.cli.follow import LogFollower

        follower = LogFollower(
            api, namespace, services, since_seconds=self.since, tail=self.tail, timestamps=self.timestamps
        )
        await (follower.forever() if follow else follower.once())


async def _of_project(where: Whereabouts, wanted: _Wanted, *, follow: bool) -> None:
    from leeward.cli.connection import connect
    from leeward.cli.target import find_running, find_target, require_services
    from leeward.render.naming import dns_label

    where.refuse_context()
    target = find_target(where.cluster, where.files, where.project_name, where.env_files)
    async with connect(target.state) as api:
        running = await find_running(api)
        names = require_services(target, wanted.services, running)
        names = names or sorted({*running[target.project], *map(dns_label, target.services)})
        await wanted.show(api, target.namespace, names, follow=follow)


async def _of_environment(where: Whereabouts, wanted: _Wanted, *, follow: bool) -> None:
    from leeward.cli.room import entered

    async with entered(where) as room:
        names = [each.name for each in room.chosen(wanted.services)]
        await room.require("get", "pods/log")
        await wanted.show(room.api, room.namespace, names, follow=follow)


def _of_cloudwatch(where: Whereabouts, wanted: _Wanted, *, follow: bool) -> None:
    from leeward.cli.cloudwatch import refuse_following, show_logs
    from leeward.cli.hubaccess import application_of

    if where.environment is None:
        raise UserInputError("--cloudwatch is about an environment", remedy="Name it: --env ENV.")
    refuse_following(follow=follow)
    application = application_of(where.files, where.project_name, where.context, where.cluster)
    show_logs(
        application, where.environment, wanted.services,
        since=wanted.since, tail=wanted.tail, timestamps=wanted.timestamps,
    )  # fmt: skip


def _seconds(text: str) -> int:
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s?)?", text)
    if not text or parts is None or not any(parts.groups()):
        raise UserInputError(f"{text!r} is no duration", remedy="Use --since 30s, 10m, 2h or 1d.")
    seconds = sum(int(value or 0) * _UNITS[unit] for value, unit in zip(parts.groups(), "dhms", strict=True))
    if seconds < 1:
        raise UserInputError(f"--since {text} is no time at all", remedy="Use --since 30s, or --tail 0.")
    return seconds
