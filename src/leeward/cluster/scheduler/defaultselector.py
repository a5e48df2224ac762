"""The selector by which a Pod without spread constraints is spread: its Services' and its workload's.

Source: ``pkg/scheduler/framework/plugins/helper/spread.go`` (DefaultSelector).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.objects import controller_of
from leeward.kube.selectors import matches_labels

_WORKLOADS = {
    ("v1", "ReplicationController"): "replicationcontrollers",
    ("apps/v1", "ReplicaSet"): "replicasets.apps",
    ("apps/v1", "StatefulSet"): "statefulsets.apps",
}


def default_selector(pod: PodInfo, reader: Reader) -> Mapping[str, Any] | None:
    """Return the combined selector of what selects `pod`, or None when nothing does."""
    labels: dict[str, str] = {}
    for service in reader.list("services", pod.namespace):
        selector = service["spec"].get("selector")
        if selector and matches_labels(selector, pod.labels):
            labels |= selector
    expressions: list[Any] = []
    owner = controller_of(pod.pod)
    resource = _WORKLOADS.get((owner["apiVersion"], owner["kind"])) if owner else None
    found = reader.find(resource, pod.namespace, owner["name"]) if owner and resource else None
    if found is not None:
        selector = found["spec"].get("selector") or {}
        if resource == "replicationcontrollers":
            labels |= selector
        else:
            labels |= selector.get("matchLabels") or {}
            expressions = selector.get("matchExpressions") or []
    if not labels and not expressions:
        return None
    return {"matchLabels": labels, "matchExpressions": expressions}
