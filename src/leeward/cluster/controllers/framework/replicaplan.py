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
from typing import Any, NamedTuple

from leeward.cluster.controllers.framework.claims import selector_of
from leeward.kube.objects import Obj, annotations_of, find_condition, is_terminating, labels_of, parse_time
from leeward.kube.pods import is_active, is_finished
from leeward.kube.selectors import matches_labels, matches_selector

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
        node, since = pod["spec"].get("nodeName"), _ready_since(pod)
        return (
            bool(node),
            _PHASES.get((pod.get("status") or {}).get("phase", "Pending"), 0),
            since is not None,
            _cost(pod),
            -per_node[node],
            _Age(pod, since, now),
        )

    return sorted(pods, key=rank)


class _Age:
    """Sorts the younger first, by how long they are ready, then how often they were restarted and made."""

    __slots__ = ("_now", "_pod", "_ready")

    def __init__(self, pod: Obj, since: str | None, now: datetime) -> None:
        self._pod = pod
        self._ready = since or ""
        self._now = now

    def __lt__(self, other: _Age) -> bool:
        if self._ready != other._ready:
            return self._is_younger(self._ready, other._ready, other)
        restarts = _restarts(self._pod), _restarts(other._pod)
        if restarts[0] != restarts[1]:
            return restarts[0] > restarts[1]
        created = [str(each["metadata"].get("creationTimestamp", "")) for each in (self._pod, other._pod)]
        return created[0] != created[1] and self._is_younger(created[0], created[1], other)

    def _is_younger(self, mine: str, others: str, other: _Age) -> bool:
        magnitudes = _magnitude(mine, self._now), _magnitude(others, self._now)
        if magnitudes[0] == magnitudes[1]:
            return bool(self._pod["metadata"].get("uid", "") < other._pod["metadata"].get("uid", ""))
        return magnitudes[0] < magnitudes[1]


def _restarts(pod: Obj) -> int:
    statuses = (pod.get("status") or {}).get("containerStatuses") or ()
    return max((each.get("restartCount", 0) for each in statuses), default=0)


def _magnitude(since: str, now: datetime) -> int:
    """Return the binary logarithm of an age in nanoseconds; -1 for none."""
    age = (now - parse_time(since)).total_seconds() if since else 0.0
    return int(math.log2(age * 1e9)) if age > 0 else -1


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _ready_since(pod: Obj) -> str | None:
    """Return since when a Pod is ready, "" when nobody knows; None when it is not."""
    condition = find_condition(pod, "Ready")
    if condition is None or condition.get("status") != "True":
        return None
    return str(condition.get("lastTransitionTime") or "")


class View(NamedTuple):
    """What the status has to know of a Pod."""

    fits: bool  # the selector
    active: bool
    terminating: bool  # and has not ended
    labelled: bool  # as the template says
    ready_since: str | None  # None: it is not ready


def look(replica_set: Obj, pod: Obj) -> View:
    """Look at a Pod of a ReplicaSet."""
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    labels = labels_of(pod)
    active = is_active(pod)
    return View(
        matches_selector(selector_of(replica_set), labels),
        active,
        not active and is_terminating(pod) and not is_finished(pod),
        matches_labels(wanted, labels),
        _ready_since(pod),
    )


class Looks:
    """Looks at Pods, and at those that did not change only once."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Obj, dict[str, tuple[Obj, View]]]] = {}  # by uid: spec, by name

    def at(self, replica_set: Obj, pods: Sequence[Obj]) -> list[View]:
        """Return what is seen of the Pods of a ReplicaSet."""
        uid, spec = replica_set["metadata"]["uid"], replica_set["spec"]
        before = self._known.get(uid)
        old = before[1] if before is not None and before[0] == spec else {}
        new: dict[str, tuple[Obj, View]] = {}
        for pod in pods:
            name = pod["metadata"]["name"]
            seen = old.get(name)
            new[name] = seen if seen is not None and seen[0] is pod else (pod, look(replica_set, pod))
        self._known[uid] = (spec, new)
        return [view for _, view in new.values()]

    def forget(self, gone: Obj) -> None:
        """A ReplicaSet is no more."""
        self._known.pop(gone["metadata"]["uid"], None)


def make_status(replica_set: Obj, views: Sequence[View], now: datetime) -> tuple[Obj, float | None]:
    """Return the status, and seconds until a Pod becomes available by age.

    Args:
        replica_set: the ReplicaSet.
        views: of its Pods.
        now: what ages are measured from.
    """
    active = [view for view in views if view.active]
    since = [view.ready_since for view in active if view.ready_since is not None]
    least = replica_set["spec"].get("minReadySeconds", 0)
    waits = [wait for start in since if (wait := _missing(start, least, now)) > 0] if least else []
    status: Obj = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(1 for view in active if view.labelled),
        "readyReplicas": len(since),
        "availableReplicas": len(since) - len(waits),
        "terminatingReplicas": sum(1 for view in views if view.terminating),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    always = ("replicas", "terminatingReplicas", "observedGeneration")
    status = {key: value for key, value in status.items() if value or key in always}
    old = replica_set.get("status") or {}
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    return status, min(waits, default=None)


def _missing(since: str, least: int, now: datetime) -> float:
    """Return seconds that a Pod ready since then lacks to be available."""
    return max(0.0, least - (now - parse_time(since)).total_seconds()) if since else 0.0
