"""How many Pods to create, which ones to delete, what the status says. Pure.

Source: pkg/controller/replicaset/replica_set.go, replica_set_utils.go; ranking of
pkg/controller/controller_utils.go, ActivePodsWithRanks (Kubernetes 1.36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, annotations_of, is_terminating, labels_of
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


def plan(replica_set: Obj, pods: Sequence[Obj], related: Sequence[Obj] | None = None) -> Plan:
    """Compare the active Pods with the wanted number.

    Args:
        replica_set: the ReplicaSet.
        pods: its Pods.
        related: its Pods and those of the ReplicaSets with the same owner; its own when None.
    """
    active = [pod for pod in pods if is_active(pod)]
    difference = len(active) - int(replica_set["spec"].get("replicas", 1))
    if difference < 0:
        return Plan(min(-difference, BURST), ())
    return Plan(0, rank_for_deletion(active, pods if related is None else related)[: min(difference, BURST)])


def rank_for_deletion(pods: Sequence[Obj], related: Sequence[Obj]) -> list[Obj]:
    """Return `pods` with the most dispensable first: on a node with many `related` ones, among others."""
    per_node = Counter(pod["spec"].get("nodeName") for pod in related if is_active(pod))

    def rank(pod: Obj) -> tuple[Any, ...]:
        status = pod.get("status") or {}
        node = pod["spec"].get("nodeName")
        restarts = max((c.get("restartCount", 0) for c in status.get("containerStatuses") or ()), default=0)
        return (
            bool(node),
            _PHASES.get(status.get("phase", "Pending"), 0),
            is_ready(pod),
            _cost(pod),
            -per_node[node],
            _Newest(_ready_since(pod)),
            -restarts,
            _Newest(pod["metadata"].get("creationTimestamp", "")),
        )

    return sorted(pods, key=rank)


class _Newest:
    """Sorts later times first."""

    __slots__ = ("time",)

    def __init__(self, time: str) -> None:
        self.time = time

    def __lt__(self, other: _Newest) -> bool:
        return self.time > other.time

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Newest) and self.time == other.time

    def __hash__(self) -> int:
        return hash(self.time)


def _cost(pod: Obj) -> int:
    try:
        return int(annotations_of(pod).get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _ready_since(pod: Obj) -> str:
    if not is_ready(pod):
        return ""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return next((str(c.get("lastTransitionTime")) for c in conditions if c["type"] == "Ready"), "")


def make_status(replica_set: Obj, pods: Sequence[Obj], now: datetime) -> tuple[Obj, float | None]:
    """Return the status, and seconds until a Pod becomes available by age."""
    active = [pod for pod in pods if is_active(pod)]
    wanted = (replica_set["spec"]["template"].get("metadata") or {}).get("labels") or {}
    ages = [available_in(pod, replica_set["spec"].get("minReadySeconds", 0), now) for pod in active]
    ready = [age for age in ages if age is not None]
    status: Obj = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(1 for pod in active if matches_labels(wanted, labels_of(pod))),
        "readyReplicas": len(ready),
        "availableReplicas": sum(1 for age in ready if age == 0),
        "terminatingReplicas": sum(1 for pod in pods if is_terminating(pod) and not is_finished(pod)),
        "observedGeneration": replica_set["metadata"].get("generation", 0),
    }
    always = ("replicas", "terminatingReplicas", "observedGeneration")
    status = {key: value for key, value in status.items() if value or key in always}
    old = replica_set.get("status") or {}
    if old.get("conditions"):
        status["conditions"] = old["conditions"]
    return status, min((age for age in ready if age > 0), default=None)
