"""What a Pod needs next. Pure.

Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leeward.cluster.kubelet.records import Record
from leeward.kube.objects import Obj

BACKOFF_FIRST = 10.0
BACKOFF_MAX = 300.0
STABLE_SECONDS = 600.0  # a container that ran this long starts again without delay


@dataclass(frozen=True, slots=True)
class Actions:
    """Containers to start now, and when to look again."""

    start: tuple[str, ...] = ()
    look_again_at: float | None = None  # monotonic seconds


def plan(pod: Obj, records: Mapping[str, Record], now: float) -> Actions:
    """Decide which containers to start.

    Init containers run one after another, each to its end, sidecars among them until they have started;
    then all containers run. A container that ended is started again if the restart policy says so and
    its back-off is over. Ephemeral containers start whenever they are there, and once.

    Args:
        pod: the Pod.
        records: every container by name.
        now: monotonic seconds.
    """
    spec = pod["spec"]
    policy = spec.get("restartPolicy", "Always")
    starts: list[str] = []
    later: list[float] = []
    for container in spec.get("ephemeralContainers") or ():
        if container["name"] in records:
            _consider(records[container["name"]], "Never", now, starts, later)
    for container in spec.get("initContainers") or ():
        record = records[container["name"]]
        sidecar = container.get("restartPolicy") == "Always"
        _consider(
            record, "Always" if sidecar else "OnFailure" if policy == "Always" else policy, now, starts, later
        )
        settled = record.started if sidecar else record.done
        if not settled:
            return Actions(tuple(starts), min(later, default=None))
    for container in spec["containers"]:
        _consider(records[container["name"]], policy, now, starts, later)
    return Actions(tuple(starts), min(later, default=None))


def _consider(record: Record, policy: str, now: float, starts: list[str], later: list[float]) -> None:
    """Add a container to what is started now or looked at later."""
    if record.phase == "running":
        return
    if record.phase == "terminated" and (
        policy == "Never" or (policy == "OnFailure" and record.exit_code == 0)
    ):
        return
    if record.retry_at > now:
        later.append(record.retry_at)
    else:
        starts.append(record.name)


def backoff(failures: int) -> float:
    """Return the delay in seconds before the next start after `failures` crashes in a row."""
    if failures <= 1:
        return 0.0
    return float(min(BACKOFF_FIRST * 2.0 ** (failures - 2), BACKOFF_MAX))


def is_over(pod: Obj, records: Mapping[str, Record]) -> bool:
    """Tell whether nothing will ever run again in this Pod."""
    policy = pod["spec"].get("restartPolicy", "Always")
    if policy == "Always":
        return False
    sidecars = {
        c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"
    }
    for container in pod["spec"].get("initContainers") or ():
        record = records[container["name"]]
        if (
            record.name not in sidecars
            and record.phase == "terminated"
            and record.exit_code
            and policy == "Never"
        ):
            return True
    mains = [records[c["name"]] for c in pod["spec"]["containers"]]
    if not all(record.phase == "terminated" for record in mains):
        return False
    return policy == "Never" or all(record.done for record in mains)
