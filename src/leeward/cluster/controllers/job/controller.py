"""Carries out :mod:`plan` for one Job at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.job.plan import INDEX, Counts, Plan, count, finished_condition, plan
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, format_time, is_terminating, key_of, parse_time
from leeward.kube.pods import pod_from_template
from leeward.kube.status import NotFoundError

JOBS = "jobs.batch"


class JobController:
    """Implements Controller."""

    resources: Collection[str] = (JOBS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A Job, or the owner of a Pod."""
        return own_or_owner_key(event, JOBS, "Job")

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next step, then report."""
        job = self._client.find(JOBS, *key)
        if job is None or is_terminating(job) or job["spec"].get("managedBy"):
            return None
        ended = finished_condition(job)
        if ended is not None:
            return self._forget_later(job, ended)
        job = self._begin(job)
        counts = count(job, self._client.controlled_by("pods", job["metadata"]["uid"]))
        planned = plan(job, counts, self._clock.now())
        for pod in planned.delete:
            self._delete(job, pod)
        for index in planned.create:
            self._create(job, index)
        self._report(key, counts, planned)
        return planned.wait

    def _begin(self, job: Obj) -> Obj:
        """Note when the Job started, or that it is suspended."""
        status, suspended = job.get("status") or {}, bool(job["spec"].get("suspend"))
        if suspended or status.get("startTime"):
            return job
        started = {**job, "status": {**status, "startTime": format_time(self._clock.now())}}
        return self._client.update_status(JOBS, started)

    def _create(self, job: Obj, index: int | None) -> None:
        meta, template = job["metadata"], job["spec"]["template"]
        extra: dict[str, Any] = {"generateName": f"{meta['name']}-"}
        if index is not None:
            extra = {
                "generateName": f"{meta['name']}-{index}-",
                "annotations": {INDEX: str(index)},
                "labels": {INDEX: str(index)},
            }
            template = _with_index(template, index)
            if not template["spec"].get("hostname"):
                template = {**template, "spec": {**template["spec"], "hostname": f"{meta['name']}-{index}"}}
        pod = self._client.create("pods", pod_from_template(job, template, **extra))
        self._event(job, "Normal", "SuccessfulCreate", f"Created pod: {pod['metadata']['name']}")

    def _delete(self, job: Obj, pod: Obj) -> None:
        try:
            self._client.delete("pods", *key_of(pod), uid=pod["metadata"]["uid"])
        except NotFoundError:
            return
        self._event(job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _event(self, job: Obj, kind: Any, reason: str, message: str) -> None:
        self._client.record(job, event_type=kind, reason=reason, message=message)

    def _report(self, key: ObjectKey, before: Counts, planned: Plan) -> None:
        job = self._client.find(JOBS, *key)
        if job is None:
            return
        now = self._clock.now()
        counts = count(job, self._client.controlled_by("pods", job["metadata"]["uid"]))
        ours = {
            "active": len(counts.active),
            "ready": counts.ready,
            "succeeded": counts.succeeded,
            "failed": counts.failed + counts.ignored,
        }
        old = job.get("status") or {}
        status = {key: value for key, value in old.items() if key not in ours}
        status.update({name: value for name, value in ours.items() if value or name == "ready"})
        if job["spec"].get("completionMode") == "Indexed" and counts.indexes:
            status["completedIndexes"] = _ranges(sorted(counts.indexes))
        updated = self._with_end({**job, "status": status}, planned, now)
        if updated["status"] != old:
            self._client.update_status(JOBS, updated)
        if planned.complete:
            self._event(job, "Normal", "Completed", "Job completed")
        elif planned.failed:
            self._event(job, "Warning", *planned.failed)

    @staticmethod
    def _with_end(job: Obj, planned: Plan, now: Any) -> Obj:
        if planned.complete:
            text = {"reason": "CompletionsReached", "message": "Reached expected number of succeeded pods"}
            job = with_condition(job, {"type": "SuccessCriteriaMet", "status": "True", **text}, now)
            job = with_condition(job, {"type": "Complete", "status": "True", **text}, now)
            return {**job, "status": {**job["status"], "completionTime": format_time(now)}}
        if planned.failed:
            reason, message = planned.failed
            text = {"reason": reason, "message": message}
            job = with_condition(job, {"type": "FailureTarget", "status": "True", **text}, now)
            return with_condition(job, {"type": "Failed", "status": "True", **text}, now)
        if job["spec"].get("suspend"):
            text = {"reason": "JobSuspended", "message": "Job suspended"}
            return with_condition(job, {"type": "Suspended", "status": "True", **text}, now)
        return job

    def _forget_later(self, job: Obj, ended: Obj) -> float | None:
        """Delete a finished Job when its time to live is over."""
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        left = seconds - (self._clock.now() - parse_time(ended["lastTransitionTime"])).total_seconds()
        if left > 0:
            return float(left)
        self._client.delete(JOBS, *key_of(job), uid=job["metadata"]["uid"], propagation="Background")
        return None


def _with_index(template: Obj, index: int) -> Obj:
    """Tell every container its completion index."""
    entry = {"name": "JOB_COMPLETION_INDEX", "value": str(index)}
    spec = dict(template["spec"])
    for field in ("containers", "initContainers"):
        if field in spec:
            spec[field] = [{**c, "env": [*(c.get("env") or ()), entry]} for c in spec[field]]
    return {**template, "spec": spec}


def _ranges(numbers: list[int]) -> str:
    """Return "0-2,4" for [0, 1, 2, 4]."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ",".join(
        str(p[0]) if len(p) == 1 else f"{p[0]}{',' if len(p) == 2 else '-'}{p[-1]}" for p in parts
    )


DESCRIPTOR = ControllerDescriptor(name="job-controller", build=JobController)
