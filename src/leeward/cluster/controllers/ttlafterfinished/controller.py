"""A finished Job goes, with its Pods before it, ``ttlSecondsAfterFinished`` after it ended.

Source: pkg/controller/ttlafterfinished/ttlafterfinished_controller.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.jobs import finished_condition
from leeward.kube.objects import ObjectKey, is_terminating, key_of, parse_time

JOBS = "jobs.batch"


class TtlAfterFinishedController:
    """Implements Controller."""

    resources: Collection[str] = (JOBS,)

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """Jobs that have a time to live and have ended."""
        job = event.object
        if event.type == "DELETED" or job["spec"].get("ttlSecondsAfterFinished") is None:
            return ()
        return [key_of(job)] if finished_condition(job) is not None else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Delete a Job, or wait."""
        job = self._client.find(JOBS, *key)
        ended = finished_condition(job) if job is not None else None
        if job is None or ended is None or is_terminating(job):
            return None
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        left = seconds - (self._clock.now() - parse_time(ended["lastTransitionTime"])).total_seconds()
        if left > 0:
            return float(left)
        self._client.delete(JOBS, *key, uid=job["metadata"]["uid"], propagation="Foreground")
        return None


DESCRIPTOR = ControllerDescriptor(name="ttl-after-finished-controller", build=TtlAfterFinishedController)
