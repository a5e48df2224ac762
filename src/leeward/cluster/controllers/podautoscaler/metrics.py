"""What each metric of an autoscaler proposes, or why it proposes nothing. Pure.

Metrics of other kinds than what Pods use come from APIs that are not here: of them it is said what upstream
says where none is installed.

Source: ``horizontal.go`` (computeStatusFor…) and metrics/client.go of pkg/controller/podautoscaler
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from leeward.cluster.controllers.podautoscaler.replicas import (
    ByAverage,
    ByUtilization,
    Gauge,
    Measured,
    Tolerances,
    UnmeasuredError,
    calculate,
    readings,
    requests_of,
)
from leeward.cluster.interface.metrics import PodUsage
from leeward.kube.objects import Obj
from leeward.kube.quantity import Amount, parse_quantity, to_millis

_NO_RESOURCE = "the server could not find the requested resource (get {}.metrics.k8s.io)"
_NO_CUSTOM = (
    "unable to fetch metrics from custom metrics API: "
    "no custom metrics API (custom.metrics.k8s.io) registered"
)


class Warned(NamedTuple):
    """What is recorded about an autoscaler."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scaled, as an autoscaler sees it."""

    replicas: int  # that it is to have
    obstacle: tuple[Warned, str] | None = (
        None  # why its Pods are not known: what is recorded, and the condition
    )
    pods: Sequence[Obj] = ()
    usage: Mapping[str, PodUsage] | None = None  # by name of Pod; None: nothing is measured here


class Proposal(NamedTuple):
    """What a metric proposes."""

    replicas: int
    name: str  # of the metric, for people
    status: Obj  # its entry in ``status.currentMetrics``


class Failure(NamedTuple):
    """Why a metric proposes nothing."""

    warned: Warned
    whole: str  # how the summary of all puts it


def propose(autoscaler: Obj, metric: Obj, target: Target, now: datetime) -> Proposal | Failure:
    """Return what one metric of an autoscaler proposes."""
    namespace, kind = autoscaler["metadata"]["namespace"], metric["type"]
    if kind not in ("Resource", "ContainerResource"):
        return _failure(metric, namespace)
    field = "resource" if kind == "Resource" else "containerResource"
    source = metric[field]
    name, container, wanted = source["name"], source.get("container") or "", source["target"]
    by_average = wanted.get("averageValue") is not None
    try:
        replicas, measured = _measure(autoscaler, source, target, now)
    except UnmeasuredError as error:
        what = "usage" if by_average else "utilization"
        text = f"failed to get {name} {what}: {error}"
        word = "resource" if kind == "Resource" else "container"
        return Failure(
            Warned(f"FailedGet{kind}Metric", text), f"failed to get {name} {word} metric value: {text}"
        )
    current: Obj = {"averageValue": str(Amount(Fraction(measured.average, 1000)))}
    if measured.utilization is not None:
        current = {"averageUtilization": measured.utilization, **current}
    status: Obj = {"name": name, "current": current, **({"container": container} if container else {})}
    shown = f"{name} container resource" if container and not by_average else f"{name} resource"
    shown = shown if by_average else f"{shown} utilization (percentage of request)"
    return Proposal(replicas, shown, {"type": kind, field: status})


def _measure(autoscaler: Obj, source: Obj, target: Target, now: datetime) -> tuple[int, Measured]:
    """Return the replicas that what Pods use asks for, and what that is.

    Raises:
        UnmeasuredError: it is not known.
    """
    resource, container, wanted = source["name"], source.get("container") or "", source["target"]
    namespace = autoscaler["metadata"]["namespace"]
    try:
        if target.usage is None:
            raise UnmeasuredError(
                f"unable to fetch metrics from resource metrics API: {_NO_RESOURCE.format('pods')}"
            )
        found = readings(target.usage, resource, container, namespace)
    except UnmeasuredError as error:
        raise UnmeasuredError(f"unable to get metrics for resource {resource}: {error}") from None
    if not target.pods:
        raise UnmeasuredError("no pods returned by selector while calculating replica count")
    gauge: Gauge
    if wanted.get("averageValue") is not None:
        gauge = ByAverage(to_millis(wanted["averageValue"]))
    else:
        gauge = ByUtilization(wanted["averageUtilization"], requests_of(target.pods, resource, container))
    return calculate(
        target.pods,
        found,
        gauge,
        resource=resource,
        current=target.replicas,
        tolerances=_tolerances(autoscaler["spec"].get("behavior") or {}),
        now=now,
    )


def _tolerances(behavior: Obj) -> Tolerances:
    up, down = ((behavior.get(direction) or {}).get("tolerance") for direction in ("scaleUp", "scaleDown"))
    usual = Tolerances()
    return Tolerances(
        usual.up if up is None else float(parse_quantity(up)),
        usual.down if down is None else float(parse_quantity(down)),
    )


def _failure(metric: Obj, namespace: str) -> Failure:
    """Return what is said of a metric of a kind that is not there."""
    kind = metric["type"]
    if kind == "External":
        name = metric["external"]["metric"]["name"]
        missing = _NO_RESOURCE.format(f"{name}.external")
        text = (
            f"failed to get {name} external metric: unable to get external metric {namespace}/{name}/nil: "
            f"unable to fetch metrics from external metrics API: {missing}"
        )
        whole = f"failed to get {name} external metric value: {text}"
        return Failure(Warned("FailedGetExternalMetric", text), whole)
    if kind == "Object":
        source = metric["object"]
        what, name = source["describedObject"], source["metric"]["name"]
        text = f"unable to get metric {name}: {what['kind']} on {namespace} {what['name']}/{_NO_CUSTOM}"
        return Failure(Warned("FailedGetObjectMetric", text), f"failed to get object metric value: {text}")
    text = f"unable to get metric {metric['pods']['metric']['name']}: {_NO_CUSTOM}"
    return Failure(Warned("FailedGetPodsMetric", text), f"failed to get pods metric value: {text}")
