"""The status of a StatefulSet. Pure.

Source: pkg/controller/statefulset/stateful_set_control.go (computeReplicaStatus), stateful_set_utils.go
(completeRollingUpdate), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from leeward.cluster.controllers.statefulset.plan import is_running_and_ready
from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.pods import available_in
from leeward.kube.wellknown import CONTROLLER_REVISION_HASH


def make_status(
    stateful_set: Obj, pods: Sequence[Obj], revisions: tuple[str, str], now: datetime
) -> tuple[Obj, float | None]:
    """Return the status, and seconds until a Pod becomes available by age.

    Args:
        stateful_set: the StatefulSet.
        pods: its Pods.
        revisions: the names of the current one and of the one that is updated to.
        now: for minReadySeconds.
    """
    current, update = revisions
    seconds = stateful_set["spec"].get("minReadySeconds", 0)
    ready = [pod for pod in pods if is_running_and_ready(pod)]
    ages = [age for pod in ready if (age := available_in(pod, seconds, now)) is not None]
    found = [labels_of(pod).get(CONTROLLER_REVISION_HASH) for pod in pods if not is_terminating(pod)]
    status: Obj = {
        "observedGeneration": stateful_set["metadata"].get("generation", 0),
        "replicas": len(pods),
        "readyReplicas": len(ready),
        "availableReplicas": sum(1 for age in ages if age == 0),
        "currentReplicas": found.count(current),
        "updatedReplicas": found.count(update),
        "currentRevision": current,
        "updateRevision": update,
        "collisionCount": (stateful_set.get("status") or {}).get("collisionCount", 0),
    }
    return status, min((age for age in ages if age), default=None)


def is_complete(stateful_set: Obj, status: Obj) -> bool:
    """Tell whether a rolling update is over, so that what was updated to is the current revision."""
    if (stateful_set["spec"].get("updateStrategy") or {}).get("type") == "OnDelete":
        return False
    counts = ("updatedReplicas", "readyReplicas", "replicas")
    return all(status[count] == stateful_set["spec"].get("replicas", 1) for count in counts)
