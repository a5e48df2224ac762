"""A node and what runs on it, kept up to date Pod by Pod.

Invariant: ``requested`` and ``scored`` are the sums over ``pods``; nothing is ever recounted.

Source: ``pkg/scheduler/framework/types.go`` (NodeInfo).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leeward.cluster.scheduler.podinfo import PodInfo, Resources, quantity_of
from leeward.kube.objects import Obj, labels_of


class NodeInfo:
    """Mutable; owned by the cache, cloned for what-if questions."""

    __slots__ = (
        "allocatable",
        "by_namespace",
        "labels",
        "name",
        "node",
        "pods",
        "requested",
        "scored",
        "taints",
        "with_affinity",
    )

    def __init__(self, name: str, node: Obj | None = None) -> None:
        self.name = name
        self.pods: dict[str, PodInfo] = {}  # by uid
        self.by_namespace: dict[str, dict[str, PodInfo]] = {}
        self.with_affinity: dict[str, PodInfo] = {}  # those with affinity or anti-affinity terms
        self.requested: Resources = {}
        self.scored: Resources = {}
        self.node: Obj | None = None  # None: Pods name a node that is not (yet, any more) there
        self.labels: Mapping[str, str] = {}
        self.taints: Sequence[Mapping[str, Any]] = ()
        self.allocatable: Resources = {}
        self.set_node(node)

    def set_node(self, node: Obj | None) -> None:
        """Take a new state of the Node object."""
        self.node = node
        self.labels = labels_of(node) if node else {}
        self.taints = ((node.get("spec") or {}).get("taints") or ()) if node else ()
        status = (node.get("status") or {}) if node else {}
        amounts = status.get("allocatable") or status.get("capacity") or {}
        self.allocatable = {name: quantity_of(name, text) for name, text in amounts.items()}

    def add(self, info: PodInfo) -> None:
        """Count a Pod; replaces an earlier state of the same Pod."""
        if info.uid in self.pods:
            self.remove(info.uid)
        self.pods[info.uid] = info
        self.by_namespace.setdefault(info.namespace, {})[info.uid] = info
        if info.has_terms:
            self.with_affinity[info.uid] = info
        self._count(info, 1)

    def remove(self, uid: str) -> None:
        """Stop counting a Pod; harmless when it is not here."""
        info = self.pods.pop(uid, None)
        if info is None:
            return
        self.with_affinity.pop(uid, None)
        of_namespace = self.by_namespace[info.namespace]
        del of_namespace[uid]
        if not of_namespace:
            del self.by_namespace[info.namespace]
        self._count(info, -1)

    def _count(self, info: PodInfo, sign: int) -> None:
        for total, amounts in ((self.requested, info.requests), (self.scored, info.scored)):
            for name, amount in amounts.items():
                total[name] = total.get(name, 0) + sign * amount

    def pods_in(self, namespace: str) -> Iterator[PodInfo]:
        """Iterate over the Pods of one namespace."""
        return iter(self.by_namespace.get(namespace, {}).values())

    def clone(self) -> NodeInfo:
        """Return a copy whose Pods may be added and removed freely."""
        copy = NodeInfo(self.name)
        copy.node, copy.labels, copy.taints = self.node, self.labels, self.taints
        copy.allocatable = self.allocatable
        copy.pods, copy.with_affinity = dict(self.pods), dict(self.with_affinity)
        copy.by_namespace = {name: dict(pods) for name, pods in self.by_namespace.items()}
        copy.requested, copy.scored = dict(self.requested), dict(self.scored)
        return copy
