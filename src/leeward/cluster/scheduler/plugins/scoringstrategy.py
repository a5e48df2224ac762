"""How full a node would be, as a score: LeastAllocated, MostAllocated or RequestedToCapacityRatio.

CPU and memory count with the defaults for containers that request nothing.

Source: ``pkg/scheduler/framework/plugins/noderesources`` (resource_allocation.go, least_allocated.go,
most_allocated.go, requested_to_capacity_ratio.go; Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from leeward.cluster.scheduler.framework import MAX_SCORE
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import BUILT_IN, Template

_BY_DEFAULT: Sequence[Mapping[str, Any]] = ({"name": "cpu", "weight": 1}, {"name": "memory", "weight": 1})
_MAX_CUSTOM_SCORE = 10
Score = Callable[[int, int], int]  # (used, capacity) -> 0..100


def _least(used: int, capacity: int) -> int:
    return max(capacity - used, 0) * MAX_SCORE // capacity


def _most(used: int, capacity: int) -> int:
    return min(used, capacity) * MAX_SCORE // capacity


def _along(shape: Sequence[tuple[int, int]]) -> Score:
    """Return a score that follows a line through points (percent, 0..100)."""

    def score(used: int, capacity: int) -> int:
        percent = min(used, capacity) * 100 // capacity
        if percent <= shape[0][0]:
            return shape[0][1]
        for (left, low), (right, high) in pairwise(shape):
            if percent <= right:
                return low + int((high - low) * (percent - left) / (right - left))
        return shape[-1][1]

    return score


@dataclass(frozen=True, slots=True, eq=False)
class Strategy:
    """What scores, over which resources."""

    resource_score: Score
    weights: Sequence[tuple[str, int]]
    is_ratio: bool = False  # resources that score nothing do not count, and the mean is rounded

    def score(self, pod: Template, node: NodeInfo) -> int:
        """Return the score of a node with such a Pod."""
        total = weights = 0
        for resource, weight in self.weights:
            capacity = node.allocatable.get(resource, 0)
            wanted = pod.scored.get(resource, 0)
            if capacity == 0 or (wanted == 0 and resource not in BUILT_IN):
                continue
            found = self.resource_score(node.scored.get(resource, 0) + wanted, capacity)
            if found or not self.is_ratio:
                total += found * weight
                weights += weight
        if not weights:
            return 0
        return math.floor(total / weights + 0.5) if self.is_ratio else total // weights


def strategy_of(args: Mapping[str, Any]) -> Strategy:
    """Return the strategy that ``scoringStrategy`` describes."""
    weights = [(each["name"], each.get("weight") or 1) for each in args.get("resources") or _BY_DEFAULT]
    kind = args.get("type") or "LeastAllocated"
    if kind == "RequestedToCapacityRatio":
        points = (args.get("requestedToCapacityRatio") or {}).get("shape") or ()
        shape = [(each["utilization"], each["score"] * MAX_SCORE // _MAX_CUSTOM_SCORE) for each in points]
        return Strategy(_along(shape), weights, is_ratio=True)
    return Strategy(_most if kind == "MostAllocated" else _least, weights)
