"""What a node's silence and conditions mean: conditions, taints, and how fast its zone may be evicted.

Source: ``pkg/controller/nodelifecycle`` (node_lifecycle_controller.go; Kubernetes 1.36).
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, find_condition, format_time, labels_of, parse_time
from leeward.kube.wellknown import (
    ARCH,
    OS,
    REGION,
    TAINT_NOT_READY,
    TAINT_UNREACHABLE,
    TAINT_UNSCHEDULABLE,
    ZONE,
)

Taint = dict[str, Any]
UNKNOWN_REASON = "NodeStatusUnknown"
_MONITORED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
_CONDITION_TAINTS = {
    ("Ready", "False"): TAINT_NOT_READY,
    ("Ready", "Unknown"): TAINT_UNREACHABLE,
    ("MemoryPressure", "True"): "node.kubernetes.io/memory-pressure",
    ("DiskPressure", "True"): "node.kubernetes.io/disk-pressure",
    ("PIDPressure", "True"): "node.kubernetes.io/pid-pressure",
    ("NetworkUnavailable", "True"): "node.kubernetes.io/network-unavailable",
}
_NO_SCHEDULE = frozenset((*_CONDITION_TAINTS.values(), TAINT_UNSCHEDULABLE))
EVICTING_TAINTS = frozenset((TAINT_NOT_READY, TAINT_UNREACHABLE))
EXCLUDED = "node.kubernetes.io/exclude-disruption"
_LABEL_COPIES = {OS: "beta.kubernetes.io/os", ARCH: "beta.kubernetes.io/arch"}

PARTIAL_SHARE = 0.55  # of a zone's nodes not ready
PARTIAL_MORE_THAN = 2  # nodes
LARGE_ZONE = 50  # nodes; a smaller one is not evicted while partially disrupted
SECONDARY_SHARE = 0.1  # of the normal rate, for a large zone partially disrupted


class ZoneState(enum.Enum):
    """How a zone is doing."""

    NORMAL = "Normal"
    PARTIAL = "PartialDisruption"
    FULL = "FullDisruption"


def ready_status(node: Obj) -> str:
    """Return the status of the Ready condition; "" when the node has never reported."""
    status: str = (find_condition(node, "Ready") or {}).get("status") or ""
    return status


def zone_of(node: Obj) -> str:
    """Return the key by which nodes are grouped: region and zone."""
    labels = labels_of(node)
    return f"{labels.get(REGION, '')}:{labels.get(ZONE, '')}"


def zone_state(ready: Sequence[bool]) -> ZoneState:
    """Classify a zone by which of its nodes are ready."""
    lost = len(ready) - sum(ready)
    if lost == len(ready) and lost > 0:
        return ZoneState.FULL
    if lost > PARTIAL_MORE_THAN and lost / len(ready) >= PARTIAL_SHARE:
        return ZoneState.PARTIAL
    return ZoneState.NORMAL


def eviction_rate(state: ZoneState, nodes: int, normal: float) -> float:
    """Return how many nodes a second of a zone may get NoExecute taints.

    Args:
        state: of the zone.
        nodes: how many it has.
        normal: nodes a second in normal times.
    """
    if state is ZoneState.PARTIAL:
        return normal * SECONDARY_SHARE if nodes > LARGE_ZONE else 0.0
    return normal


def last_sign_of_life(node: Obj, lease: Obj | None, first_seen: datetime) -> datetime:
    """Return when the node was last heard of, not before `first_seen`."""
    heard = [first_seen]
    renewed = ((lease or {}).get("spec") or {}).get("renewTime")
    heartbeat = (find_condition(node, "Ready") or {}).get("lastHeartbeatTime")
    heard.extend(parse_time(text) for text in (renewed, heartbeat) if text)
    return max(heard)


def mark_unknown(node: Obj, now: datetime) -> Obj:
    """Return the node with the conditions that its kubelet should have renewed set to Unknown."""
    status = node.get("status") or {}
    kept = list(status.get("conditions") or ())
    stamp = format_time(now)
    for kind in _MONITORED:
        old = next((found for found in kept if found["type"] == kind), None)
        if old is None:
            kept.append(
                {
                    "type": kind,
                    "status": "Unknown",
                    "reason": "NodeStatusNeverUpdated",
                    "message": "Kubelet never posted node status.",
                    "lastHeartbeatTime": node["metadata"].get("creationTimestamp") or stamp,
                    "lastTransitionTime": stamp,
                }
            )
        elif old.get("status") != "Unknown":
            kept[kept.index(old)] = {
                **old,
                "status": "Unknown",
                "reason": UNKNOWN_REASON,
                "message": "Kubelet stopped posting node status.",
                "lastTransitionTime": stamp,
            }
    return {**node, "status": {**status, "conditions": kept}}


def wanted_no_schedule(node: Obj) -> set[str]:
    """Return the keys of the NoSchedule taints that the node's state calls for."""
    found = {
        key
        for (kind, status), key in _CONDITION_TAINTS.items()
        if (find_condition(node, kind) or {}).get("status") == status
    }
    if (node.get("spec") or {}).get("unschedulable"):
        found.add(TAINT_UNSCHEDULABLE)
    return found


