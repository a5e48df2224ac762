"""Cases of the autoscaler's arithmetic, in a notation short enough to be read as a table.

A look is what an autoscaler sees every 15 seconds. Its Pods are words, one each: the number is what a Pod
uses, in thousandths of a core and in Mi. ``90`` is ready since yesterday; ``-`` is, too, but not measured.
Before a number, ``new:`` started a minute ago and is not ready, ``fresh:`` became ready five seconds ago,
``edge:`` has been starting for exactly five minutes, ``late:`` was never ready since yesterday, ``slow:``
became unready exactly 30 s after it started, ``sick:`` became unready a minute ago, ``gone:`` is being
deleted. ``pend`` is pending, ``fail`` has failed. Every container requests 100m; a sidecar, where there is
one, uses 10m and requests 100m.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from leeward.cluster.controllers.podautoscaler import plan
from leeward.cluster.controllers.podautoscaler.apimetrics import KINDS, query_of
from leeward.cluster.controllers.podautoscaler.pace import History
from leeward.cluster.controllers.podautoscaler.proposals import Target
from leeward.cluster.interface.metrics import Answer, Measurement, MetricsApiError, PodUsage, Usage
from leeward.cluster.registry.kinds.autoscaling import default_autoscaler
from leeward.kube.objects import Obj, format_time

BEGIN = datetime(2030, 1, 1, tzinfo=UTC)
DAY = 86400
SECONDS = 15  # between looks
_MILLIS = 1_000_000  # nanocores

# word → is ready, started so many seconds ago, changed so many seconds ago
_AGES = {
    "": (True, DAY, DAY),
    "new": (False, 60, 60),
    "fresh": (True, 60, 5),
    "edge": (True, 300, 5),
    "late": (False, DAY, DAY - 20),
    "slow": (False, DAY, DAY - 30),
    "sick": (False, DAY, 60),
    "gone": (True, DAY, DAY),
}


class Look(NamedTuple):
    """What is seen once."""

    pods: Callable[[int], str]  # for so many replicas
    answers: Mapping[str, Sequence[float] | None] = {}  # by metric; None: the API fails


class Case(NamedTuple):
    """What an autoscaler sees, and the replicas after each look."""

    name: str
    start: int
    looks: Sequence[Look]
    trace: Sequence[int]
    metrics: Sequence[Obj] = ()
    behavior: Mapping[str, Any] | None = None
    least: int = 1
    most: int = 20
    sidecar: bool = False


def each(used: int) -> Look:
    """Every Pod uses so much."""
    return Look(lambda replicas: f"{used} " * replicas)


def pods(words: str) -> Look:
    """These Pods are there."""
    return Look(lambda _replicas: words)


def told(words: str = "", **answers: Sequence[float] | None) -> Look:
    """Other servers answer; without words, every Pod is ready."""
    return Look((lambda replicas: words or "0 " * replicas), answers)


# Metrics ----------------------------------------------------------------------------------------------


def cpu(percent: int = 50) -> Obj:
    return {"type": "Resource", "resource": {"name": "cpu", "target": _share(percent)}}


def resource(name: str, average: str) -> Obj:
    return {"type": "Resource", "resource": {"name": name, "target": _average(average)}}


def container(name: str, percent: int) -> Obj:
    source = {"name": "cpu", "container": name, "target": _share(percent)}
    return {"type": "ContainerResource", "containerResource": source}


def per_pod(name: str, average: str) -> Obj:
    return {"type": "Pods", "pods": {"metric": {"name": name}, "target": _average(average)}}


def of_object(name: str, *, value: str = "", average: str = "") -> Obj:
    described = {"apiVersion": "v1", "kind": "Service", "name": "web"}
    source = {"metric": {"name": name}, "describedObject": described, "target": _either(value, average)}
    return {"type": "Object", "object": source}


def external(name: str, *, value: str = "", average: str = "") -> Obj:
    return {"type": "External", "external": {"metric": {"name": name}, "target": _either(value, average)}}


def _share(percent: int) -> Obj:
    return {"type": "Utilization", "averageUtilization": percent}


def _average(average: str) -> Obj:
    return {"type": "AverageValue", "averageValue": average}


def _either(value: str, average: str) -> Obj:
    return {"type": "Value", "value": value} if value else _average(average)


# Running ----------------------------------------------------------------------------------------------


def replicas_of(case: Case) -> list[int]:
    """Return the replicas after each look."""
    spec: Obj = {
        "minReplicas": case.least,
        "maxReplicas": case.most,
        "metrics": list(case.metrics) or [cpu()],
        **({} if case.behavior is None else {"behavior": dict(case.behavior)}),
    }
    meta = {"namespace": "shop", "name": "web"}
    autoscaler = default_autoscaler({"metadata": meta, "spec": spec, "status": {"desiredReplicas": 0}})
    current, history, trace = case.start, History(), list[int]()
    for number, look in enumerate(case.looks):
        now = BEGIN + timedelta(seconds=number * SECONDS)
        target = _target(case, look, autoscaler, current, now)
        outcome = plan.look(autoscaler, target, history, now)
        if outcome.replicas is not None:
            outcome = plan.rescaled(outcome, now)
            current = outcome.replicas if outcome.replicas is not None else current
        autoscaler, history = outcome.autoscaler, outcome.history
        trace.append(current)
    return trace


def _target(case: Case, look: Look, autoscaler: Obj, current: int, now: datetime) -> Target:
    words = look.pods(current).split()
    found = [_pod(f"web-{n}", word, case.sidecar, now) for n, word in enumerate(words)]
    return Target(
        replicas=current,
        observed=current,
        selector="app=web",
        pods=[pod for pod, _ in found],
        usage={pod["metadata"]["name"]: used for pod, used in found if used is not None},
        answers={
            query_of(metric, "shop", "app=web"): _answer(metric, look, now)
            for metric in autoscaler["spec"]["metrics"]
            if metric["type"] in KINDS
        },
    )


def _answer(metric: Obj, look: Look, now: datetime) -> Answer:
    values = look.answers[metric[metric["type"].lower()]["metric"]["name"]]
    if values is None:
        return MetricsApiError("the server is currently unable to handle the request")
    return [Measurement(f"web-{n}", round(value * 1000), now) for n, value in enumerate(values)]


def _pod(name: str, word: str, sidecar: bool, now: datetime) -> tuple[Obj, PodUsage | None]:
    kind, _, number = word.rpartition(":")
    ready, started, changed = _AGES[kind]
    phase = {"pend": "Pending", "fail": "Failed"}.get(word, "Running")
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": _ago(changed, now)}
    status = {"phase": phase, "startTime": _ago(started, now), "conditions": [condition]}
    requests = {"resources": {"requests": {"cpu": "100m", "memory": "100Mi"}}}
    containers = [{"name": "c", **requests}, *([{"name": "sidecar", **requests}] if sidecar else [])]
    meta = {"name": name, **({"deletionTimestamp": _ago(0, now)} if kind == "gone" else {})}
    pod = {"metadata": meta, "spec": {"containers": containers}, "status": status}
    if not number.isdigit():
        return pod, None
    used = {"c": Usage(int(number) * _MILLIS, int(number) * 2**20)}
    if sidecar:
        used["sidecar"] = Usage(10 * _MILLIS, 0)
    return pod, PodUsage(now, 10.0, used)


def _ago(seconds: float, now: datetime) -> str:
    return format_time(now - timedelta(seconds=seconds))
