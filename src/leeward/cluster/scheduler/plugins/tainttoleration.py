"""TaintToleration: keeps Pods off nodes whose taints they do not tolerate, and prefers untainted ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    Cycle,
    CycleState,
    Descriptor,
    Events,
    Likes,
    Plugin,
    Rejection,
    never,
    stretch,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo, nodes_of
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.tolerations import untolerated


@dataclass(slots=True)
class _Preferred(CycleState):
    tolerations: list[dict[str, Any]]


class TaintToleration(Plugin):
    """Filters by NoSchedule and NoExecute, scores by PreferNoSchedule."""

    name = "TaintToleration"
    weight = 3
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED")}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        new, old = nodes_of(event)
        return not _repels(new, pod) and (old is None or _repels(old, pod))

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        return never("node(s) had untolerated taint(s)") if _repels(node, cycle.pod) else None

    def pre_score(self, cycle: Cycle, feasible: Likes) -> bool:
        cycle.state[self.name] = _Preferred(
            [
                found
                for found in cycle.pod.spec.get("tolerations") or ()
                if found.get("effect") in (None, "", "PreferNoSchedule")
            ]
        )
        return True

    def score(self, cycle: Cycle, node: NodeInfo) -> int:
        if not node.taints:
            return 0
        return len(untolerated(node.taints, cycle.state[self.name].tolerations, ("PreferNoSchedule",)))

    def normalize(self, cycle: Cycle, raw: Sequence[int]) -> Sequence[int]:
        return stretch(raw, reverse=True)


def _repels(node: NodeInfo, pod: PodInfo) -> bool:
    return bool(node.taints and untolerated(node.taints, pod.spec.get("tolerations") or ()))


DESCRIPTOR = Descriptor(TaintToleration.name, TaintToleration)
