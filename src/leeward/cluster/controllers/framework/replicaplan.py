"""How many Pods to create, which ones to delete, what the status says. Pure.

Ages count by their magnitude: among Pods about as old as one another the ids decide.

Source: pkg/controller/replicaset/replica_set.go, replica_set_utils.go; ranking of
pkg/controller/controller_utils.go, ActivePodsWithRanks (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, annotations_of, find_condition, is_terminating, labels_of, parse_time
from leeward.kube.pods import available_in, is_active, is_finished, is_ready
from leeward.kube.selectors import matches_labels

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500  # Pods created or deleted at most in one sync
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    create: int
    delete: Sequence[Obj]


def plan(replica_set: Obj, active: Sequence[Obj], related: Sequence[Obj], now: datetime) -> Plan:
    """Compare the active Pods with the wanted number.

    Args:
        replica_set: the ReplicaSet.
        active: its Pods that count.
        related: its Pods and those of the ReplicaSets with the same owner.
        now: what ages are measured from.
    """
    difference = len(active) - int(replica_set["spec"].get("replicas", 1))
    if difference < 0:
        return Plan(min(-difference, BURST), ())
    if not difference:
        return Plan(0, ())
    return Plan(0, rank_for_deletion(active, related, now)[: min(difference, BURST)])


def rank_for_deletion(pods: Sequence[Obj], related: Sequence[Obj], now: datetime) -> list[Obj]:
    """Return `pods` with the most dispensable first: on a node with many `related` ones, among others."""
    per_node = Counter(pod["spec"].get("nodeName") for pod in related if is_active(pod))

    def rank(pod: Obj) -> tuple[Any, ...]:
        status = pod.get("status") or {}
        node = pod["spec"].get("nodeName")
        return (
            bool(node),
            _PHASES.get(status.get("phase", "Pending"), 0),
            is_ready(pod),
            _cost(pod),
            -per_node[node],
            _Age(pod, now),
        )

    return sorted(pods, key=rank)


class _Age:
    """Sorts the younger first, by how long they are ready, then how often they were restarted and made."""

    __slots__ = ("_created", "_now", "_ready", "_restarts", "_uid")

    def __init__(self, pod: Obj, now: datetime) -> None:
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        self._ready = _ready_since(pod)
        self._restarts = max((each.get("restartCount", 0) for each in statuses), default=0)
        self._created = str(pod["metadata"].get("creationTimestamp", ""))
        self._uid = str(pod["metadata"].get("uid", ""))
        self._now = now

    def __lt__(self, other: _Age) -> bool:
        if self._ready != other._ready:
            return self._is_younger(self._ready, other._ready, other)
        if self._restarts != other._restarts:
            return self._restarts > other._restarts
        if self._created != other._created:
            return self._is_younger(self._created, other._created, other)
        return False

    def _is_younger(self, mine: str, others: str, other: _Age) -> bool:
        magnitudes = _magnitude(mine, self._now), _magnitude(others, self._now)
        if magnitudes[0] == magnitudes[1]:
            return self._uid < other._uid
        return magnitudes[0] < magnitudes[1]


def _magnitude(since: str, now: datetime) -> int:
    """Return the binary logarithm of an age in nanoseconds; -1 for none."""
    age = (now - parse_time(since)).total_seconds() if since else 0.0
    return int(math.log2(age * 1e9)) if age > 0 else -1


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _ready_since(pod: Obj) -> str:
    condition = find_condition(pod, "Ready") or {}
    return str(condition.get("lastTransitionTime") or "") if condition.get("status") == "True" else ""


def make_status(
    replica_set: Obj, active: Sequence[Obj], terminating: int, now: datetime
) -> tuple[Obj, float | None]:
    """Return the status, and seconds until a Pod becomes available by age.

    Args:
        replica_set: the ReplicaSet.
        active: its Pods that count.
        terminating: how many of its Pods are on their way out.
        now: what ages are measured from.
    """
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    least = replica_set["spec"].get("minReadySeconds", 0)
    ages = [available_in(pod, least, now) for pod in active]
    ready = [age for age in ages if age is not None]
    status: Obj = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(1 for pod in active if matches_labels(wanted, labels_of(pod))),
        "readyReplicas": len(ready),
        "availableReplicas": sum(1 for age in ready if age == 0),
        "terminatingReplicas": terminating,
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    always = ("replicas", "terminatingReplicas", "observedGeneration")
    status = {key: value for key, value in status.items() if value or key in always}
    old = replica_set.get("status") or {}
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    return status, min((age for age in ready if age > 0), default=None)


def count_terminating(pods: Sequence[Obj]) -> int:
    """Return how many Pods are being deleted and have not ended."""
    return sum(1 for pod in pods if is_terminating(pod) and not is_finished(pod))
