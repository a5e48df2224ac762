"""Starts the Jobs of CronJobs when they are due, and forgets old ones.

Source: ``pkg/controller/cronjob/cronjob_controllerv2.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from leeward.cluster.controllers.cronjob.schedule import (
    Schedule,
    ScheduleError,
    ZoneError,
    due,
    parse_schedule,
)
from leeward.cluster.controllers.framework.controller import (
    ControllerContext,
    ControllerDescriptor,
    own_or_owner_key,
)
from leeward.cluster.controllers.framework.slowstart import is_namespace_ending
from leeward.cluster.interface.client import Event
from leeward.kube.jobs import finished_condition
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    format_time,
    is_terminating,
    key_of,
    owner_reference,
    parse_time,
)
from leeward.kube.status import AlreadyExistsError, NotFoundError, StatusError

CRON_JOBS, JOBS = "cronjobs.batch", "jobs.batch"
SCHEDULED = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_EXTRA_SECONDS = 0.1  # so that the time has come for certain
_KEPT = {"Complete": ("successfulJobsHistoryLimit", 3), "Failed": ("failedJobsHistoryLimit", 1)}


class CronJobController:
    """Implements Controller."""

    resources: Collection[str] = (CRON_JOBS, JOBS)

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        """A CronJob, or the owner of a Job."""
        return own_or_owner_key(event, CRON_JOBS, "CronJob")

    def sync(self, key: ObjectKey) -> float | None:
        """Follow the Jobs that run, start what is due, forget what is old."""
        cron = self._client.find(CRON_JOBS, *key)
        if cron is None:
            return None
        jobs = self._client.controlled_by(JOBS, cron["metadata"]["uid"])
        cron = self._follow(cron, jobs)
        wait = None if is_terminating(cron) else self._start(cron, jobs)
        self._forget(cron, jobs)
        return wait

    def _event(self, cron: Obj, kind: Any, reason: str, message: str) -> None:
        self._client.record(cron, event_type=kind, reason=reason, message=message)

    def _follow(self, cron: Obj, jobs: Sequence[Obj]) -> Obj:
        """Take Jobs that have ended, or are gone, off the list of those that run."""
        status = cron.get("status") or {}
        listed = {reference["uid"]: reference for reference in status.get("active") or ()}
        here = {job["metadata"]["uid"]: job for job in jobs}
        last = status.get("lastSuccessfulTime")
        for uid, job in here.items():
            ended = finished_condition(job)
            name = job["metadata"]["name"]
            if ended is None and uid not in listed:
                message = f"Saw a job that the controller did not create or forgot: {name}"
                self._event(cron, "Warning", "UnexpectedJob", message)
            elif ended is not None and uid in listed:
                del listed[uid]
                message = f"Saw completed job: {name}, condition: {ended['type']}"
                self._event(cron, "Normal", "SawCompletedJob", message)
            completed = (job.get("status") or {}).get("completionTime")
            if ended is not None and ended["type"] == "Complete" and completed:
                last = max(last or "", completed)
        for uid in [uid for uid in listed if uid not in here]:
            message = f"Active job went missing: {listed[uid]['name']}"
            self._event(cron, "Normal", "MissingJob", message)
            del listed[uid]
        return self._report(cron, active=list(listed.values()), lastSuccessfulTime=last)

    def _report(self, cron: Obj, **changes: Any) -> Obj:
        status = {**(cron.get("status") or {}), **changes}
        status = {key: value for key, value in status.items() if value}
        if status == (cron.get("status") or {}):
            return cron
        return self._client.update_status(CRON_JOBS, {**cron, "status": status})

    def _start(self, cron: Obj, jobs: Sequence[Obj]) -> float | None:
        spec, now = cron["spec"], self._clock.now()
        if spec.get("suspend"):
            return None
        schedule = self._schedule(cron)
        if schedule is None:
            return None
        status = cron.get("status") or {}
        last = status.get("lastScheduleTime")
        found = due(
            schedule,
            created=parse_time(cron["metadata"]["creationTimestamp"]),
            last=parse_time(last) if last else None,
            deadline=spec.get("startingDeadlineSeconds"),
            now=now,
        )
        if found.many:
            advice = "Set or decrease .spec.startingDeadlineSeconds or check clock skew"
            self._event(cron, "Warning", "TooManyMissedTimes", f"too many missed start times. {advice}")
        if found.at is not None and self._may_start(cron, jobs, found.at):
            self._create(cron, found.at, self._replace(cron, jobs))
        if found.following is None:
            return None
        return (found.following - self._clock.now()).total_seconds() + _EXTRA_SECONDS

    def _schedule(self, cron: Obj) -> Schedule | None:
        spec = cron["spec"]
        try:
            return parse_schedule(spec["schedule"], spec.get("timeZone"))
        except ScheduleError as error:
            message = f"unparseable schedule: {spec['schedule']!r} : {error}"
            self._event(cron, "Warning", "UnparseableSchedule", message)
        except ZoneError as error:
            message = f"invalid timeZone: {spec.get('timeZone')!r}: {error}"
            self._event(cron, "Warning", "UnknownTimeZone", message)
        return None

    def _may_start(self, cron: Obj, jobs: Sequence[Obj], at: datetime) -> bool:
        """Apply the concurrency policy; tell whether a Job may be started for the time `at`."""
        name = job_name(cron, at)
        running = [job for job in jobs if finished_condition(job) is None]
        if any(job["metadata"]["name"] == name for job in jobs):
            return False
        policy = cron["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and running:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._event(cron, "Normal", "JobAlreadyActive", message)
            return False
        return True

    def _replace(self, cron: Obj, jobs: Sequence[Obj]) -> list[Obj]:
        """Delete what runs where the next Job replaces it; return the list of Jobs that run without it."""
        active = list((cron.get("status") or {}).get("active") or ())
        if cron["spec"].get("concurrencyPolicy") != "Replace":
            return active
        for job in jobs:
            if finished_condition(job) is None:
                self._delete(cron, job)
                active = [each for each in active if each["uid"] != job["metadata"]["uid"]]
        return active

    def _create(self, cron: Obj, at: datetime, active: Sequence[Obj]) -> None:
        meta, template = cron["metadata"], cron["spec"]["jobTemplate"]
        given = template.get("metadata") or {}
        zone = cron["spec"].get("timeZone")
        local = at.astimezone(ZoneInfo(zone)) if zone else at
        stamp = local.isoformat(timespec="seconds").replace("+00:00", "Z")
        job: Obj = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": job_name(cron, at),
                "namespace": meta["namespace"],
                "labels": dict(given.get("labels") or {}),
                "annotations": {**(given.get("annotations") or {}), SCHEDULED: stamp},
                "ownerReferences": [owner_reference(cron)],
            },
            "spec": template["spec"],
        }
        try:
            made = self._client.create(JOBS, job)
        except AlreadyExistsError:
            return
        except StatusError as error:
            if is_namespace_ending(error):
                return
            self._event(cron, "Warning", "FailedCreate", f"Error creating job: {error}")
            raise
        self._event(cron, "Normal", "SuccessfulCreate", f"Created job {made['metadata']['name']}")
        reference = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            **{key: made["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")},
        }
        current = self._client.find(CRON_JOBS, *key_of(cron))
        if current is not None:
            self._report(current, active=[*active, reference], lastScheduleTime=format_time(at))

    def _forget(self, cron: Obj, jobs: Sequence[Obj]) -> None:
        """Delete the oldest of the finished Jobs, as far as there are more than shall be kept."""
        for kind, (field, default) in _KEPT.items():
            ended = [job for job in jobs if (finished_condition(job) or {}).get("type") == kind]
            kept = cron["spec"].get(field, default)
            ended.sort(key=lambda job: ((job.get("status") or {}).get("startTime") or "", key_of(job)))
            for job in ended[: max(0, len(ended) - kept)]:
                self._delete(cron, job)

    def _delete(self, cron: Obj, job: Obj) -> None:
        try:
            self._client.delete(JOBS, *key_of(job), uid=job["metadata"]["uid"], propagation="Background")
        except NotFoundError:
            return
        self._event(cron, "Normal", "SuccessfulDelete", f"Deleted job {job['metadata']['name']}")


def job_name(cron: Obj, at: datetime) -> str:
    """Return the name of the Job for the time `at`: the minutes since 1970 make it unique."""
    return f"{cron['metadata']['name']}-{int(at.timestamp()) // 60}"


DESCRIPTOR = ControllerDescriptor(name="cronjob-controller", build=CronJobController)
