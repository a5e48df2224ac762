"""Carries out :mod:`plan` for one Job at a time, and counts its Pods.

Source: pkg/controller/job/job_controller.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.claims import claim
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.job.backoff import Record
from leeward.cluster.controllers.job.hands import Hands
from leeward.cluster.controllers.job.jobpass import JOBS, Pass
from leeward.cluster.controllers.job.tally import is_tracked
from leeward.cluster.interface.client import Event
from leeward.kube.jobs import finished_condition
from leeward.kube.objects import Obj, ObjectKey, controller_of, labels_of

SELF = "kubernetes.io/job-controller"  # who manages a Job that does not say


class JobController:
    """Implements Controller and Collecting."""

    resources: Collection[str] = (JOBS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._hands = Hands(context.client)
        self._batch = context.timing.job_batch_seconds
        self._records: dict[ObjectKey, tuple[str, Record]] = {}  # with the uid of the Job

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A Job, or the owner of a Pod."""
        return own_or_owner_key(event, JOBS, "Job")

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """What happens to Pods, and to a Job's status, is looked at in batches."""
        if event.resource == "pods":
            return self._batch
        old = event.previous["metadata"].get("generation") if event.previous else None
        same = event.type == "MODIFIED" and old == event.object["metadata"].get("generation")
        return self._batch if same else 0.0

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next step, then report."""
        job = self._client.find(JOBS, *key)
        if job is None:
            self._records.pop(key, None)
            self._let_go(self._left_behind(key))
            return None
        if job["spec"].get("managedBy") not in (None, SELF):
            return None
        if finished_condition(job) is not None:
            self._records.pop(key, None)
            self._let_go(self._client.controlled_by("pods", job["metadata"]["uid"]))
            return None
        uid, record = self._records.get(key, ("", Record()))
        known = record if uid == job["metadata"]["uid"] else Record()
        one = Pass(self._client, self._clock.now(), job, self._pods(job), known)
        one.run()
        self._records[key] = (job["metadata"]["uid"], one.record)
        if one.failure is not None:
            raise one.failure
        return one.wait if one.wait is None else max(one.wait, self._batch)

    def _pods(self, job: Obj) -> list[Obj]:
        """Return the Pods of a Job; those it adopts are tracked from now on."""
        had = {pod["metadata"]["uid"] for pod in self._client.controlled_by("pods", job["metadata"]["uid"])}
        pods = claim(self._client, "pods", job)
        return [pod if pod["metadata"]["uid"] in had else self._hands.track(pod) for pod in pods]

    def _left_behind(self, key: ObjectKey) -> list[Obj]:
        """Return the Pods of Jobs of a name that are gone."""
        found = []
        for pod in self._client.list("pods", key.namespace):
            owner = controller_of(pod)
            name = labels_of(pod).get("job-name") if owner is None else owner["name"]
            if is_tracked(pod) and name == key.name and (owner is None or owner["kind"] == "Job"):
                found.append(pod)
        return found

    def _let_go(self, pods: Iterable[Obj]) -> None:
        for pod in pods:
            self._hands.untrack(pod)


DESCRIPTOR = ControllerDescriptor(name="job-controller", build=JobController)
