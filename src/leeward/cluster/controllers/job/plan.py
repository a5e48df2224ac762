"""What a Job needs next. Pure.

Source: pkg/controller/job/job_controller.go (syncJob, manageJob), indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, NamedTuple

from leeward.cluster.controllers.job.backoff import Record, index_remaining
from leeward.cluster.controllers.job.failurepolicy import containers_of, judge
from leeward.cluster.controllers.job.indexes import index_of, indexes_of, is_indexed, met_rule, valid_index
from leeward.cluster.controllers.job.tally import Tally, has_failed, replaces_failed_only, restarts_of
from leeward.kube.objects import Obj, find_condition, is_terminating, parse_time
from leeward.kube.pods import is_finished, is_ready

MOST = 500  # Pods made or deleted in one pass
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


class End(NamedTuple):
    """How a Job is about to end."""

    kind: str  # the condition: FailureTarget, SuccessCriteriaMet, or Failed when the former is there
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with the Pods of a Job that goes on."""

    create: Sequence[int | None] = ()  # completion indexes, None when NonIndexed
    delete: Sequence[Obj] = ()
    wait: float | None = None  # seconds until a replacement may be made


def ending(tally: Tally, now: datetime) -> End | None:
    """Return how a Job ends, when that is decided already or now."""
    job = tally.job
    met = find_condition(job, "SuccessCriteriaMet")
    if met is not None and met["status"] == "True":
        return End("SuccessCriteriaMet", met["reason"], met["message"])
    target = find_condition(job, "FailureTarget")
    if target is not None and target["status"] == "True":
        return End("Failed", target["reason"], target["message"])
    failed = _failure(tally, now)
    if failed is not None:
        return End("FailureTarget", *failed)
    rule = met_rule(job, tally.done_indexes) if is_indexed(job) else ""
    return End("SuccessCriteriaMet", "SuccessPolicy", rule) if rule else None


def _failure(tally: Tally, now: datetime) -> tuple[str, str] | None:
    """Return (reason, message) of a Job that has failed."""
    job, spec = tally.job, tally.job["spec"]
    verdicts = (judge(job, pod).message for pod in tally.pods if has_failed(job, pod))
    if message := next(filter(None, verdicts), ""):
        return "PodFailurePolicy", message
    limit = spec.get("backoffLimit", 6)
    restarting = spec["template"]["spec"].get("restartPolicy") == "OnFailure"
    if tally.failed > limit or (restarting and restarts_of(tally.pods) >= max(1, limit)):
        return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
    left = seconds_to_deadline(job, now)
    if left is not None and left <= 0:
        return "DeadlineExceeded", "Job was active longer than specified deadline"
    failed = tally.failed_indexes or ()
    if len(failed) > spec.get("maxFailedIndexes", len(failed)):
        message = "Job has exceeded the specified maximal number of failed indexes"
        return "MaxFailedIndexesExceeded", message
    if failed and len(failed) + len(tally.done_indexes) >= spec["completions"]:
        return "FailedIndexes", "Job has failed indexes"
    return None


def seconds_to_deadline(job: Obj, now: datetime) -> float | None:
    """Return seconds until a Job that is not suspended was active for too long; None: never."""
    seconds, started = job["spec"].get("activeDeadlineSeconds"), (job.get("status") or {}).get("startTime")
    if seconds is None or not started or job["spec"].get("suspend"):
        return None
    return float(seconds - (now - parse_time(started)).total_seconds())


def completed(tally: Tally, active: int) -> End | None:
    """Return the end of a Job of which enough Pods have succeeded and none is left.

    Args:
        tally: at the begin of the pass.
        active: Pods that are active now.
    """
    completions = tally.job["spec"].get("completions")
    enough = tally.succeeded > 0 if completions is None else tally.succeeded >= completions
    if not enough or active:
        return None
    return End("SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods")


def plan(tally: Tally, record: Record, now: datetime) -> Plan:
    """Decide about the Pods of a Job that goes on.

    Args:
        tally: at the begin of the pass.
        record: of its failures.
        now: for back-off.
    """
    job, active = tally.job, len(tally.active)
    if job["spec"].get("suspend"):
        return Plan(delete=tally.active)
    wanted = _wanted(tally)
    surplus = _surplus(job, tally.active, max(0, active - wanted))
    if surplus:
        return Plan(delete=surplus[:MOST])
    missing = wanted - active - (tally.terminating if replaces_failed_only(job) else 0)
    if missing <= 0:
        return Plan()
    if tally.failed_indexes is None and (wait := record.remaining(now)) > 0:
        return Plan(wait=wait)
    if not is_indexed(job):
        return Plan(create=[None] * min(missing, MOST))
    return _next_indexes(tally, min(missing, MOST), now)


def _wanted(tally: Tally) -> int:
    """Return how many Pods should be active."""
    spec = tally.job["spec"]
    completions, parallelism = spec.get("completions"), int(spec.get("parallelism", 1))
    if completions is None:  # a work queue: after one success no more are started
        return len(tally.active) if tally.succeeded else parallelism
    return max(0, min(parallelism, int(completions) - tally.succeeded))


def _next_indexes(tally: Tally, count: int, now: datetime) -> Plan:
    """Return the lowest free indexes; those that failed come again when their time has come."""
    taken = tally.done_indexes | indexes_of(tally.active) | (tally.failed_indexes or set())
    if replaces_failed_only(tally.job):
        taken |= indexes_of(pod for pod in tally.pods if is_terminating(pod) and not is_finished(pod))
    free = (index for index in range(tally.job["spec"].get("completions") or 0) if index not in taken)
    waits = {index: index_remaining(tally.delayed.get(index), now) for index in islice(free, count)}
    ready = [index for index, seconds in waits.items() if not seconds]
    if ready or not waits:
        return Plan(create=ready)
    return Plan(wait=min(waits.values()))


def _surplus(job: Obj, active: Sequence[Obj], least: int) -> list[Obj]:
    """Return at least so many Pods to give up, first those whose index another has too."""
    ordered = _most_dispensable(active)
    chosen: list[Obj] = []
    if is_indexed(job):
        best = {index_of(pod): pod for pod in ordered}  # the last one of an index is the best
        chosen = [pod for pod in ordered if valid_index(job, pod) is None or best[index_of(pod)] is not pod]
    left = [pod for pod in ordered if not any(pod is each for each in chosen)]
    return chosen + left[: max(0, least - len(chosen))]


def _most_dispensable(pods: Sequence[Obj]) -> list[Obj]:
    """Return Pods with those first that have done the least."""

    def ready_since(pod: Obj) -> str:
        condition = find_condition(pod, "Ready") or {}
        return str(condition.get("lastTransitionTime")) if condition.get("status") == "True" else ""

    def progress(pod: Obj) -> tuple[Any, ...]:
        phase = (pod.get("status") or {}).get("phase", "Pending")
        restarts = max((each.get("restartCount", 0) for each in containers_of(pod)), default=0)
        return bool(pod["spec"].get("nodeName")), _PHASES.get(phase, 0), is_ready(pod), -restarts

    newest = sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)
    return sorted(sorted(newest, key=ready_since, reverse=True), key=progress)
