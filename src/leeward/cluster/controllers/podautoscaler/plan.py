"""What an autoscaler says of its target, and how many replicas it wants. Pure.

This cluster has no metrics API, so replicas follow the bounds of an autoscaler alone: it says of every metric
what upstream's says where none is installed.

Source: ``horizontal.go`` and ``replica_calculator.go`` of pkg/controller/podautoscaler, metrics/client.go
(Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, format_time

_NO_RESOURCE = "the server could not find the requested resource (get {}.metrics.k8s.io)"
_NO_CUSTOM = (
    "unable to fetch metrics from custom metrics API: "
    "no custom metrics API (custom.metrics.k8s.io) registered"
)


class Warned(NamedTuple):
    """What is recorded about an autoscaler."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look at an autoscaler comes to."""

    autoscaler: Obj  # with its next status
    replicas: int | None = None  # to scale to; None: no change
    reason: str = ""  # for that
    warnings: Sequence[Warned] = ()


def _set(autoscaler: Obj, now: datetime, kind: str, status: str, reason: str, message: str) -> Obj:
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    return with_condition(autoscaler, condition, now)


def without_scale(autoscaler: Obj, error: str, now: datetime) -> Outcome:
    """The target has no scale, or is not there."""
    message = f"the HPA controller was unable to get the target's current scale: {error}"
    told = _set(autoscaler, now, "AbleToScale", "False", "FailedGetScale", message)
    return Outcome(told, warnings=[Warned("FailedGetScale", error)])


def look(autoscaler: Obj, current: int, now: datetime) -> Outcome:
    """Compare the replicas that the target is to have with what the autoscaler wants."""
    text = "the HPA controller was able to get the target's current scale"
    told = _set(autoscaler, now, "AbleToScale", "True", "SucceededGetScale", text)
    spec = autoscaler["spec"]
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if current == 0 and least != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        told = _set(told, now, "ScalingActive", "False", "ScalingDisabled", text)
        return Outcome(_counted(told, current, 0, None))
    if current > most:
        why = "Current number of replicas above Spec.MaxReplicas"
        return Outcome(_counted(told, current, most, None), most, why)
    if current < least:
        why = "Current number of replicas below Spec.MinReplicas"
        return Outcome(_counted(told, current, least, None), least, why)
    return _measured(told, current, now)


def _counted(autoscaler: Obj, current: int, desired: int, metrics: Sequence[Obj] | None) -> Obj:
    counts = {"currentReplicas": current, "desiredReplicas": desired, "currentMetrics": metrics}
    kept = {key: value for key, value in counts.items() if value or key != "currentReplicas"}
    status = {key: value for key, value in autoscaler["status"].items() if key != "currentReplicas"}
    return {**autoscaler, "status": {**status, **kept}}


def _measured(autoscaler: Obj, current: int, now: datetime) -> Outcome:
    """Say that no metric can be had."""
    namespace, metrics = autoscaler["metadata"]["namespace"], autoscaler["spec"].get("metrics") or ()
    failures = [_failure(metric, namespace) for metric in metrics]
    desired = (autoscaler.get("status") or {}).get("desiredReplicas", 0)
    told = _counted(autoscaler, current, desired, [{"type": ""} for _ in metrics])
    if not failures:
        return Outcome(told)
    (reason, first), whole = failures[0]
    text = f"the HPA was unable to compute the replica count: {first}"
    told = _set(told, now, "ScalingActive", "False", reason, text)
    count = len(failures)
    summary = f"invalid metrics ({count} invalid out of {count}), first error is: {whole}"
    warnings = [*(warned for warned, _ in failures), Warned("FailedComputeMetricsReplicas", summary)]
    return Outcome(told, warnings=warnings)


def _failure(metric: Obj, namespace: str) -> tuple[Warned, str]:
    """Return what is said of one metric, and what the summary says of it."""
    kind = metric["type"]
    if kind in ("Resource", "ContainerResource"):
        source = metric["resource" if kind == "Resource" else "containerResource"]
        return _resource_failure(source, kind)
    if kind == "External":
        name = metric["external"]["metric"]["name"]
        missing = _NO_RESOURCE.format(f"{name}.external")
        text = (
            f"failed to get {name} external metric: unable to get external metric {namespace}/{name}/nil: "
            f"unable to fetch metrics from external metrics API: {missing}"
        )
        return Warned("FailedGetExternalMetric", text), f"failed to get {name} external metric value: {text}"
    if kind == "Object":
        source = metric["object"]
        what, name = source["describedObject"], source["metric"]["name"]
        text = f"unable to get metric {name}: {what['kind']} on {namespace} {what['name']}/{_NO_CUSTOM}"
        return Warned("FailedGetObjectMetric", text), f"failed to get object metric value: {text}"
    text = f"unable to get metric {metric['pods']['metric']['name']}: {_NO_CUSTOM}"
    return Warned("FailedGetPodsMetric", text), f"failed to get pods metric value: {text}"


def _resource_failure(source: Obj, kind: str) -> tuple[Warned, str]:
    name = source["name"]
    what = "usage" if source["target"].get("averageValue") is not None else "utilization"
    text = (
        f"failed to get {name} {what}: unable to get metrics for resource {name}: "
        f"unable to fetch metrics from resource metrics API: {_NO_RESOURCE.format('pods')}"
    )
    word = "resource" if kind == "Resource" else "container"
    return Warned(f"FailedGet{kind}Metric", text), f"failed to get {name} {word} metric value: {text}"


def rescaled(outcome: Outcome, now: datetime) -> Outcome:
    """Say that the target was scaled."""
    text = f"the HPA controller was able to update the target scale to {outcome.replicas}"
    told = _set(outcome.autoscaler, now, "AbleToScale", "True", "SucceededRescale", text)
    status = {**told["status"], "lastScaleTime": format_time(now)}
    return replace(outcome, autoscaler={**told, "status": status})


def not_rescaled(autoscaler: Obj, outcome: Outcome, error: str, now: datetime) -> Outcome:
    """Say that the target could not be scaled; nothing else that was found out is kept.

    Args:
        autoscaler: as it was before the look.
        outcome: of the look.
        error: why not.
        now: when.
    """
    text = f"the HPA controller was unable to update the target scale: {error}"
    told = _set(autoscaler, now, "AbleToScale", "False", "FailedUpdateScale", text)
    desired = autoscaler["status"].get("desiredReplicas", 0)
    current = outcome.autoscaler["status"].get("currentReplicas", 0)
    why = f"New size: {outcome.replicas}; reason: {outcome.reason}; error: {error}"
    return Outcome(_counted(told, current, desired, None), warnings=[Warned("FailedRescale", why)])
