"""Runs the plugins over one Pod: which nodes are feasible, why the others are not, which is best.

Invariant: pure; the same cycle gives the same choice.

Source: ``pkg/scheduler/schedule_one.go`` (findNodesThatFitPod, prioritizeNodes, selectHost).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from leeward.cluster.scheduler.framework import Cycle, Plugin, Rejection, never
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo

Nominated = Callable[[str, PodInfo], Sequence[PodInfo]]  # (node, Pod) -> Pods to leave room for


@dataclass(slots=True)
class Feasibility:
    """What filtering found."""

    feasible: list[NodeInfo] = field(default_factory=list)
    rejections: dict[str, Rejection] = field(default_factory=dict)  # by node
    rejection: Rejection | None = None  # of the Pod as such, whatever the node

    def plugins(self) -> set[str]:
        """Return the names of the plugins that said no."""
        found = {rejection.plugin for rejection in self.rejections.values()}
        return found | ({self.rejection.plugin} if self.rejection else set())


class Profile:
    """The plugins in order."""

    def __init__(self, plugins: Sequence[Plugin]) -> None:
        self.plugins = plugins
        self._pre_filters = _overriding(plugins, "pre_filter")
        self._filters = _overriding(plugins, "filter")
        self._scorers = [plugin for plugin in plugins if plugin.weight]
        self._pre_binders = _overriding(plugins, "pre_bind")

    def pre_enqueue(self, pod: PodInfo) -> Rejection | None:
        """Return why the Pod may not be tried yet, if so."""
        for plugin in self.plugins:
            if rejection := plugin.pre_enqueue(pod):
                return replace(rejection, plugin=plugin.name)
        return None

    def prepare(self, cycle: Cycle) -> tuple[list[Plugin], Rejection | None, frozenset[str] | None]:
        """Run PreFilter; returns the plugins left to filter, a rejection, the only nodes possible."""
        skipped: set[str] = set()
        only: frozenset[str] | None = None
        for plugin in self._pre_filters:
            result = plugin.pre_filter(cycle)
            if result.rejection:
                return [], replace(result.rejection, plugin=plugin.name), None
            if result.skip:
                skipped.add(plugin.name)
            if result.node_names is not None:
                only = result.node_names if only is None else only & result.node_names
        return [plugin for plugin in self._filters if plugin.name not in skipped], None, only

    def find_feasible(self, cycle: Cycle, nominated: Nominated) -> Feasibility:
        """Filter all nodes, leaving room for nominated Pods."""
        filters, rejection, only = self.prepare(cycle)
        found = Feasibility(rejection=rejection)
        if rejection:
            return found
        for name, node in cycle.nodes.items():
            if only is not None and name not in only:
                found.rejections[name] = replace(
                    never("node(s) didn't satisfy plugin(s) [NodeAffinity]"), plugin="NodeAffinity"
                )
                continue
            no = self._check(cycle, node, filters, nominated(name, cycle.pod))
            if no is None:
                found.feasible.append(node)
            else:
                found.rejections[name] = no
        return found

    def _check(
        self, cycle: Cycle, node: NodeInfo, filters: Sequence[Plugin], nominated: Sequence[PodInfo]
    ) -> Rejection | None:
        if nominated:
            crowded = node.clone()
            for other in nominated:
                crowded.add(other)
            if no := self.check_anew(cycle.what_if(crowded), crowded):
                return no
        return run_filters(filters, cycle, node)

    def check_anew(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        """Run PreFilter and Filter of a what-if cycle for one node."""
        filters, rejection, only = self.prepare(cycle)
        if rejection or (only is not None and node.name not in only):
            return rejection or never("excluded")
        return run_filters(filters, cycle, node)

    def score(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> dict[str, dict[str, int]]:
        """Return per node the weighted score of each plugin with an opinion."""
        table: dict[str, dict[str, int]] = {node.name: {} for node in feasible}
        for plugin in self._scorers:
            scores: Mapping[str, int] = plugin.scores(cycle, feasible) or {}
            for name, score in scores.items():
                table[name][plugin.name] = score * plugin.weight
        return table

    def choose(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> NodeInfo:
        """Return the best of `feasible`; of equals the one that upstream's heap has on top."""
        if len(feasible) == 1:
            return feasible[0]
        table = self.score(cycle, feasible)
        return feasible[top_of([sum(table[node.name].values()) for node in feasible])]

    @property
    def pre_binders(self) -> Sequence[Plugin]:
        """The plugins that prepare bindings."""
        return self._pre_binders


def top_of(totals: Sequence[int]) -> int:
    """Return which of some numbers, at least one, is on top when Go has made a heap of them.

    That is the greatest, and mostly the first of those that are equal.

    Source: Init of container/heap; newSortedNodeScores of pkg/scheduler/schedule_one.go.
    """
    heap = list(range(len(totals)))
    for start in reversed(range(len(heap) // 2)):
        at = start
        while (child := 2 * at + 1) < len(heap):
            if child + 1 < len(heap) and totals[heap[child + 1]] > totals[heap[child]]:
                child += 1
            if totals[heap[child]] <= totals[heap[at]]:
                break
            heap[at], heap[child] = heap[child], heap[at]
            at = child
    return heap[0]


def run_filters(filters: Sequence[Plugin], cycle: Cycle, node: NodeInfo) -> Rejection | None:
    """Return the first no, with its plugin's name."""
    for plugin in filters:
        if no := plugin.filter(cycle, node):
            return replace(no, plugin=plugin.name)
    return None


def _overriding(plugins: Sequence[Plugin], point: str) -> list[Plugin]:
    return [plugin for plugin in plugins if getattr(type(plugin), point) is not getattr(Plugin, point)]
