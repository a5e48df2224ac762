"""NodeResourcesBalancedAllocation: prefers nodes on which the Pod evens out the use of CPU and memory.

The score compares the imbalance (the standard deviation of the used fractions) with and without the Pod: 75
when it changes nothing, up to 100 when the Pod evens the node out.

Source: ``pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Collection

from leeward.cluster.scheduler.framework import MAX_SCORE, NO_ARGS, Args, Cycle, Descriptor, Likes, Plugin
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import BUILT_IN, Resources

_BY_DEFAULT = ("cpu", "memory")


def _evenness(node: NodeInfo, requests: Resources, scored: Collection[str]) -> int:
    fractions = [
        min((node.requested.get(resource, 0) + requests.get(resource, 0)) / capacity, 1.0)
        for resource in scored
        if (capacity := node.allocatable.get(resource, 0))
    ]
    deviation = 0.0
    if len(fractions) == 2:
        deviation = abs(fractions[0] - fractions[1]) / 2
    elif len(fractions) > 2:
        mean = sum(fractions) / len(fractions)
        deviation = math.sqrt(sum((fraction - mean) ** 2 for fraction in fractions) / len(fractions))
    return int((1 - deviation) * MAX_SCORE)


class BalancedAllocation(Plugin):
    """Scores by evenness."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1

    def __init__(self, args: Args = NO_ARGS) -> None:
        resources = args.get("resources")
        self._resources = [each["name"] for each in resources] if resources else _BY_DEFAULT

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        return any(cycle.pod.requests.get(resource) for resource in self._resources)

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        template = cycle.pod.template
        return node.recall((self, template.size), lambda: self._score(template.requests, node))

    def _score(self, wanted: Resources, node: NodeInfo) -> int:
        scored = [name for name in self._resources if wanted.get(name) or name in BUILT_IN]
        return 75 + (_evenness(node, wanted, scored) - _evenness(node, {}, scored)) // 2


DESCRIPTOR = Descriptor(BalancedAllocation.name, BalancedAllocation)
