"""``leeward ps``: the services of a project and their Pods."""

from __future__ import annotations

from typing import Any

from leeward.cli import options, output


def ps(
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the Pods of a project with their service, zone and state."""
    import asyncio

    from leeward.cli.target import find_running, find_target, require_project

    target = find_target(cluster, files, project_name, env_files)

    async def rows() -> list[dict[str, Any]]:
        from leeward.cli.connection import connect
        from leeward.kube.objects import labels_of
        from leeward.kube.wellknown import APP_NAME, ZONE

        async with connect(target.state) as api:
            if not target.here:
                require_project(target, await find_running(api))
            zones = {
                node["metadata"]["name"]: labels_of(node).get(ZONE, "") for node in await api.list("nodes")
            }
            pods = [pod for pod in await api.list("pods", target.namespace) if labels_of(pod).get(APP_NAME)]
        return sorted((_row(pod, zones) for pod in pods), key=lambda row: (row["service"], row["pod"]))

    columns = ("service", "pod", "zone", "node", "ready", "status", "restarts", "ip")
    output.show_rows(columns, asyncio.run(rows()), form, empty=f"{target.project} is not up")


def _row(pod: dict[str, Any], zones: dict[str, str]) -> dict[str, Any]:
    from leeward.kube.objects import is_terminating, labels_of
    from leeward.kube.wellknown import APP_NAME

    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    states = [container.get("state") or {} for container in containers]
    reasons = [
        state[kind].get("reason") for state in states for kind in ("waiting", "terminated") if kind in state
    ]
    node = pod["spec"].get("nodeName") or ""
    return {
        "service": labels_of(pod).get(APP_NAME, ""),
        "pod": pod["metadata"]["name"],
        "zone": zones.get(node, ""),
        "node": node,
        "ready": f"{sum(1 for c in containers if c.get('ready'))}/{len(pod['spec']['containers'])}",
        "status": "Terminating"
        if is_terminating(pod)
        else next(filter(None, reasons), status.get("phase", "")),
        "restarts": sum(c.get("restartCount", 0) for c in containers),
        "ip": status.get("podIP", ""),
    }
