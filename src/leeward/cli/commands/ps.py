"""``leeward ps``: the services of a project or an environment, and their Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.cli.room import Whereabouts

_POD_COLUMNS = ("service", "pod", "zone", "node", "ready", "status", "restarts", "ip")
_COLUMNS = ("service", "ready", "status", "release", "image", "age", "restarts", "zones")


def ps(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services; all when none is named.")
    ] = None,
    environment: options.Environment = None,
    pods: Annotated[bool, typer.Option("--pods", help="With --env: a line for each Pod.")] = False,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the Pods of a project with their service, zone and state; or the services of an environment.

    Examples:

      leeward ps

      leeward ps --env production

      leeward ps --env production --pods web
    """
    import asyncio

    from leeward.cli.room import Whereabouts

    where = Whereabouts(
        environment=environment, files=files, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    if environment is None:
        project, rows = asyncio.run(_of_project(where, services or ()))
        output.show_rows(_POD_COLUMNS, rows, form, empty=f"{project} is not up")
        return
    rows = asyncio.run(_of_environment(where, services or (), with_pods=pods))
    if form is output.Format.TABLE and not pods:
        rows = [
            {**row, "release": row["version"] or row["release"], "image": _short(row["image"])}
            for row in rows
        ]
    output.show_rows(_POD_COLUMNS if pods else _COLUMNS, rows, form, empty=f"no Pod runs in {environment}")


async def _of_project(where: Whereabouts, names: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    from leeward.cli.connection import connect
    from leeward.cli.podrows import pod_row, zones_of
    from leeward.cli.target import find_running, find_target, require_project, require_services
    from leeward.kube.objects import labels_of
    from leeward.kube.wellknown import APP_NAME

    where.refuse_context()
    target = find_target(where.cluster, where.files, where.project_name, where.env_files)
    async with connect(target.state) as api:
        wanted: list[str] = []
        if names or not target.here:
            running = await find_running(api)
            require_project(target, running)
            wanted = require_services(target, names, running)
        zones = await zones_of(api)
        found = [(labels_of(pod).get(APP_NAME), pod) for pod in await api.list("pods", target.namespace)]
    rows = [pod_row(pod, name, zones) for name, pod in found if name and (not wanted or name in wanted)]
    return target.project, sorted(rows, key=lambda row: (row["service"], row["pod"]))


async def _of_environment(
    where: Whereabouts, names: Sequence[str], *, with_pods: bool
) -> list[dict[str, Any]]:
    from leeward.base.clock import SystemClock
    from leeward.cli.podrows import pod_row, service_row, zones_of
    from leeward.cli.room import entered
    from leeward.delivery.clustertime import ClusterClock
    from leeward.delivery.promotion.past import versions_of

    async with entered(where) as room:
        chosen, there = room.chosen(names), await room.api.list("pods", room.namespace)
        zones = await zones_of(room.api, there)
        if with_pods:
            pods = {pod["metadata"]["name"]: (each.host, pod) for each in chosen for pod in each.pods(there)}
            return [pod_row(pod, host, zones) for host, pod in pods.values()]
        versions = await versions_of(room.api, room.environment.hub) if room.environment else {}
        now = ClusterClock(room.api, SystemClock()).now()
        return [service_row(each, each.pods(there), zones, versions, now) for each in chosen]


def _short(image: str) -> str:
    """Return an image with a digest that can be told from others, not the whole of it."""
    name, at, digest = image.partition("@sha256:")
    return f"{name}@{digest[:12]}" if at else name
