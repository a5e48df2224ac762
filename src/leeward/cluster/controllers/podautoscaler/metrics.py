"""What each metric of an autoscaler proposes, or why it proposes nothing. Pure.

Metrics of what Pods use are compared here; those that other servers know are in ``apimetrics``.

Source: ``horizontal.go`` (computeStatusFor{Resource,ContainerResource}Metric) and metrics/client.go of
pkg/controller/podautoscaler (Kubernetes 1.36).
"""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

from leeward.cluster.controllers.podautoscaler import apimetrics
from leeward.cluster.controllers.podautoscaler.proposals import (
    Failure,
    Proposal,
    Target,
    Warned,
    tolerances_of,
)
from leeward.cluster.controllers.podautoscaler.replicas import (
    ByAverage,
    ByUtilization,
    Gauge,
    Measured,
    UnmeasuredError,
    calculate,
    readings,
    requests_of,
)
from leeward.kube.objects import Obj
from leeward.kube.quantity import Amount, to_millis

_NO_RESOURCE = "the server could not find the requested resource (get pods.metrics.k8s.io)"


def propose(autoscaler: Obj, metric: Obj, target: Target, now: datetime) -> Proposal | Failure:
    """Return what one metric of an autoscaler proposes."""
    kind = metric["type"]
    if kind in apimetrics.KINDS:
        return apimetrics.propose(autoscaler, metric, target, now)
    field = "resource" if kind == "Resource" else "containerResource"
    source = metric[field]
    name, container, wanted = source["name"], source.get("container") or "", source["target"]
    by_average = wanted.get("averageValue") is not None
    try:
        replicas, measured = _measure(autoscaler, source, target, now)
    except UnmeasuredError as error:
        what = "usage" if by_average else "utilization"
        text = f"failed to get {name} {what}: {error}"
        shown = f"{container} container" if container else f"{name} resource"
        return Failure(Warned(f"FailedGet{kind}Metric", text), f"failed to get {shown} metric value: {text}")
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
            raise UnmeasuredError(f"unable to fetch metrics from resource metrics API: {_NO_RESOURCE}")
        found = readings(target.usage, resource, container, namespace)
    except UnmeasuredError as error:
        raise UnmeasuredError(f"unable to get metrics for resource {resource}: {error}") from None
    if not target.pods:
        raise UnmeasuredError("no pods returned by selector while calculating replica count")

    def make_gauge() -> Gauge:
        if wanted.get("averageValue") is not None:
            return ByAverage(to_millis(wanted["averageValue"]))
        return ByUtilization(wanted["averageUtilization"], requests_of(target.pods, resource, container))

    return calculate(
        target.pods,
        found,
        make_gauge,
        resource=resource,
        current=target.replicas,
        tolerances=tolerances_of(autoscaler),
        now=now,
    )
