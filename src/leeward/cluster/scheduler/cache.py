"""What runs where, as of the latest event: one :class:`NodeInfo` per node, changed Pod by Pod.

Invariants: a Pod counts on at most one node; finished Pods count nowhere; an assumed Pod (its binding
waits for volumes) counts until it is forgotten or its real state arrives.

Source: ``pkg/scheduler/backend/cache``.
"""

from __future__ import annotations

from collections.abc import Mapping

from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.nodetree import NodeTree
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.objects import Obj

FINISHED = ("Succeeded", "Failed")


class Cache:
    """The scheduler's memory of nodes and placed Pods."""

    def __init__(self) -> None:
        self._infos: dict[str, NodeInfo] = {}  # includes nodes only known from their Pods
        self._live: dict[str, NodeInfo] = {}
        self._tree = NodeTree()
        self._is_sorted = True
        self._place: dict[str, str] = {}  # Pod uid -> node
        self._nominated: dict[str, tuple[str, PodInfo]] = {}  # Pod uid -> (node, Pod)

    @property
    def nodes(self) -> Mapping[str, NodeInfo]:
        """The nodes that exist, by name, in the order of :class:`NodeTree`."""
        if not self._is_sorted:
            self._live = {name: self._live[name] for name in self._tree}
            self._is_sorted = True
        return self._live

    def set_node(self, node: Obj) -> None:
        """Take a node's new state."""
        name = node["metadata"]["name"]
        info = self._infos.setdefault(name, NodeInfo(name))
        info.set_node(node)
        self._live[name] = info
        if self._tree.put(name, info.labels):
            self._is_sorted = False

    def remove_node(self, name: str) -> None:
        """Forget a node; its Pods are remembered until they go too."""
        info = self._live.pop(name, None)
        self._tree.remove(name)
        if info is not None:
            info.set_node(None)
            self._drop_if_empty(name)

    def place(self, info: PodInfo, node: str) -> None:
        """Count a Pod on a node; also its assumed or newer state."""
        self.forget(info.uid)
        self._nominated.pop(info.uid, None)
        self._infos.setdefault(node, NodeInfo(node)).add(info)
        self._place[info.uid] = node

    def forget(self, uid: str) -> bool:
        """Stop counting a Pod; tells whether it counted."""
        node = self._place.pop(uid, None)
        if node is None:
            return False
        self._infos[node].remove(uid)
        self._drop_if_empty(node)
        return True

    def _drop_if_empty(self, name: str) -> None:
        info = self._infos.get(name)
        if info is not None and info.node is None and not info.pods:
            del self._infos[name]

    def nominate(self, info: PodInfo, node: str | None) -> None:
        """Keep room for a Pod on the node where others are making way for it; None takes it back."""
        if node:
            self._nominated[info.uid] = (node, info)
        else:
            self._nominated.pop(info.uid, None)

    def nominations(self) -> Mapping[str, tuple[str, PodInfo]]:
        """Return (node, Pod) by Pod uid."""
        return self._nominated

    def nominated_on(self, node: str, pod: PodInfo) -> list[PodInfo]:
        """Return the nominated Pods that `pod` must leave room for on `node`."""
        return [
            other
            for uid, (place, other) in self._nominated.items()
            if place == node and uid != pod.uid and other.priority >= pod.priority
        ]
