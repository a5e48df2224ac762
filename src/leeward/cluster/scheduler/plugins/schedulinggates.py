"""SchedulingGates: a gated Pod does not enter the queue."""

from __future__ import annotations

from leeward.cluster.scheduler.framework import Descriptor, Plugin, Rejection, never
from leeward.cluster.scheduler.podinfo import PodInfo


class SchedulingGates(Plugin):
    """Holds Pods with ``spec.schedulingGates`` back."""

    name = "SchedulingGates"

    def pre_enqueue(self, pod: PodInfo) -> Rejection | None:
        if pod.spec.get("schedulingGates"):
            return never("Scheduling is blocked due to non-empty scheduling gates")
        return None


DESCRIPTOR = Descriptor(SchedulingGates.name, SchedulingGates)
