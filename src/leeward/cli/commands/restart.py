"""``leeward restart``: new Pods for services, one after another, with nobody noticing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from leeward.base.errors import OperationError
from leeward.cli import options, output


def restart(
    services: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Services; all when none is named.")
    ] = None,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Restart services by a rolling update, as ``kubectl rollout restart`` does.

    Services that depend on one of them with ``restart: true`` are restarted too.

    Examples:

      leeward restart web
    """
    import asyncio

    from leeward.cli.target import find_running, find_target, require_services

    target = find_target(cluster, files, project_name, env_files)

    async def work() -> list[str]:
        from leeward.cli.connection import connect
        from leeward.delivery.apply import project_selector
        from leeward.delivery.health import restarts_with
        from leeward.kube.objects import labels_of
        from leeward.kube.wellknown import APP_NAME

        stamp = {"kubectl.kubernetes.io/restartedAt": datetime.now(UTC).isoformat(timespec="seconds")}
        patch = {"spec": {"template": {"metadata": {"annotations": stamp}}}}
        done = []
        async with connect(target.state) as api:
            wanted = require_services(target, services or (), await find_running(api))
            for resource in ("deployments.apps", "statefulsets.apps", "daemonsets.apps"):
                selector = project_selector(target.project)
                for workload in await api.list(resource, target.namespace, label_selector=selector):
                    name = labels_of(workload).get(APP_NAME, "")
                    if not wanted or name in wanted or restarts_with(workload) & set(wanted):
                        await api.patch(resource, target.namespace, workload["metadata"]["name"], patch)
                        done.append(name)
        return done

    done = asyncio.run(work())
    if not done:
        raise OperationError(
            f"nothing of {target.project} can be restarted: it has only jobs",
            remedy="`leeward up` runs a job again when it changed.",
        )
    output.say(f"restarting {', '.join(sorted(done))}")
