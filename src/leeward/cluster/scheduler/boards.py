"""Places Pods of one template after another without looking at every node again.

A board keeps what is known of every node for one template. What depends on the node alone (does the Pod
fit, how full is it) is asked again only when the node changes. What depends on Pods elsewhere (spread,
affinity) is counted on by the plugins (:meth:`Plugin.update`) and asked once for all nodes that they treat
alike: nodes of one group differ only in scores that do not depend on other nodes, so the best of a group is
on top of a heap, and the best of all is found by comparing groups.

Invariant: the nodes that are feasible, their scores, and so the choice, are those of :class:`Profile`; all
nodes count, as with upstream's percentageOfNodesToScore at 100. Of equals the first in order is chosen.

Source: what upstream's opportunistic batching (``pkg/scheduler/framework/runtime/batch.go``) is for.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler.cache import Cache, Change
from leeward.cluster.scheduler.framework import Plugin, Rejection, overrides
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo, Template
from leeward.cluster.scheduler.profile import Feasibility, Profile, run_filters

_KEPT_ENTRIES = 100_000  # of boards, one a node
_FEWEST_KEPT = 16  # templates
_PATIENCE = 400  # a board of so many nodes costs what looking for nodes for one Pod costs
_MOST_OUTDATED = 10  # entries of heaps a node


@dataclass(slots=True, eq=False)
class _Group:
    """Nodes that all plugins which look at other nodes treat alike."""

    heap: list[tuple[int, int, str]] = field(default_factory=list)  # (-score, order, node), some outdated
    size: int = 0


@dataclass(slots=True)
class _Entry:
    """What is known of a node."""

    order: int
    group: _Group | None = None  # None: it is rejected
    score: int = 0
    rejection: Rejection | None = None


class Board:
    """All nodes, for one template.

    Args:
        profile: who decides.
        cache: what runs where.
        reader: other objects.
        pod: one of the template.
    """

    def __init__(self, profile: Profile, cache: Cache, reader: Reader, pod: PodInfo) -> None:
        self._profile = profile
        self._cache = cache
        self._reader = reader
        self._build(pod)

    def _build(self, pod: PodInfo) -> None:
        cache = self._cache
        self._seen = cache.revision
        self._found: Feasibility | None = None
        self._pushed = 0
        self._cycle = cycle = cache.cycle(pod, self._reader)
        self._prepared = self._profile.prepare(cycle)
        filters = self._prepared.filters
        self._near = replace(self._prepared, filters=[each for each in filters if not each.looks_around])
        self._around = [each for each in self._profile.plugins if each.looks_around]
        self._counting = [each for each in self._around if overrides(each, "update")]
        self._judging = [each for each in self._around if each in self._profile.filters]
        scorers = [plugin for plugin in self._profile.scorers if plugin.pre_score(cycle, ())]
        self._constant = [each for each in scorers if not _is_relative(each)]
        self._relative = [each for each in scorers if _is_relative(each) and not each.looks_around]
        self._comparing = [each for each in self._profile.scorers if _is_relative(each)]
        self._groups: dict[Hashable, _Group] = {}
        self._entries: dict[str, _Entry] = {}
        self._keys = self._topology()
        if not self._prepared.rejection:
            for order, node in enumerate(cycle.nodes.values()):
                entry = self._entries[node.name] = _Entry(order)
                self._assess(entry, node)
        self._next = len(self._entries)
        self._pushed = 0

    def _topology(self) -> list[frozenset[str]]:
        return [frozenset(plugin.keys(self._cycle)) for plugin in self._around]

    def _assess(self, entry: _Entry, node: NodeInfo) -> None:
        """Ask plugins what depends on the node alone, and put it into its group."""
        if entry.group is not None:
            entry.group.size -= 1
            entry.group = None
        cycle = self._cycle
        entry.rejection = self._profile.check(cycle, self._near, node, ())
        if entry.rejection is not None:
            return
        entry.score = sum([plugin.score(cycle, node) * plugin.weight for plugin in self._constant])
        raw = [plugin.score(cycle, node) for plugin in self._relative]
        key = (*raw, *[plugin.digest(cycle, node) for plugin in self._around])
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        entry.group = group
        group.size += 1
        heapq.heappush(group.heap, (-entry.score, entry.order, node.name))
        self._pushed += 1

    def _catch_up(self) -> None:
        """Take note of what changed since the last time."""
        changes = self._cache.changes_since(self._seen)
        is_bloated = self._pushed > _MOST_OUTDATED * (len(self._entries) + 100)
        if changes is None or is_bloated or self._prepared.rejection:
            self._build(self._cycle.pod)
        elif changes:
            self._seen = self._cache.revision
            self._found = None
            self._follow(changes)
            if self._topology() != self._keys or self._cache.hosts_differ != self._cycle.hosts_differ:
                self._build(self._cycle.pod)
                return
            for name in dict.fromkeys(change.node for change in changes):
                self._look_again(name)

    def _follow(self, changes: Sequence[Change]) -> None:
        cycle = self._cycle
        if any(change.kin is None for change in changes):
            now = self._cache.cycle(cycle.pod, self._reader)
            cycle.nodes, cycle.topologies = now.nodes, now.topologies
            for plugin in self._around:
                plugin.pre_filter(cycle)
            return
        for change in changes:
            node = cycle.nodes.get(change.node)
            if node is not None and change.kin is not None:
                for plugin in self._counting:
                    plugin.update(cycle, change.kin, node, change.sign)

    def _look_again(self, name: str) -> None:
        node, entry = self._cycle.nodes.get(name), self._entries.get(name)
        if node is None:
            if entry is not None and entry.group is not None:
                entry.group.size -= 1
            self._entries.pop(name, None)
            return
        if entry is None:
            entry = self._entries[name] = _Entry(self._next)
            self._next += 1
        self._assess(entry, node)

    def _tops(self) -> list[tuple[_Group, NodeInfo]]:
        """Return every group with its best node; forgets groups that are empty."""
        tops: list[tuple[_Group, NodeInfo]] = []
        empty: list[Hashable] = []
        for key, group in self._groups.items():
            if not group.size:
                empty.append(key)
                continue
            heap = group.heap
            while True:
                score, order, name = heap[0]
                entry = self._entries.get(name)
                if entry and entry.group is group and entry.score == -score and entry.order == order:
                    break
                heapq.heappop(heap)
            tops.append((group, self._cycle.nodes[name]))
        for key in empty:
            del self._groups[key]
        return tops

    def pick(self, pod: PodInfo) -> NodeInfo | None:
        """Return the best node for a Pod of the template, or None: there is none."""
        self._cycle.pod = pod
        self._catch_up()
        cycle = self._cycle
        tops = [top for top in self._tops() if not any(each.filter(cycle, top[1]) for each in self._judging)]
        if len(tops) < 2:
            return tops[0][1] if tops else None
        totals = [-group.heap[0][0] for group, _ in tops]
        likes = [(node, group.size) for group, node in tops]
        for plugin in self._comparing:
            if plugin.pre_score(cycle, likes):
                scores = plugin.normalize(cycle, [plugin.score(cycle, node) for node, _ in likes])
                for position, score in enumerate(scores):
                    totals[position] += score * plugin.weight
        best = max(range(len(tops)), key=lambda at: (totals[at], -tops[at][0].heap[0][1]))
        return tops[best][1]

    def explain(self) -> Feasibility:
        """Return why :meth:`pick` found nothing."""
        if self._found is None:
            found = self._found = Feasibility(rejection=self._prepared.rejection)
            tops = self._tops()
            around = {id(group): run_filters(self._judging, self._cycle, node) for group, node in tops}
            for name in self._cycle.nodes if not found.rejection else ():
                entry = self._entries[name]
                no = entry.rejection or around[id(entry.group)]
                if no is not None:
                    found.rejections[name] = no
        return self._found


def _is_relative(plugin: Plugin) -> bool:
    """Tell whether its score of a node depends on other nodes."""
    return plugin.looks_around or overrides(plugin, "normalize")


class Boards:
    """The boards of the templates whose Pods came last.

    A template gets one when so many Pods came that it would have been worth it, the second at the earliest.
    """

    def __init__(self, profile: Profile, cache: Cache, reader: Reader) -> None:
        self._profile = profile
        self._cache = cache
        self._reader = reader
        self._known: OrderedDict[Template, Board | int] = OrderedDict()  # or how many Pods came

    def get(self, pod: PodInfo) -> Board | None:
        """Return the board of a Pod's template; None: look at the nodes one by one."""
        template, nodes = pod.template, len(self._cache.nodes)
        known = self._known.pop(template, 0)
        if isinstance(known, int) and self._profile.shares(pod):
            is_worth_it = known > nodes // _PATIENCE
            known = Board(self._profile, self._cache, self._reader, pod) if is_worth_it else known + 1
        self._known[template] = known
        while len(self._known) > max(_KEPT_ENTRIES // max(nodes, 400), _FEWEST_KEPT):
            self._known.popitem(last=False)
        return None if isinstance(known, int) else known

    def forget(self, namespace: str, owner: tuple[str, str] | None = None) -> None:
        """Forget what depends on other objects that changed.

        Args:
            namespace: of which Pods; "" for all.
            owner: kind and name of the controller, if only its Pods are concerned.
        """
        for template in list(self._known):
            if namespace in ("", template.namespace) and owner in (None, template.owner[1:]):
                del self._known[template]
