"""How many Pods a disruption budget lets go.

Source: ``pkg/controller/disruption/disruption.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leeward.kube.conditions import with_condition
from leeward.kube.objects import (
    Obj,
    controller_of,
    is_condition_true,
    is_terminating,
    parse_time,
)

DELETION_TIMEOUT = timedelta(minutes=2)  # an eviction that has not deleted its Pod by then has failed

FindScale = Callable[[Obj], tuple[str, int] | None]  # Pod -> (uid, replicas) of the workload that scales it


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a budget's status."""

    current_healthy: int
    desired_healthy: int
    expected_pods: int
    disruptions_allowed: int


def scaled(value: int | str, total: int) -> int:
    """Return an int-or-percentage of `total`, rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * total / 100)
    return int(value)


def count(
    spec: Mapping[str, Any], pods: Sequence[Obj], disrupted: Mapping[str, str], scale: FindScale
) -> Counts:
    """Count for a budget whose selector selects `pods`."""
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    if maximum is not None:
        expected = _expected(pods, scale)
        desired = max(expected - scaled(maximum, expected), 0)
    elif isinstance(minimum, int):
        expected, desired = len(pods), minimum
    elif minimum is not None:
        expected = _expected(pods, scale)
        desired = scaled(minimum, expected)
    else:
        expected, desired = len(pods), 0
    healthy = sum(
        1
        for pod in pods
        if not is_terminating(pod)
        and pod["metadata"]["name"] not in disrupted
        and is_condition_true(pod, "Ready")
    )
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    return Counts(healthy, desired, expected, allowed)


def _expected(pods: Sequence[Obj], scale: FindScale) -> int:
    found = (scale(pod) for pod in pods if controller_of(pod))
    return sum(dict(pair for pair in found if pair is not None).values())


def still_disrupted(
    disrupted: Mapping[str, str], pods: Sequence[Obj], now: datetime
) -> tuple[dict[str, str], float | None]:
    """Return the evicted Pods that are not deleted yet, and seconds until the first is given up."""
    alive = {pod["metadata"]["name"] for pod in pods if not is_terminating(pod)}
    left: dict[str, str] = {}
    waits: list[float] = []
    for name, since in disrupted.items():
        wait = (parse_time(since) + DELETION_TIMEOUT - now).total_seconds()
        if name in alive and wait > 0:
            left[name] = since
            waits.append(wait)
    return left, min(waits, default=None)


def with_status(budget: Obj, counts: Counts, disrupted: Mapping[str, str], now: datetime) -> Obj:
    """Return the budget with its new status; equal to the old one when nothing changed."""
    old = budget.get("status") or {}
    status = {
        **{name: value for name, value in old.items() if name != "disruptedPods"},
        "currentHealthy": counts.current_healthy,
        "desiredHealthy": counts.desired_healthy,
        "expectedPods": counts.expected_pods,
        "disruptionsAllowed": counts.disruptions_allowed,
        "observedGeneration": budget["metadata"].get("generation") or 0,
        **({"disruptedPods": dict(disrupted)} if disrupted else {}),
    }
    allowed = counts.disruptions_allowed > 0
    condition = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed else "False",
        "reason": "SufficientPods" if allowed else "InsufficientPods",
        "message": "",
        "observedGeneration": status["observedGeneration"],
    }
    return with_condition({**budget, "status": status}, condition, now)
