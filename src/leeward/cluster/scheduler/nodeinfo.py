"""A node and what runs on it, kept up to date Pod by Pod.

Invariant: ``requested``, ``scored`` and ``kins`` are sums over ``pods``; nothing is ever recounted.

Source: ``pkg/scheduler/framework/types.go`` (NodeInfo).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.podinfo import Kin, PodInfo, Resources, quantity_of
from leeward.kube.objects import Obj, labels_of

T = TypeVar("T")
_MOST_REMEMBERED = 24  # answers a node


class NodeInfo:
    """Mutable; owned by the cache, cloned for what-if questions."""

    __slots__ = (
        "allocatable",
        "images",
        "kins",
        "labels",
        "memo",
        "name",
        "node",
        "pods",
        "requested",
        "scored",
        "taints",
        "unschedulable",
    )

    def __init__(self, name: str, node: Obj | None = None) -> None:
        self.name = name
        self.memo: dict[Hashable, Any] = {}  # of plugins, until the node or its Pods change
        self.pods: dict[str, PodInfo] = {}  # by uid
        self.kins: dict[Kin, int] = {}
        self.requested: Resources = {}
        self.scored: Resources = {}
        self.node: Obj | None = None  # None: Pods name a node that is not (yet, any more) there
        self.labels: Mapping[str, str] = {}
        self.taints: Sequence[Mapping[str, Any]] = ()
        self.unschedulable = False  # cordoned
        self.allocatable: Resources = {}
        self.images: Mapping[str, int] = {}  # name -> bytes
        self.set_node(node)

    def set_node(self, node: Obj | None) -> None:
        """Take a new state of the Node object."""
        self.memo.clear()
        self.node = node
        self.labels = labels_of(node) if node else {}
        spec = (node.get("spec") or {}) if node else {}
        self.taints, self.unschedulable = spec.get("taints") or (), bool(spec.get("unschedulable"))
        status = (node.get("status") or {}) if node else {}
        amounts = status.get("allocatable") or status.get("capacity") or {}
        self.allocatable = {name: quantity_of(name, text) for name, text in amounts.items()}
        self.images = {
            name: image.get("sizeBytes") or 0
            for image in status.get("images") or ()
            for name in image.get("names") or ()
        }

    def add(self, info: PodInfo) -> None:
        """Count a Pod; replaces an earlier state of the same Pod."""
        if info.uid in self.pods:
            self.remove(info.uid)
        self.pods[info.uid] = info
        self._count(info, 1)

    def remove(self, uid: str) -> None:
        """Stop counting a Pod; harmless when it is not here."""
        info = self.pods.pop(uid, None)
        if info is not None:
            self._count(info, -1)

    def _count(self, info: PodInfo, sign: int) -> None:
        template = info.template
        self.memo.clear()
        for total, amounts in ((self.requested, template.requests), (self.scored, template.scored)):
            for name, amount in amounts.items():
                total[name] = total.get(name, 0) + sign * amount
        bump(self.kins, info.kin, sign)

    def recall(self, key: Hashable, work: Callable[[], T]) -> T:
        """Return what `work` returned for `key`, unless the node has changed since."""
        if key in self.memo:
            found: T = self.memo[key]
            return found
        if len(self.memo) >= _MOST_REMEMBERED:
            self.memo.clear()
        result = self.memo[key] = work()
        return result

    def clone(self) -> NodeInfo:
        """Return a copy whose Pods may be added and removed freely."""
        copy = NodeInfo(self.name)
        copy.node, copy.labels, copy.taints = self.node, self.labels, self.taints
        copy.unschedulable = self.unschedulable
        copy.allocatable, copy.images = self.allocatable, self.images
        copy.pods, copy.kins = dict(self.pods), dict(self.kins)
        copy.requested, copy.scored = dict(self.requested), dict(self.scored)
        return copy


def nodes_of(event: Event) -> tuple[NodeInfo, NodeInfo | None]:
    """Return a node as it is now, or was last, and as it was before it changed; without Pods."""
    name = event.object["metadata"]["name"]
    old = event.previous if event.type == "MODIFIED" else None
    return NodeInfo(name, event.object), NodeInfo(name, old) if old is not None else None


def bump(counts: dict[Any, int], key: object, amount: int) -> None:
    """Change a count; one that comes to nothing is left out."""
    count = counts.get(key, 0) + amount
    if count:
        counts[key] = count
    else:
        counts.pop(key, None)
