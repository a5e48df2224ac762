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
from heapq import nsmallest
from typing import Any

from leeward.cluster.controllers.framework.census import Count, Facts
from leeward.kube.objects import Obj, annotations_of, parse_time
from leeward.kube.pods import available_in, is_active

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
BURST = 500  # Pods created or deleted at most in one sync
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    create: int
    delete: Sequence[Obj]


def plan(replica_set: Obj, count: Count, related: Sequence[Obj], now: datetime) -> Plan:
    """Compare the active Pods with the wanted number.

    Args:
        replica_set: the ReplicaSet.
        count: of its Pods.
        related: its Pods and those of the ReplicaSets with the same owner; of use where there are too many.
        now: what ages are measured from.
    """
    surplus = count.active - int(replica_set["spec"].get("replicas", 1))
    if surplus <= 0:
        return Plan(min(-surplus, BURST), ())
    return Plan(0, most_dispensable(count.active_ones(), related, now, min(surplus, BURST)))


def most_dispensable(pods: Sequence[Facts], related: Sequence[Obj], now: datetime, count: int) -> list[Obj]:
    """Return the `count` most dispensable: on a node with many `related` ones, among others."""
    per_node = Counter(pod["spec"].get("nodeName") for pod in related if is_active(pod))
    magnitudes = _Magnitudes(now)

    def rank(facts: Facts) -> tuple[Any, ...]:
        pod = facts.pod
        node = pod["spec"].get("nodeName")
        return (
            bool(node),
            _PHASES.get((pod.get("status") or {}).get("phase", "Pending"), 0),
            facts.ready_since is not None,
            _cost(pod),
            -per_node[node],
            _Age(facts, magnitudes),
        )

    return [facts.pod for facts in nsmallest(count, pods, key=rank)]


class _Magnitudes(dict[str, int]):
    """Binary logarithms of ages in nanoseconds, -1 for none; most Pods share a few times."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self._now = now

    def __missing__(self, since: str) -> int:
        age = (self._now - parse_time(since)).total_seconds() if since else 0.0
        self[since] = found = int(math.log2(age * 1e9)) if age > 0 else -1
        return found


class _Age:
    """Sorts the younger first, by how long they are ready, then how often they were restarted and made."""

    __slots__ = ("_created", "_magnitudes", "_ready", "_restarts", "_uid")

    def __init__(self, facts: Facts, magnitudes: _Magnitudes) -> None:
        meta = facts.pod["metadata"]
        statuses = (facts.pod.get("status") or {}).get("containerStatuses") or ()
        self._ready = facts.ready_since or ""
        self._restarts = max((each.get("restartCount", 0) for each in statuses), default=0)
        self._created = str(meta.get("creationTimestamp", ""))
        self._uid = str(meta.get("uid", ""))
        self._magnitudes = magnitudes

    def __lt__(self, other: _Age) -> bool:
        if self._ready != other._ready:
            return self._is_younger(self._ready, other._ready, other)
        if self._restarts != other._restarts:
            return self._restarts > other._restarts
        if self._created != other._created:
            return self._is_younger(self._created, other._created, other)
        return False

    def _is_younger(self, mine: str, others: str, other: _Age) -> bool:
        magnitudes = self._magnitudes[mine], self._magnitudes[others]
        if magnitudes[0] == magnitudes[1]:
            return self._uid < other._uid
        return magnitudes[0] < magnitudes[1]


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def make_status(replica_set: Obj, count: Count, now: datetime) -> tuple[Obj, float | None]:
    """Return the status, and seconds until a Pod becomes available by age.

    Args:
        replica_set: the ReplicaSet.
        count: of its Pods.
        now: what ages are measured from.
    """
    least = replica_set["spec"].get("minReadySeconds", 0)
    active = count.active_ones() if least else ()
    young = [age for age in (available_in(each.pod, least, now) for each in active) if age]
    status: Obj = {
        "replicas": count.active,
        "fullyLabeledReplicas": count.labelled,
        "readyReplicas": count.ready,
        "availableReplicas": count.ready - len(young),
        "terminatingReplicas": count.leaving,
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    always = ("replicas", "terminatingReplicas", "observedGeneration")
    status = {key: value for key, value in status.items() if value or key in always}
    old = replica_set.get("status") or {}
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    return status, min(young, default=None)
