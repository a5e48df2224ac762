"""InterPodAffinity: Pods near Pods, or away from them.

Required terms filter, preferred ones score; the terms of Pods that already run count as well (their
anti-affinity keeps newcomers away, their affinity attracts them).

Source: ``pkg/scheduler/framework/plugins/interpodaffinity`` (filtering.go, scoring.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from leeward.cluster.interface.client import Reader
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
from leeward.cluster.scheduler.podinfo import AffinityTerm, PodInfo
from leeward.kube.objects import labels_of
from leeward.kube.selectors import matches_selector

_HARD_WEIGHT = 1  # what an existing Pod's required affinity adds to a node's score
Pair = tuple[str, str]  # (topology key, value)
Counts = dict[Pair, int]


def matches_term(term: AffinityTerm, pod: PodInfo, reader: Reader) -> bool:
    """Tell whether `term` selects `pod` (namespace and labels)."""
    if pod.namespace not in term.namespaces:
        if term.namespace_selector is None:
            return False
        namespace = reader.find("namespaces", "", pod.namespace)
        if not matches_selector(term.namespace_selector, labels_of(namespace) if namespace else {}):
            return False
    return matches_selector(term.selector, pod.labels)


def _pair(term: AffinityTerm, node: NodeInfo) -> Pair | None:
    value = node.labels.get(term.topology_key)
    return None if value is None else (term.topology_key, value)


def _bump(counts: Counts, term: AffinityTerm, node: NodeInfo, amount: int) -> None:
    pair = _pair(term, node)
    if pair is not None:
        counts[pair] = counts.get(pair, 0) + amount


@dataclass(slots=True)
class _State:
    existing_anti: Counts
    affinity: Counts
    anti: Counts


def _matches_all(terms: Sequence[AffinityTerm], pod: PodInfo, reader: Reader) -> bool:
    return all(matches_term(term, pod, reader) for term in terms)


class InterPodAffinity(Plugin):
    """Filters and scores by the Pods around."""

    name = "InterPodAffinity"
    weight = 2
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED"), "pods": ("ADDED", "MODIFIED", "DELETED")}

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        pod, reader = cycle.pod, cycle.reader
        state = _State({}, {}, {})
        for node in cycle.nodes.values():
            for other in node.with_affinity.values():
                for term in other.anti_affinity:
                    if matches_term(term, pod, reader):
                        _bump(state.existing_anti, term, node, 1)
            for other in node.pods.values() if pod.affinity or pod.anti_affinity else ():
                if pod.affinity and _matches_all(pod.affinity, other, reader):
                    for term in pod.affinity:
                        _bump(state.affinity, term, node, 1)
                for term in pod.anti_affinity:
                    if matches_term(term, other, reader):
                        _bump(state.anti, term, node, 1)
        cycle.state[self.name] = state
        return PASS if state.existing_anti or pod.affinity or pod.anti_affinity else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _State = cycle.state[self.name]
        pod = cycle.pod
        if not self._affinity_holds(cycle, state, node):
            return never("node(s) didn't match pod affinity rules")
        if any(state.anti.get(pair) for term in pod.anti_affinity if (pair := _pair(term, node))):
            return reject("node(s) didn't match pod anti-affinity rules")
        if any(state.existing_anti.get(pair) for pair in node.labels.items()):
            return reject("node(s) didn't satisfy existing pods anti-affinity rules")
        return None

    @staticmethod
    def _affinity_holds(cycle: Cycle, state: _State, node: NodeInfo) -> bool:
        terms = cycle.pod.affinity
        pairs = [_pair(term, node) for term in terms]
        if any(pair is None for pair in pairs):
            return False
        if all(pair is not None and state.affinity.get(pair) for pair in pairs):
            return True
        # The first of a group that wants to be together may start anywhere.
        return not state.affinity and _matches_all(terms, cycle.pod, cycle.reader)

    def scores(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> Mapping[str, int] | None:
        counts: Counts = {}
        prefers = cycle.pod.preferred_affinity or cycle.pod.preferred_anti_affinity
        for node in cycle.nodes.values():
            for other in (node.pods if prefers else node.with_affinity).values():
                for term, amount in _attractions(cycle.pod, other, cycle.reader):
                    _bump(counts, term, node, amount)
        if not counts:
            return None
        raw = {node.name: sum(counts.get(pair, 0) for pair in node.labels.items()) for node in feasible}
        smallest, largest = min(raw.values()), max(raw.values())
        spread = largest - smallest
        return {
            name: int(MAX_SCORE * ((score - smallest) / spread)) if spread else 0
            for name, score in raw.items()
        }


def _attractions(pod: PodInfo, other: PodInfo, reader: Reader) -> Iterator[tuple[AffinityTerm, int]]:
    """Yield what draws `pod` to (or, negative, pushes it from) where `other` runs."""
    groups = (
        (pod.preferred_affinity, other, 1),
        (pod.preferred_anti_affinity, other, -1),
        (other.preferred_affinity, pod, 1),
        (other.preferred_anti_affinity, pod, -1),
    )
    for terms, wanted, sign in groups:
        for term in terms:
            if matches_term(term, wanted, reader):
                yield term, sign * term.weight
    for term in other.affinity:
        if matches_term(term, pod, reader):
            yield term, _HARD_WEIGHT


DESCRIPTOR = Descriptor(InterPodAffinity.name, InterPodAffinity)
