"""The status of a Deployment, and whether it makes progress. Pure.

Source: pkg/controller/deployment/sync.go (calculateStatus), progress.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leeward.cluster.controllers.deployment.rolling import available_of, fenceposts_of, wanted_of
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, find_condition, parse_time


def _sum(sets: Sequence[Obj], field: str) -> int:
    return sum((each.get("status") or {}).get(field, 0) for each in sets)


def make_status(deployment: Obj, new: Obj | None, sets: Sequence[Obj], now: datetime) -> Obj:
    """Return the Deployment with its status.

    Args:
        deployment: as last read.
        new: the ReplicaSet of the current template, if there is one.
        sets: all its ReplicaSets, `new` included.
        now: time of transitions.
    """
    wanted = wanted_of(deployment["spec"])
    available, total = sum(available_of(each) for each in sets), _sum(sets, "replicas")
    old = deployment.get("status") or {}
    updated = _sum([new], "replicas") if new else 0
    ours = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": total,
        "updatedReplicas": updated,
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted_or_total(wanted, total) - available),
    }
    status: Obj = {key: value for key, value in ours.items() if value}
    for field in ("conditions", "collisionCount"):
        if old.get(field):
            status[field] = old[field]
    result = _with_available({**deployment, "status": status}, available, wanted, now)
    return _with_progress(result, old, new, now, updated, total, available)


def wanted_or_total(wanted: int, total: int) -> int:
    """Return how many Pods ought to be available: those that are there count."""
    return max(wanted, total)


def _with_available(deployment: Obj, available: int, wanted: int, now: datetime) -> Obj:
    enough = available >= wanted - (fenceposts_of(deployment).unavailable if wanted else 0)
    condition = {
        "type": "Available",
        "status": "True" if enough else "False",
        "reason": "MinimumReplicasAvailable" if enough else "MinimumReplicasUnavailable",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }
    return _set(deployment, condition, now)


def _with_progress(
    deployment: Obj, old: Obj, new: Obj | None, now: datetime, updated: int, total: int, available: int
) -> Obj:
    wanted = wanted_of(deployment["spec"])
    complete = new is not None and updated == wanted == total and available == wanted
    name = new["metadata"]["name"] if new else ""
    progressed = (
        updated > old.get("updatedReplicas", 0)
        or available > old.get("availableReplicas", 0)
        or total - updated < old.get("replicas", 0) - old.get("updatedReplicas", 0)
    )
    before = find_condition(deployment, "Progressing")
    if complete:
        text = f'ReplicaSet "{name}" has successfully progressed.'
        reason, status = "NewReplicaSetAvailable", "True"
    elif progressed or before is None or before.get("reason") == "NewReplicaSetAvailable":
        text = f'ReplicaSet "{name}" is progressing.'
        reason, status = "ReplicaSetUpdated", "True"
    elif _is_late(deployment, before, now):
        text = f'ReplicaSet "{name}" has timed out progressing.'
        reason, status = "ProgressDeadlineExceeded", "False"
    else:
        return deployment
    condition = {"type": "Progressing", "status": status, "reason": reason, "message": text}
    return _set(deployment, condition, now, touch=progressed)


def _is_late(deployment: Obj, progressing: Obj, now: datetime) -> bool:
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    since = progressing.get("lastUpdateTime")
    if deadline is None or not since or deployment["spec"].get("paused"):
        return bool(progressing.get("reason") == "ProgressDeadlineExceeded")
    return bool((now - parse_time(since)).total_seconds() >= deadline)


def seconds_to_deadline(deployment: Obj, now: datetime) -> float | None:
    """Return seconds until the progress deadline; None when nothing is waited for."""
    progressing = find_condition(deployment, "Progressing")
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    if not progressing or deadline is None or progressing.get("reason") != "ReplicaSetUpdated":
        return None
    return float(deadline - (now - parse_time(progressing["lastUpdateTime"])).total_seconds() + 1)


def _set(deployment: Obj, condition: Obj, now: datetime, *, touch: bool = False) -> Obj:
    """Replace a condition; lastUpdateTime moves when it says something new, or on progress."""
    old = find_condition(deployment, condition["type"])
    same = old is not None and all(old.get(key) == value for key, value in condition.items())
    if same and not touch:
        return deployment
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return with_condition(deployment, {**condition, "lastUpdateTime": stamp}, now)
