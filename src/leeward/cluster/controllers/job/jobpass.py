"""One pass over a Job that has not ended.

Source: pkg/controller/job/job_controller.go (syncJob, trackJobStatusAndRemoveFinalizers), Kubernetes 1.36.
"""

from __future__ import annotations

from datetime import datetime

from leeward.cluster.controllers.framework.slowstart import slow_start
from leeward.cluster.controllers.job.backoff import Record
from leeward.cluster.controllers.job.hands import Hands
from leeward.cluster.controllers.job.plan import End, completed, ending, plan, seconds_to_deadline
from leeward.cluster.controllers.job.podtemplate import make_pod
from leeward.cluster.controllers.job.status import FINAL, counted_next, flushed, with_job_condition
from leeward.cluster.controllers.job.tally import is_tracked, take_stock
from leeward.cluster.interface.client import Client
from leeward.kube.objects import Obj, format_time, is_terminating
from leeward.kube.pods import is_ready
from leeward.kube.status import StatusError

JOBS = "jobs.batch"


class Pass:
    """Looks at a Job once, does the next step and reports.

    Args:
        client: writes the status.
        now: the time of the pass.
        job: the Job.
        pods: its Pods.
        record: what is known of its failures.
    """

    def __init__(self, client: Client, now: datetime, job: Obj, pods: list[Obj], record: Record) -> None:
        self._client = client
        self._hands = Hands(client)
        self._now = now
        status = dict(job.get("status") or {})
        if not status.get("startTime") and not job["spec"].get("suspend"):
            status["startTime"] = format_time(now)
        self._stored = job
        self._job = {**job, "status": status}
        self._tally = take_stock(self._job, pods)
        self._new_record = record.after(self._tally.new_succeeded, self._tally.new_failed)
        self._active = len(self._tally.active)
        self.record = record  # afterwards: what was counted
        self.wait: float | None = None  # seconds until the next pass without an event
        self.failure: StatusError | None = None  # what went wrong

    def run(self) -> None:
        """Do it."""
        job, tally = self._job, self._tally
        end = ending(tally, self._now)
        status: Obj = job["status"]
        if end is not None:
            end = self._stop(end)
        else:
            if not is_terminating(job):
                self._manage()
            end = completed(tally, self._active)
            if end is None and not is_terminating(job):
                status = self._note_suspension(status)
        left = seconds_to_deadline(job, self._now)
        if left is not None and left > 0:
            self.wait = left if self.wait is None else min(self.wait, left)
        counts = {"active": self._active, "ready": tally.ready, "terminating": tally.terminating}
        status = {name: value for name, value in status.items() if name not in counts}
        status |= {name: value for name, value in counts.items() if value or name != "active"}
        self._count(status, end)

    def _stop(self, end: End) -> End | None:
        """Give up what is active; the end is not told while something is left."""
        tally = self._tally
        self.failure = self._hands.delete(self._job, tally.active)
        if self.failure is not None:
            return None
        self._gave_up(tally.active)
        return end

    def _gave_up(self, pods: list[Obj]) -> None:
        self._active -= len(pods)
        self._tally.terminating += len(pods)
        self._tally.ready -= sum(1 for pod in pods if is_ready(pod))

    def _manage(self) -> None:
        job, tally = self._job, self._tally
        planned = plan(tally, self._new_record, self._now)
        self.wait = planned.wait
        if planned.wait is not None:
            self._active = 0  # as upstream tells while it waits
        if planned.delete:
            pods = list(planned.delete)
            self.failure = self._hands.delete(job, pods, uncounted=True)
            if self.failure is None:
                self._gave_up(pods)
        made = 0

        def create(index: int | None) -> None:
            nonlocal made
            replaced = tally.delayed.get(index) if index is not None else None
            self._hands.create(job, make_pod(job, index, replaced))
            made += 1

        self.failure = slow_start(planned.create, create) or self.failure
        self._active += made

    def _note_suspension(self, status: Obj) -> Obj:
        suspended = bool(self._job["spec"].get("suspend"))
        word = "Suspended" if suspended else "Resumed"
        condition = {
            "type": "Suspended",
            "status": "True" if suspended else "False",
            "reason": f"Job{word}",
            "message": f"Job {word.lower()}",
        }
        status, changed = with_job_condition(status, condition, self._now)
        if not changed:
            return status
        self._hands.tell(self._job, "Normal", word, f"Job {word.lower()}")
        if suspended:
            return {name: value for name, value in status.items() if name != "startTime"}
        return {**status, "startTime": format_time(self._now)}

    # Counting --------------------------------------------------------------------------------------

    def _count(self, status: Obj, end: End | None) -> None:
        """Note the uids of Pods that ended, let the Pods go, and count them."""
        tally = self._tally
        chosen, more = counted_next(tally, end)
        tracked = {pod["metadata"]["uid"] for pod in tally.pods if is_tracked(pod)}
        status = flushed(status, tally, tracked)
        if end is not None and end.kind != "Failed":
            status, _ = with_job_condition(status, _condition(end.kind, end), self._now)
        if status != (self._stored.get("status") or {}):
            self._stored = self._client.update_status(JOBS, {**self._stored, "status": status})
            self.record = self._new_record
        for pod in chosen:
            self._hands.untrack(pod)
        tracked -= {pod["metadata"]["uid"] for pod in chosen}
        counted = flushed(status, tally, tracked)
        over = end is not None and not more and not tally.terminating
        if end is not None and over and not counted["uncountedTerminatedPods"]:
            counted = self._with_end(counted, end)
        else:
            over = False
        if counted != status:
            self._stored = self._client.update_status(JOBS, {**self._stored, "status": counted})
        if end is not None and over:
            self._tell_end(end)

    def _with_end(self, status: Obj, end: End) -> Obj:
        final = FINAL[end.kind]
        status, _ = with_job_condition(status, _condition(final, end), self._now)
        return {**status, "completionTime": format_time(self._now)} if final == "Complete" else status

    def _tell_end(self, end: End) -> None:
        job = self._stored
        if FINAL[end.kind] != "Complete":
            self._hands.tell(job, "Warning", end.reason, end.message)
            return
        completions = job["spec"].get("completions")
        if completions is not None and job["status"].get("succeeded", 0) > completions:
            text = "Too many succeeded pods running after completion count reached"
            self._hands.tell(job, "Warning", "TooManySucceededPods", text)
        self._hands.tell(job, "Normal", "Completed", "Job completed")


def _condition(kind: str, end: End) -> Obj:
    return {"type": kind, "status": "True", "reason": end.reason, "message": end.message}
