"""What a kubelet remembers about the containers of a Pod, and what their status says. Pure.

Source: pkg/kubelet/kubelet_pods.go (convertToAPIContainerStatuses, getPhase), pkg/kubelet/status/generate.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, find_condition, format_time, parse_time


@dataclass
class Record:
    """One container of a Pod; changed only by the Pod's own worker."""

    name: str
    image: str
    image_id: str = ""
    container_id: str = ""
    phase: str = "waiting"  # waiting, running, terminated
    reason: str = ""  # of waiting or terminated
    message: str = ""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    restarts: int = 0
    started: bool = False  # the startup probe passed, or there is none
    ready: bool = False
    last: dict[str, Any] | None = None  # the previous terminated state
    failures: int = 0  # crashes in a row, for the back-off
    retry_at: float = 0.0  # monotonic time before which it is not started again
    attempt: int = 0

    def state(self) -> dict[str, Any]:
        """Return the state as in ContainerStatus."""
        if self.phase == "running":
            return {"running": {"startedAt": _time(self.started_at)}}
        if self.phase == "terminated":
            return {"terminated": self.terminated()}
        waiting = {"reason": self.reason or "ContainerCreating"}
        return {"waiting": {**waiting, "message": self.message} if self.message else waiting}

    def terminated(self) -> dict[str, Any]:
        """Return the terminated state."""
        result: dict[str, Any] = {"exitCode": self.exit_code, "reason": self.reason}
        if self.message:
            result["message"] = self.message
        result["startedAt"], result["finishedAt"] = _time(self.started_at), _time(self.finished_at)
        return {**result, "containerID": self.container_id}

    def to_status(self) -> dict[str, Any]:
        """Return the ContainerStatus."""
        status: dict[str, Any] = {
            "name": self.name,
            "state": self.state(),
            "lastState": {"terminated": self.last} if self.last else {},
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": self.image_id,
            "started": self.started,
        }
        if self.container_id:
            status["containerID"] = self.container_id
        return status

    def run_again(self) -> None:
        """Forget that it ran, because what it did has gone."""
        if self.phase == "terminated":
            self.last = self.terminated()
            self.phase, self.reason, self.message, self.retry_at = "waiting", "PodInitializing", "", 0.0

    @property
    def done(self) -> bool:
        """It ended well."""
        return self.phase == "terminated" and self.exit_code == 0


def record_from_status(container: Obj, status: Obj | None, now: datetime) -> Record:
    """Return the record of a container whose kubelet or machine was restarted.

    What was running is gone: it counts as killed. What had ended stays ended.
    """
    record = Record(container["name"], container["image"])
    if not status:
        return record
    record.restarts = record.attempt = status.get("restartCount", 0)
    state = status.get("state") or {}
    record.last = (status.get("lastState") or {}).get("terminated")
    if "terminated" in state:
        ended = state["terminated"]
        record.phase, record.reason, record.exit_code = (
            "terminated",
            ended.get("reason", ""),
            ended["exitCode"],
        )
        record.message, record.image_id = ended.get("message", ""), status.get("imageID", "")
        record.container_id = ended.get("containerID", "")
        record.started_at = parse_time(ended["startedAt"]) if ended.get("startedAt") else now
        record.finished_at = parse_time(ended["finishedAt"]) if ended.get("finishedAt") else now
    elif "running" in state:
        record.phase, record.reason, record.exit_code = "terminated", "ContainerStatusUnknown", 137
        record.message = "The container could not be located when the pod was restarted"
        record.container_id = status.get("containerID", "")
        record.finished_at = record.started_at = now
    return record


def pod_phase(pod: Obj, records: list[Record], init: list[Record]) -> str:
    """Return Pending, Running, Succeeded or Failed."""
    policy = pod["spec"].get("restartPolicy", "Always")
    sidecars = _sidecar_names(pod)
    inits = [record for record in init if record.name not in sidecars]
    if any(r.phase == "terminated" and r.exit_code and policy == "Never" for r in inits):
        return "Failed"
    if not all(record.done for record in inits):
        return "Pending"
    if all(record.phase == "terminated" for record in records) and records:
        if policy == "Never" or (policy == "OnFailure" and all(record.done for record in records)):
            return "Succeeded" if all(record.done for record in records) else "Failed"
        return "Running"
    return "Pending" if any(r.phase == "waiting" and not r.last for r in records) else "Running"


