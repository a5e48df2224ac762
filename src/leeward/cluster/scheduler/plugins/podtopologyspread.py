"""PodTopologySpread: keeps the difference between zones (nodes, …) within maxSkew.

DoNotSchedule filters, ScheduleAnyway scores. A Pod without constraints that a Service or a workload
selects is spread by the system defaults (hostname 3, zone 5, ScheduleAnyway).

Source: ``pkg/scheduler/framework/plugins/podtopologyspread`` (filtering.go, scoring.go, common.go).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.defaultselector import default_selector
from leeward.cluster.scheduler.framework import (
    MAX_SCORE,
    NO_ARGS,
    PASS,
    SKIP,
    Args,
    Cycle,
    CycleState,
    Descriptor,
    Events,
    Likes,
    Plugin,
    PreFilterResult,
    Rejection,
    never,
    reject,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.plugins.spreadconstraints import Constraint, Tally, constraints_of
from leeward.cluster.scheduler.podinfo import Kin, PodInfo
from leeward.kube.objects import Obj, labels_of
from leeward.kube.wellknown import HOSTNAME, ZONE

_SKEWED = "node(s) didn't match pod topology spread constraints"
_UNLABELLED = f"{_SKEWED} (missing required label)"
_OWN = "topologySpreadConstraints"
_SYSTEM: Sequence[Obj] = (
    {"topologyKey": HOSTNAME, "maxSkew": 3, "whenUnsatisfiable": "ScheduleAnyway"},
    {"topologyKey": ZONE, "maxSkew": 5, "whenUnsatisfiable": "ScheduleAnyway"},
)
_IGNORED = -1  # the score of a node that lacks a topology key


@dataclass(slots=True)
class _State(CycleState):
    hard: list[Tally]
    own: list[int]  # per hard constraint: 1 when the Pod counts itself
    soft: list[Tally] | None = None  # None: not looked at yet
    require_all: bool = True  # nodes that lack a topology key are ignored
    weights: list[float] = field(default_factory=list)  # per soft constraint

    def clone(self) -> _State:
        return _State([tally.clone() for tally in self.hard], self.own)


def _has_all(keys: Collection[str], node: NodeInfo) -> bool:
    return all(key in node.labels for key in keys)


class PodTopologySpread(Plugin):
    """Spreads Pods evenly."""

    name = "PodTopologySpread"
    weight = 2
    looks_around = True
    events: ClassVar[Events] = {
        "nodes": ("ADDED", "MODIFIED", "DELETED"),
        "pods": ("ADDED", "MODIFIED", "DELETED"),
    }

    def __init__(self, args: Args = NO_ARGS) -> None:
        is_system = args.get("defaultingType", "System") == "System"
        self._defaults: Sequence[Obj] = _SYSTEM if is_system else args.get("defaultConstraints") or ()
        self._needs_all = not is_system  # of the topology keys of default constraints

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        own = pod.spec.get(_OWN)
        constraints = constraints_of(pod, "DoNotSchedule", own or self._defaults)
        if event.resource == "pods":
            if event.object["metadata"].get("namespace", "") != pod.namespace or not own:
                return not own
            states = [event.object, event.previous if event.type == "MODIFIED" else None]
            labels = [labels_of(state) for state in states if state is not None]
            return any(constraint.selects(each) for constraint in constraints for each in labels)
        keys = [constraint.key for constraint in constraints]
        new, old = nodes_of(event)
        is_domain, was_domain = _has_all(keys, new), old is not None and _has_all(keys, old)
        if event.type != "MODIFIED" or old is None:
            return is_domain
        return (old.taints != new.taints or old.labels != new.labels) and (is_domain or was_domain)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        constraints = self._constraints(cycle, "DoNotSchedule")
        own = [int(constraint.selects(cycle.pod.labels)) for constraint in constraints]
        hard = [Tally(cycle.pod, constraint, constraints) for constraint in constraints]
        for tally in hard:
            tally.count_all(cycle)
        cycle.state[self.name] = _State(hard, own)
        return PASS if constraints else SKIP

    def update(self, cycle: Cycle, other: Kin, node: NodeInfo, sign: int) -> None:
        state: _State = cycle.state[self.name]
        for tally in (*state.hard, *(state.soft or ())):
            tally.update(other, node, sign)

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _State = cycle.state[self.name]
        for tally, own in zip(state.hard, state.own, strict=True):
            constraint = tally.constraint
            domain = node.labels.get(constraint.key)
            if domain is None:
                return never(_UNLABELLED)
            if tally.counts.get(domain, 0) + own - tally.least() > constraint.max_skew:
                return reject(_SKEWED)
        return None

    def keys(self, cycle: Cycle) -> Collection[str]:
        return [tally.constraint.key for tally in self._tallies(cycle)]

    def digest(self, cycle: Cycle, node: NodeInfo) -> Hashable:
        return tuple(self._digest(cycle, node))

    def _digest(self, cycle: Cycle, node: NodeInfo) -> Iterator[Hashable]:
        for tally in self._tallies(cycle):
            domain = node.labels.get(tally.constraint.key)
            if tally.constraint.key != HOSTNAME or domain is None:
                yield domain
            else:
                yield tally.counts.get(domain) if cycle.hosts_differ else domain
                yield tally.on(node)

    def _tallies(self, cycle: Cycle) -> list[Tally]:
        state: _State = cycle.state[self.name]
        return [*state.hard, *self._soft(cycle, state)]

    def _soft(self, cycle: Cycle, state: _State) -> list[Tally]:
        if state.soft is None:
            constraints = self._constraints(cycle, "ScheduleAnyway")
            state.require_all = self._needs_all or bool(cycle.pod.spec.get(_OWN))
            together = constraints if state.require_all else ()
            state.soft = [Tally(cycle.pod, found, together) for found in constraints]
            for tally in state.soft:
                tally.count_all(cycle)
        return state.soft

    def _constraints(self, cycle: Cycle, when: str) -> list[Constraint]:
        own = cycle.pod.spec.get(_OWN)
        if own:
            return constraints_of(cycle.pod, when, own)
        defaults = constraints_of(cycle.pod, when, self._defaults)
        selector = default_selector(cycle.pod, cycle.reader) if defaults else None
        return [] if selector is None else [replace(found, selector=selector) for found in defaults]

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        state: _State = cycle.state[self.name]
        soft = self._soft(cycle, state)
        counted = [(node, count) for node, count in feasible if not self._is_ignored(state, node)]
        nodes = sum(count for _, count in counted)
        state.weights = []
        for tally in soft:
            key = tally.constraint.key
            size = nodes if key == HOSTNAME else len({node.labels.get(key, "") for node, _ in counted})
            state.weights.append(math.log(size + 2))
        return bool(soft)

    @staticmethod
    def _is_ignored(state: _State, node: NodeInfo) -> bool:
        return state.require_all and not all(
            tally.constraint.key in node.labels for tally in state.soft or ()
        )

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        state: _State = cycle.state[self.name]
        if self._is_ignored(state, node):
            return _IGNORED
        total = 0.0
        for tally, weight in zip(state.soft or (), state.weights, strict=True):
            constraint = tally.constraint
            domain = node.labels.get(constraint.key)
            if domain is not None:
                count = tally.on(node) if constraint.key == HOSTNAME else tally.counts.get(domain, 0)
                total += count * weight + (constraint.max_skew - 1)
        return math.floor(total + 0.5)

    def normalize(self, cycle: Cycle, raw: Sequence[int]) -> Sequence[int]:
        counted = [score for score in raw if score != _IGNORED]
        smallest, largest = min(counted, default=0), max(counted, default=0)
        if largest == 0:
            return [0 if score == _IGNORED else MAX_SCORE for score in raw]
        return [
            0 if score == _IGNORED else MAX_SCORE * (largest + smallest - score) // largest for score in raw
        ]


DESCRIPTOR = Descriptor(PodTopologySpread.name, PodTopologySpread)
