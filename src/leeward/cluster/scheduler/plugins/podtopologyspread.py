"""PodTopologySpread: keeps the difference between zones (nodes, …) within maxSkew.

DoNotSchedule filters, ScheduleAnyway scores. A Pod without constraints that a Service or a workload
selects is spread by the system defaults (hostname 3, zone 5, ScheduleAnyway).

Source: ``pkg/scheduler/framework/plugins/podtopologyspread`` (filtering.go, scoring.go, common.go).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from leeward.cluster.scheduler.defaultselector import default_selector
from leeward.cluster.scheduler.framework import (
    MAX_SCORE,
    PASS,
    SKIP,
    Cycle,
    Descriptor,
    Events,
    Plugin,
    PreFilterResult,
    Rejection,
    never,
    reject,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.plugins.nodeaffinity import admits_node
from leeward.cluster.scheduler.podinfo import PodInfo, merge_label_keys
from leeward.cluster.scheduler.tolerations import untolerated
from leeward.kube.selectors import matches_selector
from leeward.kube.wellknown import HOSTNAME, ZONE

_SKEWED = "node(s) didn't match pod topology spread constraints"
_UNLABELLED = f"{_SKEWED} (missing required label)"
_DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))


@dataclass(frozen=True, slots=True)
class Constraint:
    """One topology spread constraint, its selector complete."""

    key: str
    max_skew: int
    selector: Mapping[str, Any] | None
    min_domains: int = 1
    honor_affinity: bool = True
    honor_taints: bool = False

    def includes(self, pod: PodInfo, node: NodeInfo) -> bool:
        """Tell whether the node's Pods count for `pod`."""
        if self.honor_affinity and not admits_node(pod.spec, node):
            return False
        return not (self.honor_taints and untolerated(node.taints, pod.spec.get("tolerations") or ()))

    def count(self, pod: PodInfo, node: NodeInfo) -> int:
        """Return how many living Pods of the node the selector selects."""
        return sum(
            1
            for other in node.pods_in(pod.namespace)
            if not other.terminating and matches_selector(self.selector, other.labels)
        )


def constraints_of(pod: PodInfo, when: str) -> list[Constraint]:
    """Return the Pod's own constraints with ``whenUnsatisfiable`` == `when`."""
    return [
        Constraint(
            key=raw["topologyKey"],
            max_skew=raw["maxSkew"],
            selector=merge_label_keys(raw.get("labelSelector"), pod.labels, raw.get("matchLabelKeys") or ()),
            min_domains=raw.get("minDomains") or 1,
            honor_affinity=raw.get("nodeAffinityPolicy") != "Ignore",
            honor_taints=raw.get("nodeTaintsPolicy") == "Honor",
        )
        for raw in pod.spec.get("topologySpreadConstraints") or ()
        if raw.get("whenUnsatisfiable", "DoNotSchedule") == when
    ]


@dataclass(slots=True)
class _Filter:
    constraints: list[Constraint]
    counts: list[dict[str, int]]  # per constraint: domain -> matching Pods
    own: list[int]  # per constraint: 1 when the Pod counts itself


@dataclass(slots=True)
class _Score:
    constraints: list[Constraint]
    require_all: bool  # nodes that lack a topology key are ignored
    domains: list[dict[str, int]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    ignored: set[str] = field(default_factory=set)


class PodTopologySpread(Plugin):
    """Spreads Pods evenly."""

    name = "PodTopologySpread"
    weight = 2
    events: ClassVar[Events] = {
        "nodes": ("ADDED", "MODIFIED", "DELETED"),
        "pods": ("ADDED", "MODIFIED", "DELETED"),
    }

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        pod = cycle.pod
        constraints = constraints_of(pod, "DoNotSchedule")
        if not constraints:
            return SKIP
        counts: list[dict[str, int]] = [{} for _ in constraints]
        for node in cycle.nodes.values():
            if not all(constraint.key in node.labels for constraint in constraints):
                continue
            for constraint, domains in zip(constraints, counts, strict=True):
                if constraint.includes(pod, node):
                    domain = node.labels[constraint.key]
                    domains[domain] = domains.get(domain, 0) + constraint.count(pod, node)
        own = [int(matches_selector(constraint.selector, pod.labels)) for constraint in constraints]
        cycle.state[self.name] = _Filter(constraints, counts, own)
        return PASS

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _Filter = cycle.state[self.name]
        for constraint, domains, own in zip(state.constraints, state.counts, state.own, strict=True):
            if constraint.key not in node.labels:
                return never(_UNLABELLED)
            enough = len(domains) >= constraint.min_domains
            least = min(domains.values(), default=0) if enough else 0
            if domains.get(node.labels[constraint.key], 0) + own - least > constraint.max_skew:
                return reject(_SKEWED)
        return None

    def scores(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> Mapping[str, int] | None:
        state = self._score_state(cycle)
        if not state.constraints:
            return None
        self._size_up(state, feasible)
        self._count_domains(state, cycle)
        raw = {
            node.name: self._raw(state, cycle.pod, node)
            for node in feasible
            if node.name not in state.ignored
        }
        smallest, largest = min(raw.values(), default=0), max(raw.values(), default=0)
        return {
            node.name: 0
            if node.name in state.ignored
            else MAX_SCORE
            if largest == 0
            else MAX_SCORE * (largest + smallest - raw[node.name]) // largest
            for node in feasible
        }

    @staticmethod
    def _score_state(cycle: Cycle) -> _Score:
        if cycle.pod.spec.get("topologySpreadConstraints"):
            return _Score(constraints_of(cycle.pod, "ScheduleAnyway"), require_all=True)
        selector = default_selector(cycle.pod, cycle.reader)
        if selector is None:
            return _Score([], require_all=False)
        return _Score([Constraint(key, skew, selector) for key, skew in _DEFAULTS], require_all=False)

    @staticmethod
    def _size_up(state: _Score, feasible: Sequence[NodeInfo]) -> None:
        """Find the domains of the feasible nodes and how much each constraint weighs."""
        state.domains = [{} for _ in state.constraints]
        for node in feasible:
            if state.require_all and not all(found.key in node.labels for found in state.constraints):
                state.ignored.add(node.name)
                continue
            for constraint, domains in zip(state.constraints, state.domains, strict=True):
                if constraint.key != HOSTNAME and constraint.key in node.labels:
                    domains[node.labels[constraint.key]] = 0
        for constraint, domains in zip(state.constraints, state.domains, strict=True):
            size = len(feasible) - len(state.ignored) if constraint.key == HOSTNAME else len(domains)
            state.weights.append(math.log(size + 2))

    @staticmethod
    def _count_domains(state: _Score, cycle: Cycle) -> None:
        for node in cycle.nodes.values():
            if state.require_all and not all(found.key in node.labels for found in state.constraints):
                continue
            for constraint, domains in zip(state.constraints, state.domains, strict=True):
                domain = node.labels.get(constraint.key)
                if domain is not None and domain in domains and constraint.includes(cycle.pod, node):
                    domains[domain] += constraint.count(cycle.pod, node)

    @staticmethod
    def _raw(state: _Score, pod: PodInfo, node: NodeInfo) -> int:
        total = 0.0
        for constraint, domains, weight in zip(state.constraints, state.domains, state.weights, strict=True):
            if constraint.key not in node.labels:
                continue
            if constraint.key == HOSTNAME:
                count = constraint.count(pod, node)
            else:
                count = domains.get(node.labels[constraint.key], 0)
            total += count * weight + (constraint.max_skew - 1)
        return math.floor(total + 0.5)


DESCRIPTOR = Descriptor(PodTopologySpread.name, PodTopologySpread)
