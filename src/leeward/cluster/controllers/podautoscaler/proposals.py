"""What is known of an autoscaler's target, and what a metric proposes for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from leeward.cluster.controllers.podautoscaler.replicas import Tolerances
from leeward.cluster.interface.metrics import Answer, MetricQuery, PodUsage
from leeward.kube.objects import Obj
from leeward.kube.quantity import parse_quantity


class Warned(NamedTuple):
    """What is recorded about an autoscaler."""

    reason: str
    message: str


class Obstacle(NamedTuple):
    """Why it is not known which Pods a target has."""

    warned: Warned
    reason: str  # of the condition
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is scaled, as an autoscaler sees it."""

    replicas: int  # that it is to have
    observed: int = 0  # that it has, by its own status
    obstacle: Obstacle | None = None
    selector: str = ""
    pods: Sequence[Obj] = ()
    usage: Mapping[str, PodUsage] | None = None  # by name of Pod; None: nothing is measured here
    answers: Mapping[MetricQuery, Answer] = field(default_factory=dict)  # of the APIs of metrics


class Proposal(NamedTuple):
    """What a metric proposes."""

    replicas: int
    name: str  # of the metric, for people
    status: Obj  # its entry in ``status.currentMetrics``


class Failure(NamedTuple):
    """Why a metric proposes nothing."""

    warned: Warned
    whole: str  # how the summary of all puts it


def tolerances_of(autoscaler: Obj) -> Tolerances:
    """Return by how much each direction may be off."""
    behavior = autoscaler["spec"].get("behavior") or {}
    up, down = ((behavior.get(direction) or {}).get("tolerance") for direction in ("scaleUp", "scaleDown"))
    usual = Tolerances()
    return Tolerances(
        usual.up if up is None else float(parse_quantity(up)),
        usual.down if down is None else float(parse_quantity(down)),
    )
