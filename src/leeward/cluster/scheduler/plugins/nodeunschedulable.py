"""NodeUnschedulable: no new Pods on a cordoned node, unless they tolerate its taint."""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.scheduler.framework import Cycle, Descriptor, Events, Plugin, Rejection, never
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.tolerations import tolerates
from leeward.kube.wellknown import TAINT_UNSCHEDULABLE

_TAINT = {"key": TAINT_UNSCHEDULABLE, "effect": "NoSchedule"}


class NodeUnschedulable(Plugin):
    """Filters by the node's ``spec.unschedulable``."""

    name = "NodeUnschedulable"
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED")}

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        cordoned = ((node.node or {}).get("spec") or {}).get("unschedulable")
        if not cordoned or tolerates(cycle.pod.spec.get("tolerations") or (), _TAINT):
            return None
        return never("node(s) were unschedulable")


DESCRIPTOR = Descriptor(NodeUnschedulable.name, NodeUnschedulable)
