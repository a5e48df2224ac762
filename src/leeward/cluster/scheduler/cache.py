"""What runs where, as of the latest event: one :class:`NodeInfo` per node, changed Pod by Pod.

Who keeps something worked out from nodes and Pods follows :meth:`Cache.changes_since` and looks again at
what changed, instead of at everything.

Invariants: a Pod counts on at most one node; finished Pods count nowhere; an assumed Pod (its binding
waits for volumes) counts until it is forgotten or its real state arrives.

Source: ``pkg/scheduler/backend/cache``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler.census import Census
from leeward.cluster.scheduler.framework import Cycle
from leeward.cluster.scheduler.nodeinfo import NodeInfo, bump
from leeward.cluster.scheduler.nodetree import NodeTree
from leeward.cluster.scheduler.podinfo import Kin, PodInfo
from leeward.kube.objects import Obj
from leeward.kube.wellknown import HOSTNAME

FINISHED = ("Succeeded", "Failed")
_KEPT_CHANGES = 20_000


class Change(NamedTuple):
    """A node changed, came or went, or a Pod of a kin came to it (1) or went from it (-1)."""

    node: str
    kin: Kin | None = None
    sign: int = 0


class Cache:
    """The scheduler's memory of nodes and placed Pods."""

    def __init__(self) -> None:
        self.census = Census()
        self.images: dict[str, int] = {}  # name -> nodes that have it
        self._infos: dict[str, NodeInfo] = {}  # includes nodes only known from their Pods
        self._live: dict[str, NodeInfo] = {}
        self._tree = NodeTree()
        self._is_sorted = True
        self._hosts: dict[str, int] = {}  # hostname -> nodes
        self._shared_hosts = 0  # nodes beyond the first with a hostname
        self._place: dict[str, str] = {}  # Pod uid -> node
        self._nominated: dict[str, tuple[str, PodInfo]] = {}  # Pod uid -> (node, Pod)
        self._expected: dict[str, dict[str, PodInfo]] = {}  # the same by node
        self._topologies: dict[tuple[str, ...], Mapping[str, str]] = {}  # of cycles, until a node changes
        self._changes: list[Change] = []
        self._dropped = 0  # changes that are no longer kept

    @property
    def nodes(self) -> Mapping[str, NodeInfo]:
        """The nodes that exist, by name, in the order of :class:`NodeTree`."""
        if not self._is_sorted:
            self._live = {name: self._live[name] for name in self._tree}
            self._is_sorted = True
        return self._live

    def cycle(self, pod: PodInfo, reader: Reader) -> Cycle:
        """Begin an attempt to place a Pod."""
        return Cycle(pod, self.nodes, self.census, reader, self.hosts_differ, self.images, self._topologies)

    @property
    def hosts_differ(self) -> bool:
        """Tell whether no two nodes have the same hostname label."""
        return self._shared_hosts == 0

    @property
    def revision(self) -> int:
        """How many changes there have been."""
        return self._dropped + len(self._changes)

    def changes_since(self, revision: int) -> Sequence[Change] | None:
        """Return what happened after `revision`; None: it is too long ago."""
        return self._changes[revision - self._dropped :] if revision >= self._dropped else None

    def _note(self, change: Change) -> None:
        if len(self._changes) >= _KEPT_CHANGES:
            self._dropped += len(self._changes) // 2
            del self._changes[: len(self._changes) // 2]
        self._changes.append(change)

    def set_node(self, node: Obj) -> None:
        """Take a node's new state."""
        name = node["metadata"]["name"]
        info = self._infos.setdefault(name, NodeInfo(name))
        self._count_names(info, -1)
        info.set_node(node)
        self._count_names(info, 1)
        self._live[name] = info
        if self._tree.put(name, info.labels):
            self._is_sorted = False
        self._note(Change(name))

    def remove_node(self, name: str) -> None:
        """Forget a node; its Pods are remembered until they go too."""
        info = self._live.pop(name, None)
        self._tree.remove(name)
        if info is not None:
            self._count_names(info, -1)
            info.set_node(None)
            self._drop_if_empty(name)
            self._note(Change(name))

    def _count_names(self, info: NodeInfo, sign: int) -> None:
        self._topologies = {}
        for image in info.images:
            bump(self.images, image, sign)
        if host := info.labels.get(HOSTNAME):
            bump(self._hosts, host, sign)
            self._shared_hosts += sign if self._hosts.get(host, 0) > (1 if sign > 0 else 0) else 0

    def place(self, info: PodInfo, node: str) -> None:
        """Count a Pod on a node; also its assumed or newer state."""
        self.nominate(info, None)
        if self._place.get(info.uid) == node:
            placed = self._infos[node]
            if placed.pods[info.uid].kin == info.kin:
                placed.pods[info.uid] = info
                return
        self.forget(info.uid)
        found = self._infos.get(node)
        if found is None:
            found = self._infos[node] = NodeInfo(node)
        found.add(info)
        self._place[info.uid] = node
        self.census.count(info.kin, node, 1)
        self._note(Change(node, info.kin, 1))

    def holds(self, uid: str) -> bool:
        """Tell whether a Pod counts on a node."""
        return uid in self._place

    def forget(self, uid: str) -> bool:
        """Stop counting a Pod; tells whether it counted."""
        node = self._place.pop(uid, None)
        if node is None:
            return False
        info = self._infos[node].pods[uid]
        self._infos[node].remove(uid)
        self.census.count(info.kin, node, -1)
        self._note(Change(node, info.kin, -1))
        self._drop_if_empty(node)
        return True

    def _drop_if_empty(self, name: str) -> None:
        info = self._infos.get(name)
        if info is not None and info.node is None and not info.pods:
            del self._infos[name]

    def nominate(self, info: PodInfo, node: str | None) -> None:
        """Keep room for a Pod on the node where others are making way for it; None takes it back."""
        before = self._nominated.pop(info.uid, None)
        if before is not None:
            self._expected[before[0]].pop(info.uid)
            if not self._expected[before[0]]:
                del self._expected[before[0]]
        if node:
            self._nominated[info.uid] = (node, info)
            self._expected.setdefault(node, {})[info.uid] = info

    def nominations(self) -> Mapping[str, tuple[str, PodInfo]]:
        """Return (node, Pod) by Pod uid."""
        return self._nominated

    def nominated_on(self, node: str, pod: PodInfo) -> list[PodInfo]:
        """Return the nominated Pods that `pod` must leave room for on `node`."""
        if node not in self._expected:
            return []
        return [
            other
            for uid, other in self._expected[node].items()
            if uid != pod.uid and other.priority >= pod.priority
        ]
