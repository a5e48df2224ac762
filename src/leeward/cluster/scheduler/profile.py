"""Runs the plugins over one Pod: which nodes are feasible, why the others are not, which is best.

Invariant: pure; the same cycle gives the same choice.

Source: ``pkg/scheduler/schedule_one.go`` (findNodesThatFitPod, prioritizeNodes, selectHost).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import NO_ARGS, Args, Cycle, Plugin, Rejection, never, overrides
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo

Nominated = Callable[[str, PodInfo], Sequence[PodInfo]]  # (node, Pod) -> Pods to leave room for
_MIN_FEASIBLE = 100
_MIN_PERCENTAGE = 5
_ELSEWHERE = Rejection(
    ("node(s) didn't satisfy plugin(s) [NodeAffinity]",), never("").code, plugin="NodeAffinity"
)


@dataclass(slots=True)
class Feasibility:
    """What filtering found."""

    feasible: list[NodeInfo] = field(default_factory=list)
    rejections: dict[str, Rejection] = field(default_factory=dict)  # by node
    rejection: Rejection | None = None  # of the Pod as such, whatever the node
    hopeless: str = ""  # why preemption does not help either, once that is known

    def plugins(self) -> set[str]:
        """Return the names of the plugins that said no."""
        found = {rejection.plugin for rejection in self.rejections.values()}
        return found | ({self.rejection.plugin} if self.rejection else set())


@dataclass(frozen=True, slots=True)
class Prepared:
    """What PreFilter found."""

    filters: Sequence[Plugin] = ()  # those that have something to filter
    rejection: Rejection | None = None
    only: frozenset[str] | None = None  # the nodes that are possible; None: all


class Profile:
    """The plugins in order.

    Args:
        plugins: which.
        name: the ``schedulerName`` of the Pods they decide about.
        percentage: of the nodes that are enough to choose from; 0: the fewer the more nodes there are.
        preemption: arguments of DefaultPreemption; None: nobody makes way for others.
    """

    def __init__(
        self,
        plugins: Sequence[Plugin],
        *,
        name: str = "default-scheduler",
        percentage: int = 0,
        preemption: Args | None = NO_ARGS,
    ) -> None:
        self.plugins = plugins
        self.name = name
        self.percentage = percentage
        self.preemption = preemption
        self.filters = [plugin for plugin in plugins if overrides(plugin, "filter")]
        self.scorers = [plugin for plugin in plugins if plugin.weight]
        self.pre_binders = [plugin for plugin in plugins if overrides(plugin, "pre_bind")]
        self._pre_enqueuers = [plugin for plugin in plugins if overrides(plugin, "pre_enqueue")]
        self._pre_filters = [plugin for plugin in plugins if overrides(plugin, "pre_filter")]

    def pre_enqueue(self, pod: PodInfo) -> Rejection | None:
        """Return why the Pod may not be tried yet, if so."""
        for plugin in self._pre_enqueuers:
            if rejection := plugin.pre_enqueue(pod):
                return replace(rejection, plugin=plugin.name)
        return None

    def wakes(self, pod: PodInfo, rejected_by: Collection[str], event: Event) -> bool:
        """Tell whether an event may help a Pod that some plugins rejected."""
        return any(
            event.type in plugin.events.get(event.resource, ()) and plugin.wakes(pod, event)
            for plugin in self.plugins
            if plugin.name in rejected_by
        )

    def shares(self, pod: PodInfo) -> bool:
        """Tell whether what is found for the Pod holds for all of its template."""
        return all(plugin.shares(pod) for plugin in self.plugins)

    def prepare(self, cycle: Cycle) -> Prepared:
        """Run PreFilter."""
        skipped: set[str] = set()
        only: frozenset[str] | None = None
        for plugin in self._pre_filters:
            result = plugin.pre_filter(cycle)
            if result.rejection:
                return Prepared(rejection=replace(result.rejection, plugin=plugin.name))
            if result.skip:
                skipped.add(plugin.name)
            if result.node_names is not None:
                only = result.node_names if only is None else only & result.node_names
        return Prepared([plugin for plugin in self.filters if plugin.name not in skipped], None, only)

    def find_feasible(
        self,
        cycle: Cycle,
        prepared: Prepared,
        nominated: Nominated,
        nodes: Iterable[NodeInfo] | None = None,
        enough: int | None = None,
    ) -> Feasibility:
        """Filter nodes, leaving room for nominated Pods.

        Args:
            cycle: the attempt.
            prepared: what PreFilter found.
            nominated: for whom to leave room.
            nodes: which, in order; by default all.
            enough: how many feasible ones will do; by default all are looked for.
        """
        found = Feasibility(rejection=prepared.rejection)
        if prepared.rejection:
            return found
        for node in cycle.nodes.values() if nodes is None else nodes:
            no = self.check(cycle, prepared, node, nominated(node.name, cycle.pod))
            if no is not None:
                found.rejections[node.name] = no
                continue
            found.feasible.append(node)
            if len(found.feasible) == enough:
                break
        return found

    def check(
        self, cycle: Cycle, prepared: Prepared, node: NodeInfo, nominated: Sequence[PodInfo]
    ) -> Rejection | None:
        """Say whether the Pod may run on a node: with the nominated Pods there, and without them."""
        if prepared.only is not None and node.name not in prepared.only:
            return _ELSEWHERE
        if nominated:
            crowded, expected = node.clone(), cycle.clone()
            for other in nominated:
                crowded.add(other)
                tell(prepared.filters, expected, other, crowded, 1)
            if no := run_filters(prepared.filters, expected, crowded):
                return no
        return run_filters(prepared.filters, cycle, node)

    def score(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> dict[str, dict[str, int]]:
        """Return per node the weighted score of each plugin with an opinion."""
        table: dict[str, dict[str, int]] = {node.name: {} for node in feasible}
        likes = [(node, 1) for node in feasible]
        for plugin in self.scorers:
            if plugin.pre_score(cycle, likes):
                scores = plugin.normalize(cycle, [plugin.score(cycle, node) for node in feasible])
                for node, score in zip(feasible, scores, strict=True):
                    table[node.name][plugin.name] = score * plugin.weight
        return table

    def choose(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> NodeInfo:
        """Return the best of `feasible`; of equals the one that upstream's heap has on top."""
        if len(feasible) == 1:
            return feasible[0]
        table = self.score(cycle, feasible)
        return feasible[top_of([sum(table[node.name].values()) for node in feasible])]


def feasible_nodes_to_find(nodes: int, percentage: int = 0) -> int:
    """Return after how many feasible nodes a search may end: all up to 100, then a (falling) percentage.

    Source: numFeasibleNodesToFind of pkg/scheduler/schedule_one.go.
    """
    if nodes < _MIN_FEASIBLE:
        return nodes
    percentage = percentage or max(50 - nodes // 125, _MIN_PERCENTAGE)
    return max(nodes * percentage // 100, _MIN_FEASIBLE)


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


def tell(plugins: Sequence[Plugin], cycle: Cycle, other: PodInfo, node: NodeInfo, sign: int) -> None:
    """Tell plugins of a Pod that comes to a node or goes."""
    for plugin in plugins:
        if overrides(plugin, "update"):
            plugin.update(cycle, other.kin, node, sign)


def run_filters(filters: Sequence[Plugin], cycle: Cycle, node: NodeInfo) -> Rejection | None:
    """Return the first no, with its plugin's name."""
    for plugin in filters:
        if no := plugin.filter(cycle, node):
            return Rejection(no.reasons, no.code, plugin.name)
    return None
