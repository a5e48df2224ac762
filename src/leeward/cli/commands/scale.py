"""``leeward scale``: how many Pods a service has."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options, output


def scale(
    counts: Annotated[list[str], typer.Argument(metavar="SERVICE=N...", help="Such as web=5.")],
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Set the number of Pods of services, until the next ``leeward up``.

    Examples:

      leeward scale web=5 api=4
    """
    import asyncio

    from leeward.cli.target import find_running, find_target, require_services

    asked = dict(_parse(text) for text in counts)
    target = find_target(cluster, files, project_name, env_files)

    async def work() -> dict[str, tuple[int, int]]:
        from leeward.cli.connection import connect
        from leeward.delivery.apply import project_selector
        from leeward.kube.objects import labels_of
        from leeward.kube.wellknown import APP_NAME

        done: dict[str, tuple[int, int]] = {}
        async with connect(target.state) as api:
            names = require_services(target, list(asked), await find_running(api))
            wanted = dict(zip(names, asked.values(), strict=True))
            found = {}
            for resource in ("deployments.apps", "statefulsets.apps"):
                selector = project_selector(target.project)
                for workload in await api.list(resource, target.namespace, label_selector=selector):
                    found[labels_of(workload).get(APP_NAME, "")] = (resource, workload)
            if missing := sorted(wanted.keys() - found.keys()):
                raise OperationError(
                    f"{', '.join(missing)} cannot be scaled: not up, or not a service with replicas",
                    remedy="Nothing was scaled; `leeward ps` shows what runs.",
                )
            for name, count in wanted.items():
                resource, workload = found[name]
                patch = {"spec": {"replicas": count}}
                await api.patch(resource, target.namespace, workload["metadata"]["name"], patch)
                done[name] = (workload["spec"].get("replicas", 1), count)
                if workload["spec"].get("volumeClaimTemplates") and count > 1:
                    output.note(f"note: each Pod of {name} has a volume of its own; they share no data")
        return done

    done = asyncio.run(work())
    for name, (before, after) in sorted(done.items()):
        output.say(f"{name}: {before} -> {after}")


def _parse(text: str) -> tuple[str, int]:
    match = re.fullmatch(r"([\w.-]+)=(\d{1,4})", text)
    if match is None:
        raise UserInputError(f"{text!r} is not SERVICE=N", remedy="Write it as in `leeward scale web=5`.")
    return match.group(1), int(match.group(2))
