"""The status of a Deployment, and whether it makes progress. Pure.

Source: pkg/controller/deployment/sync.go (calculateStatus), progress.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leeward.cluster.controllers.deployment.rolling import available_of, fenceposts_of, wanted_of
from leeward.kube.objects import Obj, find_condition, format_time, parse_time


def _sum(sets: Sequence[Obj], field: str) -> int:
    return sum((each.get("status") or {}).get(field, 0) for each in sets)


def make_status(
    deployment: Obj, new: Obj | None, sets: Sequence[Obj], now: datetime, *, rolls: bool = True
) -> Obj:
    """Return the Deployment with its status.

    Args:
        deployment: as last read.
        new: the ReplicaSet of the current template, if there is one.
        sets: all its ReplicaSets, `new` included.
        now: time of transitions.
        rolls: a rollout goes on, so its progress and its failures are told.
    """
    wanted = wanted_of(deployment["spec"])
    available, total = sum(available_of(each) for each in sets), _sum(sets, "replicas")
    old = deployment.get("status") or {}
    asked = sum(wanted_of(each["spec"]) for each in sets)
    ours = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total,
        "updatedReplicas": _sum([new], "replicas") if new else 0,
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, asked - available),
    }
    status: Obj = {key: value for key, value in ours.items() if value}
    status["terminatingReplicas"] = _sum(sets, "terminatingReplicas")
    for field in ("conditions", "collisionCount"):
        if old.get(field):
            status[field] = old[field]
    result = _with_available({**deployment, "status": status}, available, wanted, now)
    if not rolls:
        return result
    return _with_failure(_with_progress(result, old, new, now), new, sets, now)


def is_complete(deployment: Obj) -> bool:
    """Tell whether the status says that the rollout is over."""
    status, wanted = deployment.get("status") or {}, wanted_of(deployment["spec"])
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    return seen and all(status.get(count, 0) == wanted for count in counts)


def _with_available(deployment: Obj, available: int, wanted: int, now: datetime) -> Obj:
    enough = available >= wanted - fenceposts_of(deployment).unavailable
    condition = {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }
    return _set(deployment, condition, now)


def with_progressing(deployment: Obj, status: str, reason: str, message: str, now: datetime) -> Obj:
    """Return the Deployment with its Progressing condition set."""
    condition = {"type": "Progressing", "status": status, "reason": reason, "message": message}
    return _set(deployment, condition, now)


def _with_progress(deployment: Obj, old: Obj, new: Obj | None, now: datetime) -> Obj:
    """Say how the rollout goes on; once it is over, Pods that fail later are no matter of progress."""
    if deployment["spec"].get("progressDeadlineSeconds") is None:
        return _without(deployment, "Progressing")
    before = find_condition(deployment, "Progressing") or {}
    status, over = deployment["status"], before.get("reason") == "NewReplicaSetAvailable"
    if over and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return deployment
    subject = f'ReplicaSet "{new["metadata"]["name"]}"' if new else _called(deployment)
    if new is not None and is_complete(deployment):
        text = f"{subject} has successfully progressed."
        return with_progressing(deployment, "True", "NewReplicaSetAvailable", text, now)
    if _has_progressed(old, status):
        text = f"{subject} is progressing."
        condition = {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated", "message": text}
        return _set(deployment, condition, now, touch=True)
    if not over and _is_late(deployment, before, now):
        text = f"{subject} has timed out progressing."
        return with_progressing(deployment, "False", "ProgressDeadlineExceeded", text, now)
    return deployment


def _called(deployment: Obj) -> str:
    return f'Deployment "{deployment["metadata"]["name"]}"'


def with_pause(deployment: Obj, now: datetime) -> Obj:
    """Return the Deployment with its pause, or its end, noted; itself when it is.

    A paused rollout is late at no time; what is late already stays so.
    """
    before = find_condition(deployment, "Progressing") or {}
    paused, noted = bool(deployment["spec"].get("paused")), before.get("reason") == "DeploymentPaused"
    watched = deployment["spec"].get("progressDeadlineSeconds") is not None
    if not watched or before.get("reason") == "ProgressDeadlineExceeded" or paused == noted:
        return deployment
    word = "paused" if paused else "resumed"
    reason = f"Deployment{word.capitalize()}"
    return with_progressing(deployment, "Unknown", reason, f"Deployment is {word}", now)


def _has_progressed(old: Obj, new: Obj) -> bool:
    def outdated(status: Obj) -> int:
        return int(status.get("replicas", 0) - status.get("updatedReplicas", 0))

    more = ("updatedReplicas", "readyReplicas", "availableReplicas")
    grown = any(new.get(field, 0) > old.get(field, 0) for field in more)
    return grown or outdated(new) < outdated(old)


def _with_failure(deployment: Obj, new: Obj | None, sets: Sequence[Obj], now: datetime) -> Obj:
    """Show why a ReplicaSet cannot make Pods; the newest one's reason counts most."""
    ordered = [new] if new else []
    for each in (*ordered, *sets):
        failure = find_condition(each, "ReplicaFailure")
        if failure is not None:
            kept = {key: failure.get(key, "") for key in ("type", "status", "reason", "message")}
            return _set(deployment, kept, now)
    return _without(deployment, "ReplicaFailure")


def _without(deployment: Obj, kind: str) -> Obj:
    if find_condition(deployment, kind) is None:
        return deployment
    status = deployment["status"]
    kept = [each for each in status["conditions"] if each["type"] != kind]
    return {**deployment, "status": {**status, "conditions": kept}}


def _is_late(deployment: Obj, progressing: Obj, now: datetime) -> bool:
    since = progressing.get("lastUpdateTime")
    if not since or progressing.get("reason") == "ProgressDeadlineExceeded":
        return bool(since)
    deadline = deployment["spec"]["progressDeadlineSeconds"]
    return bool((now - parse_time(since)).total_seconds() > deadline)


def seconds_to_deadline(deployment: Obj, now: datetime) -> float | None:
    """Return seconds until the progress deadline; None when nothing is waited for."""
    progressing = find_condition(deployment, "Progressing")
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    at_rest = ("NewReplicaSetAvailable", "ProgressDeadlineExceeded", "DeploymentPaused")
    if not progressing or deadline is None or progressing.get("reason") in at_rest:
        return None
    return float(deadline - (now - parse_time(progressing["lastUpdateTime"])).total_seconds() + 1)


def _set(deployment: Obj, condition: Obj, now: datetime, *, touch: bool = False) -> Obj:
    """Put a condition last, if its status or reason is new or `touch` says so; else nothing changes.

    Source: SetDeploymentCondition of pkg/controller/deployment/util/deployment_util.go.
    """
    old = find_condition(deployment, condition["type"])
    if old is not None and not touch and all(old.get(key) == condition[key] for key in ("status", "reason")):
        return deployment
    since = stamp = format_time(now)
    if old is not None and old.get("status") == condition["status"]:
        since = old.get("lastTransitionTime") or stamp
    new = {**condition, "lastUpdateTime": stamp, "lastTransitionTime": since}
    status = deployment.get("status") or {}
    others = [each for each in status.get("conditions") or () if each["type"] != condition["type"]]
    return {**deployment, "status": {**status, "conditions": [*others, new]}}
