"""How many replicas bring what is measured to a target. Pure.

Values are thousandths: of cores, bytes or whatever a metric counts. Pods that are not ready or not measured
are first left out, then taken for the value that makes the change smaller; a change that would turn its
direction is none.

Source: pkg/controller/podautoscaler/replica_calculator.go, metrics/{client,utilization}.go (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.kube.objects import Obj, find_condition, is_terminating, parse_time
from leeward.kube.pods import is_ready
from leeward.kube.quantity import to_millis

_CPU_STARTS = timedelta(minutes=5)  # while what an unready Pod uses does not count
_MOST = 2**31 - 1  # replicas
_FIRST_READY = timedelta(seconds=30)  # after which an unready Pod has been ready once


class UnmeasuredError(Exception):
    """A metric does not tell how many replicas there should be."""


class Reading(NamedTuple):
    """What one Pod uses."""

    value: int
    timestamp: datetime
    window: float


class Tolerances(NamedTuple):
    """By how much the ratio to the target may be off."""

    up: float = 0.1
    down: float = 0.1

    def allow(self, ratio: float) -> bool:
        """Tell whether nothing is to be done."""
        return 1.0 - self.down <= ratio <= 1.0 + self.up


class Measured(NamedTuple):
    """The Pods that count together."""

    ratio: float  # to the target
    average: int
    utilization: int | None = None  # percent of requests


class Gauge(Protocol):
    """Compares Pods with a target."""

    def measure(self, values: Mapping[str, int]) -> Measured:
        """Compare what Pods use, by name.

        Raises:
            UnmeasuredError: it cannot be compared.
        """
        ...

    def high(self, pod: str) -> int:
        """Return what a Pod that is not measured is taken for when there are too many."""
        ...


@dataclass(frozen=True, slots=True)
class ByUtilization:
    """Percent of what Pods request."""

    target: int
    requests: Mapping[str, int]

    def measure(self, values: Mapping[str, int]) -> Measured:
        """Compare all use with all requests."""
        total = sum(values.values())
        requested = sum(self.requests[name] for name in values)
        if requested == 0:
            raise UnmeasuredError("no metrics returned matched known pods")
        utilization = total * 100 // requested
        return Measured(utilization / self.target, total // len(values), utilization)

    def high(self, pod: str) -> int:
        """Return its request, or the target's part of it."""
        return self.requests[pod] * max(100, self.target) // 100


@dataclass(frozen=True, slots=True)
class ByAverage:
    """So much a Pod."""

    target: int

    def measure(self, values: Mapping[str, int]) -> Measured:
        """Compare the average."""
        average = sum(values.values()) // len(values)
        return Measured(average / self.target, average)

    def high(self, pod: str) -> int:
        """Return the target."""
        return self.target


@dataclass(slots=True)
class _Groups:
    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def readings(
    usage: Mapping[str, PodUsage], resource: str, container: str, namespace: str
) -> dict[str, Reading]:
    """Return what Pods, or one container of each, use.

    Args:
        usage: by name of Pod.
        resource: "cpu" or "memory"; others are measured nowhere.
        container: its name; "" for all of a Pod.
        namespace: of the Pods.

    Raises:
        UnmeasuredError: there is nothing, or a Pod has no such container.
    """
    if not usage:
        raise UnmeasuredError("no metrics returned from resource metrics API")
    found: dict[str, Reading] = {}
    for name, pod in usage.items():
        if container and container not in pod.containers:
            text = f"container {container} not present in metrics for pod {namespace}/{name}"
            raise UnmeasuredError(f"failed to get container metrics: {text}")
        counted = [pod.containers[container]] if container else pod.containers.values()
        if resource in ("cpu", "memory"):
            found[name] = Reading(_sum(counted, resource), pod.timestamp, pod.window)
    return found


