"""What an autoscaler says of its target, and how many replicas it wants. Pure.

Source: ``horizontal.go`` of pkg/controller/podautoscaler (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from leeward.cluster.controllers.podautoscaler.metrics import propose
from leeward.cluster.controllers.podautoscaler.pace import History, Step, step
from leeward.cluster.controllers.podautoscaler.proposals import Failure, Proposal, Target, Warned
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, format_time


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one look at an autoscaler comes to."""

    autoscaler: Obj  # with its next status
    replicas: int | None = None  # to scale to; None: no change
    reason: str = ""  # for that
    warnings: Sequence[Warned] = ()
    history: History = field(default_factory=History)


def _set(autoscaler: Obj, now: datetime, kind: str, status: str, reason: str, message: str) -> Obj:
    condition = {"type": kind, "status": status, "reason": reason, "message": message}
    return with_condition(autoscaler, condition, now)


def without_scale(autoscaler: Obj, error: str, now: datetime) -> Outcome:
    """The target has no scale, or is not there."""
    message = f"the HPA controller was unable to get the target's current scale: {error}"
    told = _set(autoscaler, now, "AbleToScale", "False", "FailedGetScale", message)
    return Outcome(told, warnings=[Warned("FailedGetScale", error)])


def look(autoscaler: Obj, target: Target, history: History, now: datetime) -> Outcome:
    """Compare the replicas that the target is to have with what the autoscaler wants."""
    current, history = target.replicas, history.begun(target.replicas, now)
    text = "the HPA controller was able to get the target's current scale"
    told = _set(autoscaler, now, "AbleToScale", "True", "SucceededGetScale", text)
    spec = autoscaler["spec"]
    least, most = spec.get("minReplicas", 1), spec["maxReplicas"]
    if current == 0 and least != 0:
        text = "scaling is disabled since the replica count of the target is zero"
        told = _set(told, now, "ScalingActive", "False", "ScalingDisabled", text)
        return Outcome(_counted(told, current, 0, None), history=history)
    if current > most:
        why = "Current number of replicas above Spec.MaxReplicas"
        return Outcome(_counted(told, current, most, None), most, why, history=history)
    if current < least:
        why = "Current number of replicas below Spec.MinReplicas"
        return Outcome(_counted(told, current, least, None), least, why, history=history)
    return _measured(told, target, history, now)


def _counted(autoscaler: Obj, current: int, desired: int, metrics: Sequence[Obj] | None) -> Obj:
    counts = {"currentReplicas": current, "desiredReplicas": desired, "currentMetrics": metrics}
    kept = {key: value for key, value in counts.items() if value or key != "currentReplicas"}
    status = {key: value for key, value in autoscaler["status"].items() if key != "currentReplicas"}
    return {**autoscaler, "status": {**status, **kept}}


def _measured(autoscaler: Obj, target: Target, history: History, now: datetime) -> Outcome:
    """Follow the metrics, as far as they can be had."""
    current, desired = target.replicas, (autoscaler.get("status") or {}).get("desiredReplicas", 0)
    if (obstacle := target.obstacle) is not None:
        told = _set(autoscaler, now, "ScalingActive", "False", obstacle.reason, obstacle.message)
        failed = Warned("FailedComputeMetricsReplicas", obstacle.warned.message)
        warned = [obstacle.warned, failed]
        return Outcome(_counted(told, current, desired, None), warnings=warned, history=history)
    metrics = autoscaler["spec"].get("metrics") or ()
    found = [propose(autoscaler, metric, target, now) for metric in metrics]
    statuses = [each.status if isinstance(each, Proposal) else {"type": ""} for each in found]
    failures = [each for each in found if isinstance(each, Failure)]
    best = max((each for each in found if isinstance(each, Proposal)), key=_wanted, default=None)
    warnings = [each.warned for each in failures]
    if failures and (best is None or best.replicas < current):
        (reason, first), whole = failures[0]
        text = f"the HPA was unable to compute the replica count: {first}"
        told = _set(autoscaler, now, "ScalingActive", "False", reason, text)
        summary = f"invalid metrics ({len(failures)} invalid out of {len(found)}), first error is: {whole}"
        warnings.append(Warned("FailedComputeMetricsReplicas", summary))
        counted = _counted(told, current, desired, statuses)
        return Outcome(counted, warnings=warnings, history=history)
    if best is None:
        return Outcome(_counted(autoscaler, current, desired, statuses), history=history)
    text = f"the HPA was able to successfully calculate a replica count from {best.name}"
    told = _set(autoscaler, now, "ScalingActive", "True", "ValidMetricFound", text)
    above = f"{best.name} above target" if best.replicas > current else ""
    why = "All metrics below target" if best.replicas < current else above
    went = step(autoscaler["spec"], current, best.replicas, history, now)
    told = _counted(_paced(told, went, now), current, went.replicas, statuses)
    replicas = went.replicas if went.replicas != current else None
    return Outcome(told, replicas, why, warnings, went.history)


def _wanted(proposal: Proposal) -> int:
    return proposal.replicas


def _paced(autoscaler: Obj, went: Step, now: datetime) -> Obj:
    """Say how fast the target may go."""
    told = _set(autoscaler, now, "AbleToScale", "True", *went.able)
    return _set(told, now, "ScalingLimited", str(went.is_limited), *went.limited)


def rescaled(outcome: Outcome, now: datetime) -> Outcome:
    """Say that the target was scaled."""
    text = f"the HPA controller was able to update the target scale to {outcome.replicas}"
    told = _set(outcome.autoscaler, now, "AbleToScale", "True", "SucceededRescale", text)
    status = {**told["status"], "lastScaleTime": format_time(now)}
    history, before = outcome.history, told["status"].get("currentReplicas", 0)
    if told["spec"].get("behavior") is not None and outcome.replicas is not None:
        history = history.scaled(before, outcome.replicas, now)
    return replace(outcome, autoscaler={**told, "status": status}, history=history)


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
    warned = [*outcome.warnings, Warned("FailedRescale", why)]
    return Outcome(_counted(told, current, desired, None), warnings=warned, history=outcome.history)
