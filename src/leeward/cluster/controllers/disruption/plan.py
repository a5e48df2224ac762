"""How many Pods a disruption budget lets go.

Source: ``pkg/controller/disruption/disruption.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from leeward.kube.conditions import with_condition
from leeward.kube.objects import (
    Obj,
    controller_of,
    find_condition,
    is_condition_true,
    is_terminating,
    parse_time,
)
from leeward.kube.pods import is_finished

DELETION_TIMEOUT = timedelta(minutes=2)  # an eviction that has not deleted its Pod by then has failed
STALE_TIMEOUT = timedelta(minutes=2)  # what says that a Pod is disrupted is wrong when it is still there then
NOTHING = "NoPods", "No matching pods found"


@dataclass(frozen=True, slots=True)
class Counts:
    """The numbers of a budget's status."""

    current_healthy: int
    desired_healthy: int
    expected_pods: int
    disruptions_allowed: int


Owner = tuple[str, str, str, str]  # apiVersion, kind, name, uid


@dataclass(frozen=True, slots=True)
class PodView:
    """What matters of a Pod that a budget selects."""

    uid: str
    terminating: bool
    ready: bool
    owner: Owner | None  # its controller


FindScale = Callable[[Owner], tuple[str, int] | None]  # → (uid, replicas)


class UnknownScaleError(Exception):
    """How many Pods there should be cannot be found out; the text says why."""


def view_of(pod: Obj) -> PodView:
    """Return what matters of a Pod."""
    owner = controller_of(pod)
    named = (owner["apiVersion"], owner["kind"], owner["name"], owner["uid"]) if owner else None
    return PodView(pod["metadata"]["uid"], is_terminating(pod), is_condition_true(pod, "Ready"), named)


def scaled(value: int | str, total: int) -> int:
    """Return an int-or-percentage of `total`, rounded up."""
    if isinstance(value, str) and value.endswith("%"):
        return math.ceil(int(value[:-1]) * total / 100)
    return int(value)


def needs_scale(spec: Mapping[str, Any]) -> bool:
    """Tell whether what a budget wants depends on how many Pods there should be."""
    return spec.get("maxUnavailable") is not None or isinstance(spec.get("minAvailable"), str)


def count(
    spec: Mapping[str, Any], pods: Mapping[str, PodView], disrupted: Collection[str], find: FindScale
) -> Counts:
    """Count for a budget that selects `pods` (by name), some of which are about to be `disrupted`.

    Raises:
        UnknownScaleError: `find` does not find the controller of a Pod.
    """
    minimum, maximum = spec.get("minAvailable"), spec.get("maxUnavailable")
    expected = _expected(pods, find) if needs_scale(spec) else len(pods)
    if maximum is not None:
        desired = max(expected - scaled(maximum, expected), 0)
    elif minimum is not None:
        desired = scaled(minimum, expected)
    else:
        expected = desired = 0
    healthy = sum(pod.ready and not pod.terminating for pod in pods.values())
    for name in disrupted:
        if (pod := pods.get(name)) is not None:
            healthy -= pod.ready and not pod.terminating
    allowed = max(healthy - desired, 0) if expected > 0 else 0
    return Counts(healthy, desired, expected, allowed)


def _expected(pods: Mapping[str, PodView], find: FindScale) -> int:
    scales: dict[str, int] = {}
    first: dict[Owner, str] = {}
    for name, pod in pods.items():
        if pod.owner is not None:
            first.setdefault(pod.owner, name)
    for owner, name in first.items():
        found = find(owner)
        if found is None:
            raise UnknownScaleError(f'found no controllers for pod "{name}"')
        scales[found[0]] = found[1]
    return sum(scales.values())


def has_unmanaged(spec: Mapping[str, Any], pods: Mapping[str, PodView]) -> bool:
    """Tell whether a budget cannot count right because nothing controls one of its Pods."""
    return needs_scale(spec) and any(pod.owner is None for pod in pods.values())


def unmanaged_message(spec: Mapping[str, Any]) -> str:
    """Return what is told then; the selector is written as Go does."""
    selector: Mapping[str, Any] = spec.get("selector") or {}
    labels = "".join(f"{key}: {value}," for key, value in sorted((selector.get("matchLabels") or {}).items()))
    rules = "".join(
        f"LabelSelectorRequirement{{Key:{rule['key']},Operator:{rule['operator']},"
        f"Values:[{' '.join(rule.get('values') or ())}],}},"
        for rule in selector.get("matchExpressions") or ()
    )
    shown = (
        f"&LabelSelector{{MatchLabels:map[string]string{{{labels}}},"
        f"MatchExpressions:[]LabelSelectorRequirement{{{rules}}},}}"
    )
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {shown}) were found to be unmanaged. As a "
        "result, the status of the PDB cannot be calculated correctly, which may result in undefined "
        'behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer '
        "value."
    )


@dataclass(frozen=True, slots=True)
class Disrupted:
    """The evicted Pods of a budget that are not deleted yet."""

    left: dict[str, str]  # by name: since when
    given_up: list[str]  # names of those that will not be
    wait: float | None  # seconds until the next is given up


def still_disrupted(disrupted: Mapping[str, str], pods: Mapping[str, PodView], now: datetime) -> Disrupted:
    """Sort out which evictions are still to come."""
    left: dict[str, str] = {}
    given_up: list[str] = []
    waits: list[float] = []
    for name, since in disrupted.items():
        pod = pods.get(name)
        if pod is None or pod.terminating:
            continue
        wait = (parse_time(since) + DELETION_TIMEOUT - now).total_seconds()
        if wait < 0:
            given_up.append(name)
        else:
            left[name] = since
            waits.append(wait)
    return Disrupted(left, given_up, min(waits) + 0.001 if waits else None)


def stale_after(pod: Obj, now: datetime) -> float | None:
    """Return the seconds until a Pod's DisruptionTarget is stale; None when it never is."""
    condition = find_condition(pod, "DisruptionTarget")
    if condition is None or condition.get("status") != "True" or is_terminating(pod) or is_finished(pod):
        return None
    if condition.get("reason") == "TerminationByKubelet":
        return None
    since = parse_time(condition["lastTransitionTime"])
    return max((since + STALE_TIMEOUT - now).total_seconds(), 0.0)


def failed(budget: Obj, problem: str, now: datetime) -> Obj:
    """Return the budget that lets nobody go because it could not be counted."""
    status = {**(budget.get("status") or {}), "disruptionsAllowed": 0}
    condition = {
        "type": "DisruptionAllowed",
        "status": "False",
        "reason": "SyncFailed",
        "message": problem,
        "observedGeneration": status.get("observedGeneration") or 0,
    }
    return with_condition({**budget, "status": status}, condition, now)


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
