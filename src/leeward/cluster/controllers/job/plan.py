"""What a Job needs next. Pure.

Source: pkg/controller/job/job_controller.go, indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leeward.cluster.controllers.job.tally import (
    Fates,
    failures_in_a_row,
    judge,
    restarts_of,
    waits_for_end,
)
from leeward.kube.objects import Obj, annotations_of, find_condition, is_terminating, parse_time
from leeward.kube.pods import is_active, is_finished, is_ready

INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF_FIRST, BACKOFF_MAX = 10.0, 600.0
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a Job's Pods."""

    active: Sequence[Obj]
    ready: int
    terminating: int
    succeeded: int
    failed: int  # failures that count
    restarts: int  # of the containers of active Pods
    fail_job: str  # the policy fails the Job: why; "" otherwise
    in_a_row: int  # failures since the last success
    last_failure: datetime | None
    indexes: frozenset[int]  # completed, when Indexed


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do."""

    create: Sequence[int | None] = ()  # completion indexes, None when NonIndexed
    delete: Sequence[Obj] = ()
    wait: float | None = None  # seconds until a replacement may be made
    complete: bool = False
    failed: tuple[str, str] | None = None  # (reason, message)


def count(job: Obj, pods: Sequence[Obj], fates: Fates) -> Counts:
    """Sum up a Job's Pods.

    Args:
        job: the Job.
        pods: those that are there.
        fates: what became of them, and of those that are gone.
    """
    active = [pod for pod in pods if is_active(pod)]
    kinds = [fate.kind for fate in fates.values()]
    indexes: set[int] = set()
    if job["spec"].get("completionMode") == "Indexed":
        limit = range(job["spec"].get("completions") or 0)
        done = [pod for pod in pods if fates[pod["metadata"]["uid"]].kind == "succeeded"]
        indexes = {index for pod in done if (index := index_of(pod)) is not None and index in limit}
        indexes |= parse_indexes((job.get("status") or {}).get("completedIndexes") or "") & set(limit)
    failed = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
    verdicts = [judge(job, pod) for pod in failed if fates[pod["metadata"]["uid"]].kind == "failed"]
    in_a_row, last = failures_in_a_row(fates)
    return Counts(
        active=active,
        ready=sum(1 for pod in active if is_ready(pod)),
        terminating=sum(1 for pod in pods if is_terminating(pod) and not is_finished(pod)),
        succeeded=len(indexes)
        if job["spec"].get("completionMode") == "Indexed"
        else kinds.count("succeeded"),
        failed=kinds.count("failed"),
        restarts=sum(restarts_of(pod) for pod in active),
        fail_job=next((text for action, text in verdicts if action == "FailJob"), ""),
        in_a_row=in_a_row,
        last_failure=last,
        indexes=frozenset(indexes),
    )


def parse_indexes(text: str) -> set[int]:
    """Return the numbers of "0-2,4"."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return found


def index_of(pod: Obj) -> int | None:
    """Return a Pod's completion index."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def plan(job: Obj, counts: Counts, now: datetime) -> Plan:
    """Decide the next step of a Job that is not finished.

    Args:
        job: the Job.
        counts: what became of its Pods.
        now: for deadlines and back-off.
    """
    spec, status = job["spec"], job.get("status") or {}
    ending = _ending(job, counts)
    if ending is not None:
        return ending
    if spec.get("suspend"):
        return Plan(delete=counts.active)
    failed, until = _failure(spec, status, counts, now)
    if failed:
        return Plan(delete=counts.active, failed=failed)
    completions, active = spec.get("completions"), len(counts.active)
    if completions is None:
        if counts.succeeded and not active:
            return Plan(complete=True)
        wanted = active if counts.succeeded else spec.get("parallelism", 1)
    else:
        if counts.succeeded >= completions:
            return Plan(delete=counts.active, complete=True)
        wanted = min(spec.get("parallelism", 1), completions - counts.succeeded)
    if active > wanted:
        return Plan(delete=_most_dispensable(counts.active)[: active - wanted], wait=until)
    missing = wanted - active - (counts.terminating if waits_for_end(job) else 0)
    wait = _backoff(counts, now) if missing > 0 else 0.0
    if wait > 0:
        return Plan(wait=wait if until is None else min(wait, until))
    return Plan(create=_next_indexes(spec, counts, max(0, missing)), wait=until)


def _ending(job: Obj, counts: Counts) -> Plan | None:
    """Go on with a Job whose end is decided, and whose last Pods are on their way out."""
    for kind in ("FailureTarget", "SuccessCriteriaMet"):
        found = find_condition(job, kind)
        if found is not None and found["status"] == "True":
            if kind == "SuccessCriteriaMet":
                return Plan(delete=counts.active, complete=True)
            return Plan(delete=counts.active, failed=(found["reason"], found["message"]))
    return None


def _failure(
    spec: Obj, status: Obj, counts: Counts, now: datetime
) -> tuple[tuple[str, str] | None, float | None]:
    """Return (reason, message) of a Job that has failed, and seconds until it would for its age."""
    if counts.fail_job:
        return ("PodFailurePolicy", counts.fail_job), None
    limit = spec.get("backoffLimit", 6)
    restarting = (spec.get("template") or {}).get("spec", {}).get("restartPolicy") == "OnFailure"
    if counts.failed > limit or (restarting and counts.restarts >= max(1, limit)):
        return ("BackoffLimitExceeded", "Job has reached the specified backoff limit"), None
    late, until = _deadline(spec, status, now)
    if late:
        return ("DeadlineExceeded", "Job was active longer than specified deadline"), None
    return None, until


def _most_dispensable(pods: Sequence[Obj]) -> list[Obj]:
    """Return Pods with those first that have done the least."""
    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)

    def progress(pod: Obj) -> tuple[bool, int, bool]:
        phase = (pod.get("status") or {}).get("phase", "Pending")
        return bool(pod["spec"].get("nodeName")), _PHASES.get(phase, 0), is_ready(pod)

    return sorted(newest, key=progress)


def _deadline(spec: Obj, status: Obj, now: datetime) -> tuple[bool, float | None]:
    seconds, started = spec.get("activeDeadlineSeconds"), status.get("startTime")
    if seconds is None or not started:
        return False, None
    left = seconds - (now - parse_time(started)).total_seconds()
    return left <= 0, max(left, 0.0)


def _backoff(counts: Counts, now: datetime) -> float:
    """Return seconds until the next Pod after failures: 10 s, doubling, at most 10 min."""
    if counts.last_failure is None:
        return 0.0
    delay = min(BACKOFF_FIRST * 2.0 ** min(counts.in_a_row - 1, 10), BACKOFF_MAX)
    return float(max(0.0, delay - (now - counts.last_failure).total_seconds()))


def _next_indexes(spec: Obj, counts: Counts, missing: int) -> Sequence[int | None]:
    if spec.get("completionMode") != "Indexed":
        return [None] * missing
    taken = counts.indexes | {index_of(pod) for pod in counts.active}
    free = [index for index in range(spec.get("completions") or 0) if index not in taken]
    return list(free[:missing])
