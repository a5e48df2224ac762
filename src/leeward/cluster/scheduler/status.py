"""What the scheduler writes into Pods' status.

Source: ``pkg/scheduler/schedule_one.go`` (updatePod), ``pkg/scheduler/framework/preemption/executor.go``.
"""

from __future__ import annotations

from typing import Any

from leeward.base.clock import PassiveClock
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, ObjectKey, find_condition, format_time


def _with_condition(pod: Obj, condition: dict[str, Any], now: str) -> Obj:
    old = find_condition(pod, condition["type"])
    since = old.get("lastTransitionTime") if old and old.get("status") == condition["status"] else now
    new = {**condition, "lastProbeTime": None, "lastTransitionTime": since}
    status = pod.get("status") or {}
    others = [found for found in status.get("conditions") or () if found["type"] != condition["type"]]
    return {**pod, "status": {**status, "conditions": [*others, new]}}


def set_unscheduled(
    client: Client,
    clock: PassiveClock,
    key: ObjectKey,
    reason: str,
    message: str,
    *,
    nominated_node: str | None = None,
) -> None:
    """Write the PodScheduled condition "False"; writes nothing when it says so already.

    Args:
        client: writes it.
        clock: says when it became so.
        key: of which Pod.
        reason: one word.
        message: the rest.
        nominated_node: where others make way for it; "" for nowhere, None to leave that as it is.
    """
    pod = client.find("pods", *key)
    if pod is None or pod["spec"].get("nodeName"):
        return
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    old = find_condition(pod, "PodScheduled") or {}
    unchanged = all(old.get(name) == value for name, value in condition.items())
    nominated = (pod.get("status") or {}).get("nominatedNodeName") or ""
    wanted = nominated if nominated_node is None else nominated_node
    if unchanged and wanted == nominated:
        return
    new = _with_condition(pod, condition, format_time(clock.now()))
    client.update_status("pods", _with_nomination(new, wanted))


def _with_nomination(pod: Obj, node: str) -> Obj:
    others = {name: value for name, value in (pod.get("status") or {}).items() if name != "nominatedNodeName"}
    return {**pod, "status": {**others, **({"nominatedNodeName": node} if node else {})}}


def nominate(client: Client, key: ObjectKey, node: str) -> None:
    """Write ``status.nominatedNodeName``; "" takes it back."""
    pod = client.find("pods", *key)
    if pod is not None and ((pod.get("status") or {}).get("nominatedNodeName") or "") != node:
        client.update_status("pods", _with_nomination(pod, node))


def mark_preempted(client: Client, clock: PassiveClock, key: ObjectKey, scheduler: str) -> None:
    """Write the DisruptionTarget condition of a victim."""
    pod = client.find("pods", *key)
    if pod is None:
        return
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "PreemptionByScheduler",
        "message": f"{scheduler}: preempting to accommodate a higher priority pod",
    }
    client.update_status("pods", _with_condition(pod, condition, format_time(clock.now())))
