"""What a Pod needs next. Pure.

Source: pkg/kubelet/kuberuntime/kuberuntime_manager.go, computePodActions (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from leeward.cluster.kubelet.records import Record
from leeward.kube.objects import Obj, parse_time

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


def note_end(record: Record, code: int, reason: str, wall: datetime, mono: float) -> None:
    """A container has ended: it is terminated, and is not started again before its back-off is over."""
    record.phase, record.exit_code, record.reason = "terminated", code, reason
    record.finished_at, record.ready, record.started = wall, False, False
    ran = (wall - record.started_at).total_seconds() if record.started_at else 0.0
    record.failures = 1 if ran >= STABLE_SECONDS else record.failures + 1
    record.retry_at = mono + backoff(record.failures)


def wait_in_backoff(pod: Obj, record: Record, mono: float) -> str:
    """Let a container that is to start again wait for that; returns what to tell of it, "" for nothing."""
    spec, meta = pod["spec"], pod["metadata"]
    policy = spec.get("restartPolicy", "Always")
    again = policy == "Always" or (policy == "OnFailure" and record.exit_code != 0)
    mains = {container["name"] for container in spec["containers"]}
    if record.phase != "terminated" or not again or record.retry_at <= mono or record.name not in mains:
        return ""
    record.last = record.terminated()
    name = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
    record.phase, record.reason = "waiting", "CrashLoopBackOff"
    delay = round(backoff(record.failures))
    record.message = f"back-off {delay}s restarting failed container={record.name} pod={name}"
    return f"Back-off restarting failed container {record.name} in pod {name}"


def deadline_left(pod: Obj, taken_at: datetime | None, wall: datetime) -> float | None:
    """Return how many seconds the Pod may still be active; None: for ever.

    Args:
        pod: the Pod.
        taken_at: since when it counts if its status does not say; None: it does not count yet.
        wall: the time.
    """
    limit = pod["spec"].get("activeDeadlineSeconds")
    told = (pod.get("status") or {}).get("startTime")
    since = parse_time(told) if told else taken_at
    return None if limit is None or since is None else float(limit) - (wall - since).total_seconds()


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
