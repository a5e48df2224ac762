"""Columns of Pods: the one word that sums up a Pod's state, and its restarts.

Source: ``k8s.io/kubernetes/pkg/printers/internalversion`` (printPod, 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leeward.cluster.apiserver.printers.table import (
    NONE,
    Cell,
    Printer,
    age,
    columns,
    name,
    since,
    spec,
    status,
)
from leeward.kube.objects import Obj, find_condition, is_condition_true

_COLUMNS = columns("Name,Ready,Status,Restarts,Age,|,IP,Node,Nominated Node,Readiness Gates")


def _is_restartable_init(container: Mapping[str, Any]) -> bool:
    return container.get("restartPolicy") == "Always"


def _init_reason(pod: Obj) -> tuple[str | None, int, int]:
    """Return ("Init:…" or None when initialised, ready sidecars, restarts of init containers)."""
    declared = spec(pod).get("initContainers") or ()
    by_name = {item["name"]: item for item in declared}
    ready = restarts = 0
    for index, found in enumerate(status(pod).get("initContainerStatuses") or ()):
        restarts += found.get("restartCount", 0)
        state = found.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if ended is not None and ended.get("exitCode", 0) == 0:
            continue
        if _is_restartable_init(by_name.get(found["name"], {})) and found.get("started"):
            ready += 1 if found.get("ready") else 0
            continue
        if ended is not None:
            return f"Init:{ended.get('reason') or _exit_text(ended)}", ready, restarts
        if waiting.get("reason") and waiting["reason"] != "PodInitializing":
            return f"Init:{waiting['reason']}", ready, restarts
        return f"Init:{index}/{len(declared)}", ready, restarts
    return None, ready, restarts


def _exit_text(ended: Mapping[str, Any]) -> str:
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _container_reason(pod: Obj, reason: str) -> str:
    running = False
    for found in reversed(status(pod).get("containerStatuses") or ()):
        state = found.get("state") or {}
        ended, waiting = state.get("terminated"), state.get("waiting") or {}
        if waiting.get("reason"):
            reason = waiting["reason"]
        elif ended is not None:
            reason = ended.get("reason") or _exit_text(ended)
        elif found.get("ready") and state.get("running") is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if is_condition_true(pod, "Ready") else "NotReady"
    return reason


def pod_reason(pod: Obj) -> str:
    """Return the STATUS column of a Pod."""
    summary = status(pod)
    reason = summary.get("reason") or summary.get("phase") or ""
    scheduled = find_condition(pod, "PodScheduled")
    if scheduled is not None and scheduled.get("reason") == "SchedulingGated":
        reason = "SchedulingGated"
    init, _, _ = _init_reason(pod)
    initialized = init is None or is_condition_true(pod, "Initialized")
    reason = _container_reason(pod, reason) if initialized else init
    if pod["metadata"].get("deletionTimestamp"):
        if summary.get("reason") == "NodeLost":
            return "Unknown"
        if summary.get("phase") not in ("Failed", "Succeeded"):
            return "Terminating"
    return str(reason)


def _restarts(pod: Obj, now: datetime) -> str:
    init, _, init_restarts = _init_reason(pod)
    initialising = init is not None and not is_condition_true(pod, "Initialized")
    sidecars = {item["name"] for item in spec(pod).get("initContainers") or () if _is_restartable_init(item)}
    summary = status(pod)
    inits = summary.get("initContainerStatuses") or ()
    if initialising:
        counted, total = list(inits), init_restarts
    else:
        counted = [*(summary.get("containerStatuses") or ()), *(f for f in inits if f["name"] in sidecars)]
        total = sum(found.get("restartCount", 0) for found in counted)
    ends = [(found.get("lastState") or {}).get("terminated") or {} for found in counted]
    last = max((end["finishedAt"] for end in ends if end.get("finishedAt")), default=None)
    return f"{total} ({since(last, now)} ago)" if total and last else str(total)


def _ready(pod: Obj) -> str:
    sidecars = [item for item in spec(pod).get("initContainers") or () if _is_restartable_init(item)]
    total = len(spec(pod).get("containers") or ()) + len(sidecars)
    ready = _init_reason(pod)[1] + sum(
        1
        for found in status(pod).get("containerStatuses") or ()
        if found.get("ready") and (found.get("state") or {}).get("running") is not None
    )
    return f"{ready}/{total}"


def _gates(pod: Obj) -> str:
    gates = spec(pod).get("readinessGates") or ()
    if not gates:
        return NONE
    passed = sum(1 for gate in gates if is_condition_true(pod, gate["conditionType"]))
    return f"{passed}/{len(gates)}"


def _row(pod: Obj, now: datetime) -> list[Cell]:
    summary = status(pod)
    addresses = summary.get("podIPs") or ()
    return [
        name(pod),
        _ready(pod),
        pod_reason(pod),
        _restarts(pod, now),
        age(pod, now),
        (addresses[0].get("ip") if addresses else summary.get("podIP")) or NONE,
        spec(pod).get("nodeName") or NONE,
        summary.get("nominatedNodeName") or NONE,
        _gates(pod),
    ]


PRINTERS = {"pods": Printer(_COLUMNS, _row)}
