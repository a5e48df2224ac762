"""NodeName: a Pod that names its node goes there or nowhere."""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    PASS,
    SKIP,
    Cycle,
    Descriptor,
    Events,
    Plugin,
    PreFilterResult,
    Rejection,
    never,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo


class NodeName(Plugin):
    """Filters by ``spec.nodeName``."""

    name = "NodeName"
    events: ClassVar[Events] = {"nodes": ("ADDED",)}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        return bool(pod.spec.get("nodeName") == event.object["metadata"]["name"])

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        return PASS if cycle.pod.spec.get("nodeName") else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        wanted = cycle.pod.spec.get("nodeName")
        return (
            None
            if not wanted or wanted == node.name
            else never("node(s) didn't match the requested node name")
        )


DESCRIPTOR = Descriptor(NodeName.name, NodeName)
