"""NodeResourcesFit: requests fit into what the node has left; by default, the emptiest node scores best.

Source: ``pkg/scheduler/framework/plugins/noderesources/fit.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    NO_ARGS,
    Args,
    Code,
    Cycle,
    Descriptor,
    Events,
    Plugin,
    Rejection,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.plugins.scoringstrategy import strategy_of
from leeward.cluster.scheduler.podinfo import PodInfo, Resources, describe


def _needs_less(event: Event) -> bool:
    """Tell whether a Pod was scaled down."""
    new, old = describe(event.object).requests, describe(event.previous or event.object).requests
    return any(new.get(name, 0) < amount for name, amount in old.items())


class NodeResourcesFit(Plugin):
    """Filters by free resources, scores by a strategy: LeastAllocated over CPU and memory by default."""

    name = "NodeResourcesFit"
    weight = 1
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED"), "pods": ("DELETED", "MODIFIED")}

    def __init__(self, args: Args = NO_ARGS) -> None:
        self._ignored = frozenset(args.get("ignoredResources") or ())
        self._ignored_groups = frozenset(args.get("ignoredResourceGroups") or ())
        self._strategy = strategy_of(args.get("scoringStrategy") or {})

    def _counts(self, resource: str) -> bool:
        """Tell whether a resource is looked at."""
        group, slash, _ = resource.rpartition("/")
        return resource not in self._ignored and not (slash and group in self._ignored_groups)

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource == "pods":
            return event.type == "DELETED" or _needs_less(event)
        new, old = nodes_of(event)
        wanted = {"pods": 1, **pod.requests}
        wanted = {name: amount for name, amount in wanted.items() if amount and self._counts(name)}
        if any(new.allocatable.get(name, 0) < amount for name, amount in wanted.items()):
            return False
        return old is None or any(
            new.allocatable.get(name, 0) > old.allocatable.get(name, 0) for name in wanted
        )

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        template = cycle.pod.template
        return node.recall((self, template.size), lambda: self._filter(template.requests, node))

    def _filter(self, requests: Resources, node: NodeInfo) -> Rejection | None:
        reasons: list[str] = []
        code = Code.UNSCHEDULABLE
        if len(node.pods) + 1 > node.allocatable.get("pods", 0):
            reasons.append("Too many pods")
        for resource, wanted in requests.items():
            has = node.allocatable.get(resource, 0)
            if wanted > 0 and wanted > has - node.requested.get(resource, 0) and self._counts(resource):
                reasons.append(f"Insufficient {resource}")
                if wanted > has:
                    code = Code.UNRESOLVABLE
        return Rejection(tuple(reasons), code) if reasons else None

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        template = cycle.pod.template
        return node.recall((self._strategy, template.size), lambda: self._strategy.score(template, node))


DESCRIPTOR = Descriptor(NodeResourcesFit.name, NodeResourcesFit)
