"""The rows of ``leeward ps``: what Pods and services are like, in few words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from leeward.delivery.health import judge
from leeward.delivery.promotion.rollout import RELEASE
from leeward.kube.objects import Obj, annotations_of, is_terminating, labels_of, parse_time
from leeward.kube.pods import is_active
from leeward.kube.status import ForbiddenError
from leeward.kube.wellknown import ZONE

if TYPE_CHECKING:
    from leeward.delivery.api import Lists
    from leeward.delivery.services import Service

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


async def zones_of(api: Lists, pods: Iterable[Obj] | None = None) -> dict[str, str]:
    """Return node → zone; where `pods` tell it themselves, or nodes may not be read, {}."""
    if pods is not None and all(labels_of(pod).get(ZONE) or not pod["spec"].get("nodeName") for pod in pods):
        return {}
    try:
        return {node["metadata"]["name"]: labels_of(node).get(ZONE, "") for node in await api.list("nodes")}
    except ForbiddenError:  # nodes are everybody's, and not for everybody to see
        return {}


def pod_row(pod: Obj, service: str, zones: Mapping[str, str]) -> dict[str, Any]:
    """Return what there is to say of a Pod."""
    status = pod.get("status") or {}
    containers = status.get("containerStatuses") or []
    states = [container.get("state") or {} for container in containers]
    reasons = [
        state[kind].get("reason") for state in states for kind in ("waiting", "terminated") if kind in state
    ]
    return {
        "service": service,
        "pod": pod["metadata"]["name"],
        "zone": _zone(pod, zones),
        "node": pod["spec"].get("nodeName") or "",
        "ready": f"{sum(1 for c in containers if c.get('ready'))}/{len(pod['spec']['containers'])}",
        "status": "Terminating"
        if is_terminating(pod)
        else next(filter(None, reasons), status.get("phase", "")),
        "restarts": _restarts(pod),
        "ip": status.get("podIP", ""),
    }


def service_row(
    service: Service,
    pods: Sequence[Obj],
    zones: Mapping[str, str],
    versions: Mapping[str, str],
    now: datetime,
) -> dict[str, Any]:
    """Return what there is to say of a service of an environment.

    Args:
        service: as it is there.
        pods: its Pods.
        zones: node → zone, for Pods that do not tell it.
        versions: release → what people call it.
        now: at the cluster.
    """
    health = judge(service.workload, pods)
    running = [pod for pod in pods if is_active(pod)]
    release = annotations_of(service.workload).get(RELEASE, "")
    born = min((pod["metadata"]["creationTimestamp"] for pod in running), default="")
    return {
        "service": service.name,
        "kind": service.kind,
        "ready": "" if service.kind == "CronJob" else f"{health.ready}/{health.wanted}",
        "status": _status(service, health.done, health.problem),
        "release": release,
        "version": versions.get(release, ""),
        "image": service.image,
        "age": age((now - parse_time(born)).total_seconds()) if born else "",
        "restarts": sum(map(_restarts, running)),
        "zones": ", ".join(sorted({zone for pod in running if (zone := _zone(pod, zones))})),
        "pods": [pod["metadata"]["name"] for pod in pods],
    }


def _status(service: Service, done: bool, problem: str) -> str:
    if service.kind == "CronJob":
        return f"scheduled {service.workload['spec'].get('schedule', '')}".rstrip()
    if service.kind == "Job":
        return "completed" if done else problem or "running"
    return "up" if done else problem or "not up"


def _zone(pod: Obj, zones: Mapping[str, str]) -> str:
    return labels_of(pod).get(ZONE) or zones.get(pod["spec"].get("nodeName") or "", "")


def _restarts(pod: Obj) -> int:
    return sum(
        each.get("restartCount", 0) for each in (pod.get("status") or {}).get("containerStatuses") or ()
    )


def age(seconds: float) -> str:
    """Return how long something is there, in its largest unit: ``5m``, ``3h``, ``12d``."""
    whole = max(int(seconds), 0)
    return next((f"{whole // unit}{name}" for unit, name in _UNITS if whole >= unit), "0s")
