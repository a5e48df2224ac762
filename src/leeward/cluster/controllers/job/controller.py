"""Carries out :mod:`plan` for one Job at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.job.plan import INDEX, Counts, Plan, count, plan
from leeward.cluster.controllers.job.tally import Fate, follow
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.jobs import finished_condition
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    format_time,
    is_condition_true,
    is_terminating,
    key_of,
    parse_time,
)
from leeward.kube.pods import pod_from_template
from leeward.kube.status import NotFoundError

JOBS = "jobs.batch"


class JobController:
    """Implements Controller."""

    resources: Collection[str] = (JOBS, "pods")

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._fates: dict[ObjectKey, tuple[str, dict[str, Fate]]] = {}  # key → (uid of the Job, its Pods)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A Job, or the owner of a Pod."""
        return own_or_owner_key(event, JOBS, "Job")

    def sync(self, key: ObjectKey) -> float | None:
        """Do the next step, then report."""
        job = self._client.find(JOBS, *key)
        if job is None or is_terminating(job) or job["spec"].get("managedBy"):
            self._fates.pop(key, None)
            return None
        ended = finished_condition(job)
        if ended is not None:
            self._fates.pop(key, None)
            return self._forget_later(job, ended)
        job = self._begin(job)
        planned = plan(job, self._count(job), self._clock.now())
        for pod in planned.delete:
            if not planned.failed:  # what the Job itself gives up is no failure
                self._fates[key][1][pod["metadata"]["uid"]] = Fate("dropped")
            self._delete(job, pod)
        for index in planned.create:
            self._create(job, index)
        self._report(key, planned)
        return planned.wait

    def _count(self, job: Obj) -> Counts:
        """Look at the Job's Pods and remember what became of them."""
        key, uid = key_of(job), job["metadata"]["uid"]
        owner, before = self._fates.get(key, ("", {}))
        pods = self._client.controlled_by("pods", uid)
        fates = follow(job, pods, before if owner == uid else None, self._clock.now())
        self._fates[key] = (uid, fates)
        return count(job, pods, fates)

    def _begin(self, job: Obj) -> Obj:
        """Note when the Job started; it starts anew when it is resumed."""
        status, now = dict(job.get("status") or {}), self._clock.now()
        was_suspended = is_condition_true(job, "Suspended")
        if job["spec"].get("suspend"):
            if was_suspended:
                return job
            status.pop("startTime", None)
            return self._switch({**job, "status": status}, "True", "Suspended", "Job suspended")
        if was_suspended:
            started = {**job, "status": {**status, "startTime": format_time(now)}}
            return self._switch(started, "False", "Resumed", "Job resumed")
        if status.get("startTime"):
            return job
        return self._client.update_status(JOBS, {**job, "status": {**status, "startTime": format_time(now)}})

    def _switch(self, job: Obj, status: str, reason: str, message: str) -> Obj:
        condition = {"type": "Suspended", "status": status, "reason": f"Job{reason}", "message": message}
        switched = self._client.update_status(JOBS, with_condition(job, condition, self._clock.now()))
        self._event(switched, "Normal", reason, message)
        return switched

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

    def _report(self, key: ObjectKey, planned: Plan) -> None:
        job = self._client.find(JOBS, *key)
        if job is None:
            return
        now, counts = self._clock.now(), self._count(job)
        ours = {
            "active": len(counts.active),
            "ready": counts.ready,
            "terminating": counts.terminating,
            "succeeded": counts.succeeded,
            "failed": counts.failed,
        }
        old = job.get("status") or {}
        status = {key: value for key, value in old.items() if key not in ours}
        always = ("ready", "terminating")
        status.update({name: value for name, value in ours.items() if value or name in always})
        if job["spec"].get("completionMode") == "Indexed" and counts.indexes:
            status["completedIndexes"] = _ranges(sorted(counts.indexes))
        over = not counts.active and not counts.terminating
        updated = _with_end({**job, "status": status}, planned, now, over=over)
        if updated["status"] != old:
            self._client.update_status(JOBS, updated)
        if planned.complete and over:
            self._event(job, "Normal", "Completed", "Job completed")
        elif planned.failed and over:
            self._event(job, "Warning", *planned.failed)

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


def _with_end(job: Obj, planned: Plan, now: datetime, *, over: bool) -> Obj:
    """Say that the end is decided, and that it has come when no Pod is left."""
    if planned.complete:
        text = {"reason": "CompletionsReached", "message": "Reached expected number of succeeded pods"}
        job = with_condition(job, {"type": "SuccessCriteriaMet", "status": "True", **text}, now)
        if over:
            job = with_condition(job, {"type": "Complete", "status": "True", **text}, now)
            job = {**job, "status": {**job["status"], "completionTime": format_time(now)}}
    elif planned.failed:
        reason, message = planned.failed
        text = {"reason": reason, "message": message}
        job = with_condition(job, {"type": "FailureTarget", "status": "True", **text}, now)
        if over:
            job = with_condition(job, {"type": "Failed", "status": "True", **text}, now)
    return job


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