def wanted_no_execute(node: Obj) -> str | None:
    """Return the key of the NoExecute taint that the node's state calls for."""
    return {"False": TAINT_NOT_READY, "Unknown": TAINT_UNREACHABLE}.get(ready_status(node))


def evicting_taints(node: Obj) -> set[str]:
    """Return the keys of the NoExecute taints of ours that the node has."""
    taints: Iterable[Taint] = (node.get("spec") or {}).get("taints") or ()
    return {taint["key"] for taint in taints if taint["effect"] == "NoExecute"} & EVICTING_TAINTS


def is_counted(node: Obj) -> bool:
    """Tell whether the node counts when the state of its zone is judged."""
    return EXCLUDED not in labels_of(node)


def view_of(node: Obj) -> tuple[object, ...]:
    """Return what a change of a node has to change for it to matter here."""
    conditions = (node.get("status") or {}).get("conditions") or ()
    spec = node.get("spec") or {}
    stated = [(found.get("type"), found.get("status")) for found in conditions]
    return stated, spec.get("taints"), spec.get("unschedulable"), labels_of(node)


def with_no_schedule(node: Obj, wanted: set[str], now: datetime) -> Obj:
    """Return the node with exactly these NoSchedule taints of ours; itself when nothing changes."""
    return _with_taints(node, "NoSchedule", _NO_SCHEDULE, wanted, now)


def with_no_execute(node: Obj, wanted: str | None, now: datetime) -> Obj:
    """Return the node with this NoExecute taint of ours (None: without any); itself when nothing changes."""
    return _with_taints(node, "NoExecute", EVICTING_TAINTS, {wanted} if wanted else set(), now)


def _with_taints(node: Obj, effect: str, ours: Collection[str], wanted: set[str], now: datetime) -> Obj:
    old: Sequence[Taint] = (node.get("spec") or {}).get("taints") or ()
    kept = [
        taint
        for taint in old
        if taint["effect"] != effect or taint["key"] not in ours or taint["key"] in wanted
    ]
    present = {taint["key"] for taint in kept if taint["effect"] == effect}
    stamp = format_time(now)
    added = [{"key": key, "effect": effect, "timeAdded": stamp} for key in sorted(wanted - present)]
    if not added and len(kept) == len(old):
        return node
    spec = {name: value for name, value in (node.get("spec") or {}).items() if name != "taints"}
    taints = [*kept, *added]
    return {**node, "spec": {**spec, "taints": taints} if taints else spec}


def with_labels(node: Obj) -> Obj:
    """Return the node with the old names of its OS and architecture labels; itself when they agree."""
    labels = labels_of(node)
    wanted = {old: labels[new] for new, old in _LABEL_COPIES.items() if new in labels}
    if all(labels.get(key) == value for key, value in wanted.items()):
        return node
    return {**node, "metadata": {**node["metadata"], "labels": {**labels, **wanted}}}


def mark_pod_not_ready(pod: Obj, now: datetime) -> Obj | None:
    """Return the Pod with Ready "False", or None when it says so already."""
    ready = find_condition(pod, "Ready")
    if ready is None or ready.get("status") != "True":
        return None
    new = {**ready, "status": "False", "lastTransitionTime": format_time(now)}
    conditions = [new if found is ready else found for found in pod["status"]["conditions"]]
    return {**pod, "status": {**pod["status"], "conditions": conditions}}
