"""InterPodAffinity: Pods near Pods, or away from them.

Required terms filter, preferred ones score; the terms of Pods that already run count as well (their
anti-affinity keeps newcomers away, their affinity attracts them).

Source: ``pkg/scheduler/framework/plugins/interpodaffinity`` (filtering.go, scoring.go).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.store import Event
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
from leeward.cluster.scheduler.nodeinfo import NodeInfo, bump
from leeward.cluster.scheduler.podinfo import AffinityTerm, Kin, PodInfo, Template, describe
from leeward.kube.objects import labels_of
from leeward.kube.selectors import matches_selector
from leeward.kube.wellknown import HOSTNAME

Pair = tuple[str, str]  # (topology key, value)
Counts = dict[Pair, int]


def matches_term(term: AffinityTerm, pod: Template, reader: Reader) -> bool:
    """Tell whether `term` selects Pods like `pod` (namespace and labels)."""
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


@dataclass(slots=True)
class _Counts:
    """What the Pods around amount to, by topology pair."""

    existing_anti: Counts = field(default_factory=dict)
    affinity: Counts = field(default_factory=dict)
    anti: Counts = field(default_factory=dict)
    attraction: Counts = field(default_factory=dict)

    def all(self) -> tuple[Counts, ...]:
        return (self.existing_anti, self.affinity, self.anti, self.attraction)


@dataclass(slots=True)
class _State(CycleState):
    counts: _Counts
    keys: set[str]  # topology keys that matter, or once did
    parts: dict[Kin, list[tuple[int, str, int]]]  # (which counts, topology key, how much) of one Pod of a kin

    def clone(self) -> _State:
        counts = _Counts(*(dict(each) for each in self.counts.all()))
        return _State(counts, set(self.keys), self.parts)


class InterPodAffinity(Plugin):
    """Filters and scores by the Pods around."""

    name = "InterPodAffinity"
    weight = 2
    looks_around = True
    events: ClassVar[Events] = {
        "nodes": ("ADDED", "MODIFIED", "DELETED"),  # Pods of a node that goes no longer count
        "pods": ("ADDED", "MODIFIED", "DELETED"),
    }

    def __init__(self, args: Args = NO_ARGS) -> None:
        self._hard_weight = args.get("hardPodAffinityWeight", 1)
        self._ignores = bool(args.get("ignorePreferredTermsOfExistingPods"))

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource == "nodes":
            old = event.previous if event.type == "MODIFIED" else None
            return old is None or labels_of(event.object) != labels_of(old)
        states = [event.object, *([event.previous] if event.type == "MODIFIED" and event.previous else [])]
        return any(_may_help(event.type, pod.template, describe(state).template) for state in states)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        pod = cycle.pod.template
        keys = {term.topology_key for term in (*pod.affinity, *pod.anti_affinity)}
        state = cycle.state[self.name] = _State(_Counts(), keys, {})
        kins = cycle.census.within(_namespaces(pod)) if pod.has_terms else ()
        for kin, places in (*cycle.census.with_terms(), *kins):
            if kin in state.parts:
                continue
            parts = state.parts[kin] = self._parts(pod, kin[0], cycle.reader)
            for name, count in places.items() if parts else ():
                if node := cycle.nodes.get(name):
                    _count(state, parts, node, count)
        return PASS if state.counts.existing_anti or pod.affinity or pod.anti_affinity else SKIP

    def update(self, cycle: Cycle, other: Kin, node: NodeInfo, sign: int) -> None:
        state: _State = cycle.state[self.name]
        parts = state.parts.get(other)
        if parts is None:
            parts = state.parts[other] = self._parts(cycle.pod.template, other[0], cycle.reader)
        _count(state, parts, node, sign)

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        counts = cycle.state[self.name].counts
        pod = cycle.pod.template
        if pod.affinity and not self._affinity_holds(cycle, counts, node):
            return never("node(s) didn't match pod affinity rules")
        if any(counts.anti.get(pair) for term in pod.anti_affinity if (pair := _pair(term, node))):
            return reject("node(s) didn't match pod anti-affinity rules")
        if counts.existing_anti and any(counts.existing_anti.get(pair) for pair in node.labels.items()):
            return reject("node(s) didn't satisfy existing pods anti-affinity rules")
        return None

    def _parts(self, pod: Template, other: Template, reader: Reader) -> list[tuple[int, str, int]]:
        """Return what one Pod like `other` means to `pod`, in the order of :meth:`_Counts.all`."""
        parts = [(0, term.topology_key, 1) for term in other.anti_affinity if matches_term(term, pod, reader)]
        if pod.affinity and _matches_all(pod.affinity, other, reader):
            parts += [(1, term.topology_key, 1) for term in pod.affinity]
        parts += [
            (2, term.topology_key, 1) for term in pod.anti_affinity if matches_term(term, other, reader)
        ]
        attractions = self._attractions(pod, other, reader)
        return parts + [(3, term.topology_key, amount) for term, amount in attractions]

    def _attractions(
        self, pod: Template, other: Template, reader: Reader
    ) -> Iterator[tuple[AffinityTerm, int]]:
        """Yield what draws `pod` to (or, negative, pushes it from) where `other` runs.

        The required affinity of Pods that run counts as a preference of theirs, with a weight of its own.
        """
        has_own = pod.preferred_affinity or pod.preferred_anti_affinity
        if self._ignores and not has_own:
            return
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
        for term in other.affinity if self._hard_weight else ():
            if matches_term(term, pod, reader):
                yield term, self._hard_weight

    @staticmethod
    def _affinity_holds(cycle: Cycle, counts: _Counts, node: NodeInfo) -> bool:
        terms = cycle.pod.template.affinity
        pairs = [_pair(term, node) for term in terms]
        if any(pair is None for pair in pairs):
            return False
        if all(pair is not None and counts.affinity.get(pair) for pair in pairs):
            return True
        # The first of a group that wants to be together may start anywhere.
        return not counts.affinity and _matches_all(terms, cycle.pod.template, cycle.reader)

    def keys(self, cycle: Cycle) -> Collection[str]:
        keys: set[str] = cycle.state[self.name].keys
        return keys

    def digest(self, cycle: Cycle, node: NodeInfo) -> Hashable:
        return tuple(self._digest(cycle, node))

    def _digest(self, cycle: Cycle, node: NodeInfo) -> Iterator[Hashable]:
        state: _State = cycle.state[self.name]
        for key in sorted(state.keys):
            value = node.labels.get(key)
            if key == HOSTNAME and cycle.hosts_differ and value is not None:
                yield tuple([counts.get((key, value), 0) for counts in state.counts.all()])
            else:
                yield value

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        return bool(cycle.state[self.name].counts.attraction)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        attraction: Counts = cycle.state[self.name].counts.attraction
        return sum([attraction.get(pair, 0) for pair in node.labels.items()])

    def normalize(self, cycle: Cycle, raw: Sequence[int]) -> Sequence[int]:
        smallest, largest = min(raw), max(raw)
        spread = largest - smallest
        if not spread:
            return [0] * len(raw)
        return [int(MAX_SCORE * ((score - smallest) / spread)) for score in raw]


def _may_match(term: AffinityTerm, pod: Template) -> bool:
    """Tell whether a term selects Pods like `pod`, as far as can be seen without their namespace."""
    return (pod.namespace in term.namespaces or term.namespace_selector is not None) and matches_selector(
        term.selector, pod.labels
    )


def _may_help(kind: str, pod: Template, other: Template) -> bool:
    """Tell whether `pod` may be allowed somewhere because a Pod like `other` came, changed or went."""
    comes = kind != "DELETED" and any(_may_match(term, other) for term in pod.affinity)
    goes = kind != "ADDED" and (
        any(_may_match(term, other) for term in pod.anti_affinity)
        or any(_may_match(term, pod) for term in other.anti_affinity)
    )
    return comes or goes


def _matches_all(terms: Sequence[AffinityTerm], pod: Template, reader: Reader) -> bool:
    return all(matches_term(term, pod, reader) for term in terms)


def _namespaces(pod: Template) -> Collection[str] | None:
    """Return where the Pods are that the terms of `pod` can select; None: anywhere."""
    terms = (*pod.affinity, *pod.anti_affinity, *pod.preferred_affinity, *pod.preferred_anti_affinity)
    if any(term.namespace_selector is not None for term in terms):
        return None
    return frozenset().union(*(term.namespaces for term in terms))


def _count(state: _State, parts: Sequence[tuple[int, str, int]], node: NodeInfo, number: int) -> None:
    counts = state.counts.all() if parts else ()
    for which, key, amount in parts:
        value = node.labels.get(key)
        if value is not None:
            state.keys.add(key)
            bump(counts[which], (key, value), amount * number)


DESCRIPTOR = Descriptor(InterPodAffinity.name, InterPodAffinity)
