"""What controllers may say in the status of workloads: numbers that fit together.

Source: pkg/apis/apps/validation/validation.go Validate*Status, pkg/apis/core/validation/validation.go
ValidateReplicationControllerStatus (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable

from leeward.cluster.registry.failures import Failure, invalid
from leeward.cluster.registry.validation.formats import not_negative
from leeward.kube.objects import Obj


def status_failures(
    *counts: str, below: tuple[str, ...] = (), ready: str = "", collisions: bool = False
) -> Callable[[Obj, Obj], list[Failure]]:
    """Return a check of a new status.

    Args:
        counts: numbers that are not negative.
        below: those that are at most ``replicas``.
        ready: how upstream names ``readyReplicas`` where it limits ``availableReplicas``; "": it does not.
        collisions: ``collisionCount`` only grows.
    """

    def check(new: Obj, old: Obj) -> list[Failure]:
        after, before = new.get("status") or {}, old.get("status") or {}
        found = [f for name in counts for f in not_negative(after.get(name), f"status.{name}")]
        most = after.get("replicas") or 0
        found += [
            invalid(f"status.{name}", after.get(name) or 0, "cannot be greater than status.replicas")
            for name in below
            if (after.get(name) or 0) > most
        ]
        available = after.get("availableReplicas") or 0
        if ready and available > (after.get("readyReplicas") or 0):
            found.append(invalid("status.availableReplicas", available, f"cannot be greater than {ready}"))
        count = after.get("collisionCount")
        if collisions and (before.get("collisionCount") or 0) > (count or 0):
            found.append(invalid("status.collisionCount", count or 0, "cannot be decremented"))
        return found

    return check


REPLICATION_CONTROLLER = status_failures(
    "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "observedGeneration",
    below=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"), ready="readyReplicas",
)  # fmt: skip
REPLICA_SET = status_failures(
    "replicas", "fullyLabeledReplicas", "readyReplicas", "availableReplicas", "terminatingReplicas",
    "observedGeneration",
    below=("fullyLabeledReplicas", "readyReplicas", "availableReplicas"), ready="readyReplicas",
)  # fmt: skip
DEPLOYMENT = status_failures(
    "observedGeneration", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas",
    "unavailableReplicas", "terminatingReplicas", "collisionCount",
    below=("updatedReplicas", "readyReplicas", "availableReplicas"), ready="readyReplicas", collisions=True,
)  # fmt: skip
STATEFUL_SET = status_failures(
    "replicas", "readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas",
    "observedGeneration", "collisionCount",
    below=("readyReplicas", "currentReplicas", "updatedReplicas", "availableReplicas"),
    ready="status.readyReplicas", collisions=True,
)  # fmt: skip
DAEMON_SET = status_failures(
    "currentNumberScheduled", "numberMisscheduled", "desiredNumberScheduled", "numberReady",
    "observedGeneration", "updatedNumberScheduled", "numberAvailable", "numberUnavailable",
    "collisionCount", collisions=True,
)  # fmt: skip
