"""NodeResourcesFit: requests fit into what the node has left; the emptiest node scores best.

Source: ``pkg/scheduler/framework/plugins/noderesources`` (fit.go, least_allocated.go).
"""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    MAX_SCORE,
    Code,
    Cycle,
    Descriptor,
    Events,
    Plugin,
    Rejection,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.podinfo import PodInfo, describe

_SCORED = ("cpu", "memory")


def _needs_less(event: Event) -> bool:
    """Tell whether a Pod was scaled down."""
    new, old = describe(event.object).requests, describe(event.previous or event.object).requests
    return any(new.get(name, 0) < amount for name, amount in old.items())


def _least_allocated(cycle: Cycle, node: NodeInfo) -> int:
    total = weights = 0
    for resource in _SCORED:
        capacity = node.allocatable.get(resource, 0)
        if capacity == 0:
            continue
        used = node.scored.get(resource, 0) + cycle.pod.template.scored.get(resource, 0)
        total += max(capacity - used, 0) * MAX_SCORE // capacity
        weights += 1
    return total // weights if weights else 0


class NodeResourcesFit(Plugin):
    """Filters by free resources, scores by LeastAllocated over CPU and memory."""

    name = "NodeResourcesFit"
    weight = 1
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED"), "pods": ("DELETED", "MODIFIED")}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource == "pods":
            return event.type == "DELETED" or _needs_less(event)
        new, old = nodes_of(event)
        wanted = {"pods": 1, **pod.requests}
        if any(new.allocatable.get(name, 0) < amount for name, amount in wanted.items() if amount):
            return False
        return old is None or any(
            new.allocatable.get(name, 0) > old.allocatable.get(name, 0)
            for name, amount in wanted.items()
            if amount
        )

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        reasons: list[str] = []
        code = Code.UNSCHEDULABLE
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        for resource, wanted in cycle.pod.requests.items():
            has = node.allocatable.get(resource, 0)
            if wanted > 0 and wanted > has - node.requested.get(resource, 0):
                reasons.append(f"Insufficient {resource}")
                if wanted > has:
                    code = Code.UNRESOLVABLE
        return Rejection(tuple(reasons), code) if reasons else None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        return _least_allocated(cycle, node)


DESCRIPTOR = Descriptor(NodeResourcesFit.name, NodeResourcesFit)
