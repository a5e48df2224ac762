"""TaintToleration: keeps Pods off nodes whose taints they do not tolerate, and prefers untainted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from leeward.cluster.scheduler.framework import Cycle, Descriptor, Events, Plugin, Rejection, never, normalize
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.tolerations import untolerated


class TaintToleration(Plugin):
    """Filters by NoSchedule and NoExecute, scores by PreferNoSchedule."""

    name = "TaintToleration"
    weight = 3
    events: ClassVar[Events] = {"nodes": ("ADDED", "MODIFIED")}

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        if untolerated(node.taints, cycle.pod.spec.get("tolerations") or ()):
            return never("node(s) had untolerated taint(s)")
        return None

    def scores(self, cycle: Cycle, feasible: Sequence[NodeInfo]) -> Mapping[str, int] | None:
        tolerations = [
            found
            for found in cycle.pod.spec.get("tolerations") or ()
            if found.get("effect") in (None, "", "PreferNoSchedule")
        ]
        raw = {
            node.name: len(untolerated(node.taints, tolerations, ("PreferNoSchedule",))) for node in feasible
        }
        return normalize(raw, reverse=True)


DESCRIPTOR = Descriptor(TaintToleration.name, TaintToleration)
