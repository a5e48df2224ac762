"""NodeUnschedulable: no new Pods on a cordoned node, unless they tolerate its taint."""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import Cycle, Descriptor, Events, Plugin, Rejection, never
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.tolerations import tolerates
from leeward.kube.wellknown import TAINT_UNSCHEDULABLE

_TAINT = {"key": TAINT_UNSCHEDULABLE, "effect": "NoSchedule"}


class NodeUnschedulable(Plugin):
    """Filters by the node's ``spec.unschedulable``."""

    name = "NodeUnschedulable"
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED")}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        new, old = nodes_of(event)
        return not new.unschedulable and (old is None or old.unschedulable)

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        if not node.unschedulable or tolerates(cycle.pod.spec.get("tolerations") or (), _TAINT):
            return None
        return never("node(s) were unschedulable")


DESCRIPTOR = Descriptor(NodeUnschedulable.name, NodeUnschedulable)
