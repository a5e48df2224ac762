"""``leeward restart``: new Pods for services, one after another, with nobody noticing."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import typer

from leeward.base.errors import OperationError
from leeward.cli import clusters, options, output


def restart(
    services: Annotated[list[str] | None, typer.Argument(help="Services; all when none is named.")] = None,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = clusters.DEFAULT_NAME,
) -> None:
    """Restart services by a rolling update, as ``kubectl rollout restart`` does.

    Examples:

      leeward restart web
    """
    from leeward.cli.target import check_service, find_target

    target = find_target(cluster, files, project_name)
    for service in services or ():
        check_service(target, service)

    async def work() -> list[str]:
        from leeward.cli.connection import connect
        from leeward.delivery.apply import project_selector
        from leeward.kube.objects import labels_of
        from leeward.kube.wellknown import APP_NAME

        stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        done = []
        async with connect(target.state) as api:
            for resource in ("deployments.apps", "statefulsets.apps", "daemonsets.apps"):
                selector = project_selector(target.project)
                for workload in await api.list(resource, target.namespace, label_selector=selector):
                    name = labels_of(workload).get(APP_NAME, "")
                    if not services or name in services:
                        await api.patch(resource, target.namespace, workload["metadata"]["name"], patch)
                        done.append(name)
        return done

    done = asyncio.run(work())
    if not done:
        raise OperationError(f"nothing of {target.project} runs", remedy="Start it with `leeward up`.")
    output.say(f"restarting {', '.join(sorted(done))}")
