"""Is it up? What a workload's status and its Pods say, in words. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.kube.objects import Obj, annotations_of, is_condition_true, is_terminating, labels_of
from leeward.kube.wellknown import (
    APP_NAME,
    CONTROLLER_REVISION_HASH,
    DEPENDS_ON,
    POD_TEMPLATE_HASH,
    RESTART_AFTER,
)

WORKLOADS = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "DaemonSet": "daemonsets.apps",
    "Job": "jobs.batch",
    "CronJob": "cronjobs.batch",
}
_HOPELESS = frozenset(("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"))
_CRASHES = 3  # restarts after which waiting longer is pointless


@dataclass(frozen=True, slots=True)
class Health:
    """One service's state."""

    service: str
    kind: str
    ready: int
    wanted: int
    done: bool  # as it should be: rolled out, or a Job that completed
    problem: str = ""  # what keeps it from getting there
    hopeless: bool = False  # it will not get there by waiting


def judge(workload: Obj, pods: Iterable[Obj]) -> Health:
    """Judge one workload.

    Args:
        workload: a Deployment, StatefulSet, DaemonSet, Job or CronJob.
        pods: the Pods of its service.
    """
    pods = list(pods)
    kind = workload["kind"]
    service = labels_of(workload).get(APP_NAME) or workload["metadata"]["name"]
    if kind == "CronJob":  # it is as it should be when it is there; its runs are for another time
        return Health(service, kind, 0, 0, True)
    status = workload.get("status") or {}
    wanted, ready, rolled = _COUNTS[kind](workload.get("spec") or {}, status)
    current = status.get("observedGeneration", 0) >= workload["metadata"].get("generation", 0)
    problem, hopeless = _problem(_newest(pods))
    if kind == "Job" and is_condition_true(workload, "Failed"):
        return Health(service, kind, ready, wanted, False, problem or "the job failed", True)
    done = ready >= wanted and rolled and (current or kind == "Job")
    return Health(service, kind, ready, wanted, done, "" if done else problem, hopeless and not done)


def is_probed(workload: Obj) -> bool:
    """Tell whether "ready" means more of a workload's Pods than that their programs have started."""
    if workload["kind"] in ("Job", "CronJob"):
        return True  # they have to end
    containers = workload["spec"]["template"]["spec"]["containers"]
    return all("readinessProbe" in container for container in containers)


def _deployment(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int, int, bool]:
    wanted = spec.get("replicas", 1)
    rolled = status.get("updatedReplicas", 0) >= wanted and status.get("replicas", 0) <= wanted
    return wanted, status.get("availableReplicas", 0), rolled


def _stateful_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int, int, bool]:
    same = status.get("currentRevision") == status.get("updateRevision")
    return spec.get("replicas", 1), status.get("readyReplicas", 0), same


def _daemon_set(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int, int, bool]:
    wanted = status.get("desiredNumberScheduled", 0)
    seen = "observedGeneration" in status
    return wanted, status.get("numberReady", 0), seen and status.get("updatedNumberScheduled", 0) >= wanted


def _job(spec: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[int, int, bool]:
    complete = any(c["type"] == "Complete" and c["status"] == "True" for c in status.get("conditions") or ())
    return spec.get("completions", 1), status.get("succeeded", 0), complete


_COUNTS = {"Deployment": _deployment, "StatefulSet": _stateful_set, "DaemonSet": _daemon_set, "Job": _job}


def _newest(pods: list[Obj]) -> list[Obj]:
    """Return the Pods of the newest template: what older ones suffer from is about to go."""
    latest = max(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), default=None)
    if latest is None:
        return []
    return [pod for pod in pods if _revision(pod) == _revision(latest)]


def _revision(pod: Obj) -> str | None:
    labels = labels_of(pod)
    return labels.get(POD_TEMPLATE_HASH) or labels.get(CONTROLLER_REVISION_HASH)


def _problem(pods: Iterable[Obj]) -> tuple[str, bool]:
    """Return the first thing that keeps a Pod from being ready, and whether it is hopeless."""
    for pod in pods:
        if is_terminating(pod):
            continue
        status = pod.get("status") or {}
        for container in [
            *(status.get("initContainerStatuses") or ()),
            *(status.get("containerStatuses") or ()),
        ]:
            waiting = (container.get("state") or {}).get("waiting") or {}
            reason = waiting.get("reason", "")
            if reason in _HOPELESS:
                return f"{reason}: {waiting.get('message', '')}".rstrip(": "), True
            if reason == "CrashLoopBackOff":
                return _crash(container)
            if reason and reason not in ("ContainerCreating", "PodInitializing"):
                return f"{reason}: {waiting.get('message', '')}".rstrip(": "), False
        for condition in status.get("conditions") or ():
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return condition.get("message", "cannot be scheduled"), False
    return "", False


def _crash(container: Obj) -> tuple[str, bool]:
    """Say how a container ended that ends again and again, and whether it is hopeless."""
    last = (container.get("lastState") or {}).get("terminated") or {}
    if last.get("reason") == "StartError":
        return f"it cannot be started: {last.get('message', '')}", True
    crashes = container.get("restartCount", 0)
    return f"it ends again and again (exit code {last.get('exitCode', '?')})", crashes >= _CRASHES


@dataclass(frozen=True, slots=True)
class Dependency:
    """What a workload waits for in a service."""

    condition: str  # service_started, service_healthy or service_completed_successfully
    required: bool = True  # False: when the service cannot come up, the workload starts without it


def dependencies(workload: Obj) -> dict[str, Dependency]:
    """Return the services a workload waits for, and what of each."""
    text = annotations_of(workload).get(DEPENDS_ON)
    found = json.loads(text) if text else {}
    return {
        name: Dependency(entry.get("condition", "service_started"), entry.get("required", True))
        if isinstance(entry, dict)
        else Dependency(entry)
        for name, entry in found.items()
    }


def restarts_with(workload: Obj) -> frozenset[str]:
    """Return the services whose restart is also this workload's (``depends_on`` with ``restart: true``)."""
    template = (workload.get("spec") or {}).get("template") or {}
    text = annotations_of(template).get(RESTART_AFTER) if "metadata" in template else None
    return frozenset(json.loads(text)) if text else frozenset()


def is_met(dependency: Dependency, health: Health | None, exists: bool) -> bool:
    """Tell whether a workload need not wait for a dependency any longer.

    Args:
        dependency: what is waited for.
        health: the dependency's state; None when it is not there.
        exists: whether its workload has been applied.
    """
    if dependency.condition == "service_started":
        return exists
    if health is None:
        return False
    return health.done or (health.hopeless and not dependency.required)


def dispensable(workloads: Iterable[Obj]) -> frozenset[str]:
    """Return the services that others wait for, but none of them must have."""
    wanted = [item for workload in workloads for item in dependencies(workload).items()]
    needed = {name for name, dependency in wanted if dependency.required}
    return frozenset(name for name, _ in wanted) - needed
