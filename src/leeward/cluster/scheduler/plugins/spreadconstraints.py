"""Topology spread constraints, and how many Pods they count in each domain.

Source: ``pkg/scheduler/framework/plugins/podtopologyspread`` (filtering.go, common.go).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.cluster.scheduler.framework import Cycle
from leeward.cluster.scheduler.nodeinfo import NodeInfo, bump
from leeward.cluster.scheduler.plugins.nodeaffinity import admits_node, restricts_nodes
from leeward.cluster.scheduler.podinfo import Kin, PodInfo, merge_label_keys
from leeward.kube.objects import Obj
from leeward.kube.selectors import matches_selector
from leeward.kube.tolerations import untolerated


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

    def looks_at_nodes(self, pod: PodInfo) -> bool:
        """Tell whether :meth:`includes` may leave out nodes."""
        return self.honor_taints or (self.honor_affinity and restricts_nodes(pod.spec))

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a Pod with these labels counts."""
        return matches_selector(self.selector, labels)


def constraints_of(pod: PodInfo, when: str, constraints: Iterable[Obj]) -> list[Constraint]:
    """Return those of some constraints with ``whenUnsatisfiable`` == `when`, as they are for a Pod."""
    return [
        Constraint(
            key=raw["topologyKey"],
            max_skew=raw["maxSkew"],
            selector=merge_label_keys(raw.get("labelSelector"), pod.labels, raw.get("matchLabelKeys") or ()),
            min_domains=raw.get("minDomains") or 1,
            honor_affinity=raw.get("nodeAffinityPolicy") != "Ignore",
            honor_taints=raw.get("nodeTaintsPolicy") == "Honor",
        )
        for raw in constraints
        if raw.get("whenUnsatisfiable", "DoNotSchedule") == when
    ]


class Tally:
    """The Pods that count for one constraint of a Pod, by domain.

    Args:
        pod: whose constraint it is.
        constraint: what counts.
        together: the constraints all of whose keys a node must have for its Pods to count.
    """

    __slots__ = ("_kins", "_least", "_levels", "_pod", "_together", "constraint", "counts")

    def __init__(self, pod: PodInfo, constraint: Constraint, together: Iterable[Constraint]) -> None:
        self.constraint = constraint
        self.counts: dict[str, int] = {}
        self._pod = pod
        self._together: Sequence[str] = [each.key for each in together]
        self._kins: dict[Kin, bool] = {}  # which are selected
        self._levels: dict[int, int] = {}  # count -> domains that have it
        self._least = 0

    def clone(self) -> Tally:
        """Return a copy that counts for itself."""
        copy = Tally(self._pod, self.constraint, ())
        copy._together, copy._kins, copy._least = self._together, self._kins, self._least
        copy.counts, copy._levels = dict(self.counts), dict(self._levels)
        return copy

    def count_all(self, cycle: Cycle) -> None:
        """Start from all nodes and the Pods on them."""
        counts, key = self.counts, self.constraint.key
        domains = cycle.domains(key, self._together)
        if self.constraint.looks_at_nodes(self._pod):
            domains = {name: domain for name, domain in domains.items() if self._includes(cycle.nodes[name])}
        counts.update(dict.fromkeys(domains.values(), 0))
        for kin, places in cycle.census.within((self._pod.namespace,)):
            if self._selects(kin):
                for name, count in places.items():
                    if name in domains:
                        counts[domains[name]] += count
        for count in counts.values():
            bump(self._levels, count, 1)
        self._least = min(self._levels, default=0)

    def _includes(self, node: NodeInfo) -> bool:
        labels = node.labels
        if self.constraint.key not in labels or not all(key in labels for key in self._together):
            return False
        return self.constraint.includes(self._pod, node)

    def _selects(self, kin: Kin) -> bool:
        selected = self._kins.get(kin)
        if selected is None:
            template, terminating = kin
            is_near = not terminating and template.namespace == self._pod.namespace
            selected = self._kins[kin] = is_near and self.constraint.selects(template.labels)
        return selected

    def update(self, other: Kin, node: NodeInfo, sign: int) -> None:
        """Take note that a Pod of the kin `other` came to a node (1) or went (-1)."""
        if not self._selects(other) or not self._includes(node):
            return
        domain = node.labels[self.constraint.key]
        count = self.counts[domain]
        self.counts[domain] = count + sign
        bump(self._levels, count, -1)
        bump(self._levels, count + sign, 1)
        if count == self._least and (sign < 0 or count not in self._levels):
            self._least = count + sign

    def least(self) -> int:
        """Return the count of the emptiest domain; 0 while there are fewer domains than there should be."""
        return self._least if len(self.counts) >= self.constraint.min_domains else 0

    def on(self, node: NodeInfo) -> int:
        """Return how many Pods of one node are selected, whether its Pods count or not."""
        return sum([count for kin, count in node.kins.items() if self._selects(kin)])