def _sum(containers: Iterable[Usage], resource: str) -> int:
    if resource == "cpu":
        return sum(-(-each.cpu_nanocores // 1_000_000) for each in containers)
    return sum(each.memory_bytes * 1000 for each in containers)


def requests_of(pods: Sequence[Obj], resource: str, container: str) -> dict[str, int]:
    """Return what Pods, or one container of each, request.

    Raises:
        UnmeasuredError: one requests nothing.
    """
    return {pod["metadata"]["name"]: _requested(pod, resource, container) for pod in pods}


def _requested(pod: Obj, resource: str, container: str) -> int:
    spec, name = pod["spec"], pod["metadata"]["name"]
    sidecars = (each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always")
    amounts = {each["name"]: _request(each, resource) for each in (*spec["containers"], *sidecars)}
    if container and container not in amounts:
        raise UnmeasuredError(f"container {container} not found in Pod {name}")
    if not container and (spec.get("resources") or {}).get("requests"):
        whole = _request(spec, resource)
        if whole is None and all(amount is None for amount in amounts.values()):
            raise UnmeasuredError(f"missing pod-level request for {resource} in Pod {name}")
        return sum(amount or 0 for amount in amounts.values()) if whole is None else whole
    total = 0
    for each, amount in amounts.items():
        if container and each != container:
            continue
        if amount is None:
            raise UnmeasuredError(f"missing request for {resource} in container {each} of Pod {name}")
        total += amount
    return total


def _request(part: Obj, resource: str) -> int | None:
    amount = ((part.get("resources") or {}).get("requests") or {}).get(resource)
    return None if amount is None else to_millis(amount)


def of_total(ratio: float, current: int, count_ready: Callable[[], int], tolerances: Tolerances) -> int:
    """Return the replicas for a value that belongs to all Pods together.

    Args:
        ratio: of it to its target.
        current: replicas that the target is to have; none at all follow the ratio alone.
        count_ready: counts the Pods that are ready.
        tolerances: within which nothing changes.

    Raises:
        UnmeasuredError: there is no Pod.
    """
    if current == 0:
        return min(math.ceil(ratio), _MOST)
    if tolerances.allow(ratio):
        return current
    return min(math.ceil(ratio * count_ready()), _MOST)


def of_each(total: int, target: int, observed: int, tolerances: Tolerances) -> tuple[int, int]:
    """Return the replicas for a value of which each Pod is to have `target`, and what each has now.

    Args:
        total: of all Pods.
        target: of each.
        observed: replicas that there are.
        tolerances: within which nothing changes.
    """
    if observed and tolerances.allow(total / (target * observed)):
        replicas = observed
    else:
        replicas = min(math.ceil(total / target), _MOST)
    return replicas, math.ceil(total / observed) if observed else 0


def ready_pods(pods: Sequence[Obj]) -> int:
    """Count the Pods that run and are ready.

    Raises:
        UnmeasuredError: there is none at all.
    """
    if not pods:
        text = "no pods returned by selector while calculating replica count"
        raise UnmeasuredError(f"unable to calculate ready pods: {text}")
    return sum(1 for pod in pods if (pod.get("status") or {}).get("phase") == "Running" and is_ready(pod))


def calculate(
    pods: Sequence[Obj],
    found: Mapping[str, Reading],
    make_gauge: Callable[[], Gauge],
    *,
    resource: str,
    current: int,
    tolerances: Tolerances,
    now: datetime,
) -> tuple[int, Measured]:
    """Return how many replicas there should be, and what was measured.

    Args:
        pods: of the target; at least one.
        found: what they use, by name.
        make_gauge: makes what compares that with the target, if there is anything to compare.
        resource: measured.
        current: replicas that the target is to have.
        tolerances: within which nothing changes.
        now: the present.

    Raises:
        UnmeasuredError: no Pod that is ready is measured, or they cannot be compared.
    """
    groups = _group(pods, found, resource, now)
    left_out = groups.ignored | groups.unready
    values = {name: reading.value for name, reading in found.items() if name not in left_out}
    if not values:
        raise UnmeasuredError("did not receive metrics for targeted pods (pods might be unready)")
    gauge = make_gauge()
    measured = gauge.measure(values)
    ratio = measured.ratio
    rebalance = bool(groups.unready) and ratio > 1.0
    if not rebalance and not groups.missing:
        return (current if tolerances.allow(ratio) else math.ceil(ratio * groups.ready)), measured
    if ratio < 1.0:
        values |= {name: gauge.high(name) for name in groups.missing}
    elif ratio > 1.0:
        values |= dict.fromkeys(groups.missing, 0)
    if rebalance:
        values |= dict.fromkeys(groups.unready, 0)
    again = gauge.measure(values).ratio
    if tolerances.allow(again) or ratio < 1.0 < again or again < 1.0 < ratio:
        return current, measured
    count = math.ceil(again * len(values))
    turned = (again < 1.0 and count > current) or (again > 1.0 and count < current)
    return (current if turned else count), measured


def _group(pods: Sequence[Obj], found: Mapping[str, Reading], resource: str, now: datetime) -> _Groups:
    groups = _Groups()
    for pod in pods:
        name, phase = pod["metadata"]["name"], (pod.get("status") or {}).get("phase")
        if is_terminating(pod) or phase == "Failed":
            groups.ignored.add(name)
        elif phase == "Pending":
            groups.unready.add(name)
        elif name not in found:
            groups.missing.add(name)
        elif resource == "cpu" and _starts(pod, found[name], now):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _starts(pod: Obj, reading: Reading, now: datetime) -> bool:
    """Tell whether what a Pod uses of the CPU is for its start."""
    condition, started = find_condition(pod, "Ready"), (pod.get("status") or {}).get("startTime")
    if condition is None or not started:
        return True
    unready, begin = condition["status"] == "False", parse_time(started)
    since = parse_time(condition["lastTransitionTime"])
    if begin + _CPU_STARTS > now:
        return unready or reading.timestamp < since + timedelta(seconds=reading.window)
    return unready and begin + _FIRST_READY > since