def _sidecar_names(pod: Obj) -> set[str]:
    return {c["name"] for c in pod["spec"].get("initContainers") or () if c.get("restartPolicy") == "Always"}


def make_status(
    pod: Obj,
    records: list[Record],
    init: list[Record],
    ephemeral: Sequence[Record] = (),
    *,
    pod_ip: str,
    host_ip: str,
    started_at: datetime,
    now: datetime,
    failure: tuple[str, str] | None = None,
) -> Obj:
    """Return the status of a Pod.

    Args:
        pod: as last read.
        records: its containers.
        init: its init containers.
        ephemeral: those that were added to look into it.
        pod_ip: "" before there is one.
        host_ip: the node's address.
        started_at: when the kubelet took the Pod.
        now: time of transitions.
        failure: (reason, message) when the kubelet gave the Pod up.
    """
    old = pod.get("status") or {}
    phase = "Failed" if failure else pod_phase(pod, records, init)
    if old.get("phase") in ("Succeeded", "Failed"):
        phase = old["phase"]  # whoever said so: it does not live again
    finished = phase in ("Succeeded", "Failed")
    sidecars = _sidecar_names(pod)
    initialized = all(r.done or (r.name in sidecars and r.started) for r in init) or phase == "Succeeded"
    serving = [*(record for record in init if record.name in sidecars), *records]
    ready = not finished and bool(records) and all(record.ready for record in serving)
    unready = [record.name for record in serving if not record.ready]
    reason = "PodCompleted" if phase == "Succeeded" else "PodFailed" if finished else "ContainersNotReady"
    message = "" if finished else f"containers with unready status: [{' '.join(unready)}]"
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    shut = [gate for gate in gates if not _is_true(old, gate)]
    if ready and shut:
        reason = "ReadinessGatesNotReady"
        message = "; ".join(
            f'corresponding condition of pod readiness gate "{g}" does not exist.' for g in shut
        )
    wanted = [
        ("PodReadyToStartContainers", bool(pod_ip) and not finished, "", ""),
        ("Initialized", initialized, "" if initialized else "ContainersNotInitialized", ""),
        (
            "Ready",
            ready and not shut,
            "" if ready and not shut else reason,
            "" if ready and not shut else message,
        ),
        ("ContainersReady", ready, "" if ready else reason, "" if ready else message),
    ]
    conditions = [_condition(old, *each, now) for each in wanted]
    ours = {each["type"] for each in conditions}
    conditions += [each for each in old.get("conditions") or () if each["type"] not in ours]
    status: Obj = {key: value for key, value in old.items() if key not in ("reason", "message")}
    status.update(phase=phase, conditions=conditions, hostIP=host_ip, hostIPs=[{"ip": host_ip}])
    status["startTime"] = old.get("startTime") or format_time(started_at)
    if pod_ip:
        status.update(podIP=pod_ip, podIPs=[{"ip": pod_ip}])
    if init:
        status["initContainerStatuses"] = [record.to_status() for record in init]
    status["containerStatuses"] = [record.to_status() for record in records]
    if ephemeral:
        status["ephemeralContainerStatuses"] = [_without_start(record.to_status()) for record in ephemeral]
    if failure:
        status["reason"], status["message"] = failure
    status["observedGeneration"] = pod["metadata"].get("generation", 0)
    return status


def _without_start(status: Obj) -> Obj:
    """Return the status of a container that is never probed."""
    return {key: value for key, value in status.items() if key != "started"}


def _is_true(status: Obj, kind: str) -> bool:
    return any(c["type"] == kind and c["status"] == "True" for c in status.get("conditions") or ())


def _condition(old: Obj, kind: str, holds: bool, reason: str, message: str, now: datetime) -> dict[str, Any]:
    before = find_condition({"status": old}, kind)
    text = "True" if holds else "False"
    since = before["lastTransitionTime"] if before and before["status"] == text else format_time(now)
    result = {"type": kind, "status": text, "lastProbeTime": None, "lastTransitionTime": since}
    if reason:
        result["reason"] = reason
    if message:
        result["message"] = message
    return result


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment else None
