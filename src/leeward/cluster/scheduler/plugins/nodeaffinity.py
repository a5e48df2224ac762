"""NodeAffinity: nodeSelector and node affinity, required and preferred."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    NO_ARGS,
    PASS,
    SKIP,
    Args,
    Cycle,
    Descriptor,
    Events,
    Likes,
    Plugin,
    PreFilterResult,
    Rejection,
    never,
    stretch,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.objects import Obj
from leeward.kube.selectors import matches_labels, matches_node_selector, matches_node_term

_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def required_node_affinity(spec: Obj) -> Obj | None:
    """Return the required NodeSelector of a Pod's spec, or None."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    found: Obj | None = affinity.get(_REQUIRED)
    return found


def preferred_terms(spec: Obj) -> Sequence[Any]:
    """Return the preferred terms of a Pod's spec."""
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    return affinity.get(_PREFERRED) or ()


def restricts_nodes(spec: Obj) -> bool:
    """Tell whether a Pod's spec has anything to say about which nodes it may run on."""
    return bool(spec.get("nodeSelector") or (spec.get("affinity") or {}).get("nodeAffinity"))


def admits_node(spec: Obj, node: NodeInfo) -> bool:
    """Tell whether nodeSelector and required node affinity allow `node`."""
    if not restricts_nodes(spec):
        return True
    return matches_labels(spec.get("nodeSelector"), node.labels) and matches_node_selector(
        required_node_affinity(spec), node.labels, node.name
    )


def named_nodes(selector: Obj | None) -> frozenset[str] | None:
    """Return the nodes that every alternative names through metadata.name; None: some names none."""
    if selector is None:
        return None
    names: set[str] = set()
    for term in selector.get("nodeSelectorTerms") or ():
        fields = [f for f in term.get("matchFields") or () if f["operator"] == "In"]
        if not fields:
            return None
        names |= set.intersection(*(set(field.get("values") or ()) for field in fields))
    return frozenset(names)


class NodeAffinity(Plugin):
    """Filters by what is required, scores by what is preferred."""

    name = "NodeAffinity"
    weight = 2
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED")}

    def __init__(self, args: Args = NO_ARGS) -> None:
        self._added: Obj = args.get("addedAffinity") or {}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        new, old = nodes_of(event)
        return admits_node(pod.spec, new) and (old is None or not admits_node(pod.spec, old))

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        spec = cycle.pod.spec
        selector = required_node_affinity(spec)
        if selector is None and not spec.get("nodeSelector") and not self._added.get(_REQUIRED):
            return SKIP
        names = named_nodes(selector)
        if names is not None and not names:
            return PreFilterResult(never("pod affinity terms conflict"))
        return PreFilterResult(node_names=names) if names is not None else PASS

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        if not matches_node_selector(self._added.get(_REQUIRED), node.labels, node.name):
            return never("node(s) didn't match scheduler-enforced node affinity")
        if admits_node(cycle.pod.spec, node):
            return None
        return never("node(s) didn't match Pod's node affinity/selector")

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        return bool(self._added.get(_PREFERRED) or preferred_terms(cycle.pod.spec))

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        return sum(
            term["weight"]
            for term in (*(self._added.get(_PREFERRED) or ()), *preferred_terms(cycle.pod.spec))
            if matches_node_term(term["preference"], node.labels, node.name)
        )

    def normalize(self, cycle: Cycle, raw: Sequence[int]) -> Sequence[int]:
        return stretch(raw)


DESCRIPTOR = Descriptor(NodeAffinity.name, NodeAffinity)
