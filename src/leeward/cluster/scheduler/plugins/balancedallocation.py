"""NodeResourcesBalancedAllocation: prefers nodes on which the Pod evens out CPU and memory use.

The score compares the imbalance (half the difference of the two used fractions) with and without the
Pod: 75 when it changes nothing, up to 100 when the Pod evens the node out.

Source: ``pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.scheduler.framework import MAX_SCORE, Cycle, Descriptor, Likes, Plugin
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import Resources

_SCORED = ("cpu", "memory")


def _imbalance(node: NodeInfo, requests: Resources) -> float:
    fractions = [
        min((node.requested.get(resource, 0) + requests.get(resource, 0)) / capacity, 1.0)
        for resource in _SCORED
        if (capacity := node.allocatable.get(resource, 0))
    ]
    return abs(fractions[0] - fractions[1]) / 2 if len(fractions) == 2 else 0.0


def _evenness(node: NodeInfo, requests: Resources) -> int:
    return int((1 - _imbalance(node, requests)) * MAX_SCORE)


class BalancedAllocation(Plugin):
    """Scores by evenness."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        return any(cycle.pod.requests.get(resource) for resource in _SCORED)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        return 75 + (_evenness(node, cycle.pod.requests) - _evenness(node, {})) // 2


DESCRIPTOR = Descriptor(BalancedAllocation.name, BalancedAllocation)
