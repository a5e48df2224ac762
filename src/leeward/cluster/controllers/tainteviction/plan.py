"""When a Pod must leave a tainted node.

Source: ``pkg/controller/tainteviction/taint_eviction.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from leeward.kube.objects import Obj, find_condition, parse_time

Toleration = Mapping[str, Any]


def no_execute_taints(node: Obj) -> list[dict[str, Any]]:
    """Return the node's NoExecute taints."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return [taint for taint in taints if taint.get("effect") == "NoExecute"]


def _matches(toleration: Toleration, taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", "NoExecute"):
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (taint.get("value") or "")


def deadline(pod: Obj, taints: Sequence[Mapping[str, Any]], seen: datetime) -> datetime | None:
    """Return when `pod` must go; None: it may stay. Of several tolerations of a taint the first counts.

    Args:
        pod: the Pod.
        taints: the NoExecute taints of its node; not empty.
        seen: when the taints were first seen, for those that do not say when they were added.
    """
    tolerations: Sequence[Toleration] = pod["spec"].get("tolerations") or ()
    limits: list[int] = []
    for taint in taints:
        first = next((found for found in tolerations if _matches(found, taint)), None)
        if first is None:
            return seen
        if first.get("tolerationSeconds") is not None:
            limits.append(first["tolerationSeconds"])
    if not limits:
        return None
    added = [parse_time(taint["timeAdded"]) for taint in taints if taint.get("timeAdded")]
    start = max(added) if len(added) == len(taints) else seen
    arrived = (find_condition(pod, "PodScheduled") or {}).get("lastTransitionTime")
    if arrived:  # what came after the taint is tolerated from then on
        start = max(start, parse_time(arrived))
    return start + timedelta(seconds=max(min(limits), 0))
