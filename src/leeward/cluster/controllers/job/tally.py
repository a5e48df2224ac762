"""What became of a Job's Pods: what its status counted, what it is about to count, what is new. Pure.

Every Pod has a finalizer until it is counted: first its uid is in the status, then the finalizer goes, then
the count rises. So no Pod is lost and none is counted twice, whenever the controller stops.

Source: pkg/controller/job/job_controller.go, indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from leeward.cluster.controllers.job.backoff import all_index_failures, finished_at, index_failures
from leeward.cluster.controllers.job.failurepolicy import containers_of, judge
from leeward.cluster.controllers.job.indexes import (
    index_of,
    indexes_of,
    is_indexed,
    parse_indexes,
    valid_index,
)
from leeward.kube.objects import Obj, is_terminating
from leeward.kube.pods import is_active, is_finished, is_ready

TRACKING = "batch.kubernetes.io/job-tracking"


def is_tracked(pod: Obj) -> bool:
    """Tell whether a Pod is not counted yet."""
    return TRACKING in (pod["metadata"].get("finalizers") or ())


def replaces_failed_only(job: Obj) -> bool:
    """Tell whether a terminating Pod is replaced, and counted, only when it has ended."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed")


def has_failed(job: Obj, pod: Obj) -> bool:
    """Tell whether a Pod counts as failed; one that is deleted may never come to say so."""
    phase = (pod.get("status") or {}).get("phase")
    if phase == "Failed":
        return True
    return not replaces_failed_only(job) and is_terminating(pod) and phase != "Succeeded"


def has_succeeded(pod: Obj) -> bool:
    """Tell whether a Pod has succeeded."""
    return (pod.get("status") or {}).get("phase") == "Succeeded"


@dataclass(slots=True)
class Tally:
    """The state of a Job at the begin of a pass."""

    job: Obj
    pods: Sequence[Obj]
    active: list[Obj]
    ready: int
    terminating: int
    uncounted_succeeded: list[str]  # uids in the status, to be counted next
    uncounted_failed: list[str]
    new_succeeded: list[Obj]
    new_failed: list[Obj]
    succeeded: int  # with those that are to be counted
    failed: int  # that count towards the back-off limit
    counted_indexes: set[int] = field(default_factory=set)  # by the status
    done_indexes: set[int] = field(default_factory=set)  # with those that are to be counted
    failed_indexes: set[int] | None = None  # None: they are not followed
    delayed: dict[int, Obj] = field(default_factory=dict)  # index → the failed Pod that is replaced next


def take_stock(job: Obj, pods: Sequence[Obj]) -> Tally:
    """Look at a Job and its Pods."""
    status = job.get("status") or {}
    waiting = status.get("uncountedTerminatedPods") or {}
    succeeded, failed = list(waiting.get("succeeded") or ()), list(waiting.get("failed") or ())
    active = [pod for pod in pods if is_active(pod)]
    new_succeeded = _new(job, pods, succeeded, has_succeeded)
    new_failed = _new(job, pods, failed, lambda pod: has_failed(job, pod))
    tally = Tally(
        job=job,
        pods=pods,
        active=active,
        ready=sum(1 for pod in active if is_ready(pod)),
        terminating=sum(1 for pod in pods if is_terminating(pod) and not is_finished(pod)),
        uncounted_succeeded=succeeded,
        uncounted_failed=failed,
        new_succeeded=new_succeeded,
        new_failed=new_failed,
        succeeded=status.get("succeeded", 0) + len(new_succeeded) + len(succeeded),
        failed=status.get("failed", 0) + len(failed) + sum(1 for pod in new_failed if judge(job, pod).counts),
    )
    if is_indexed(job):
        _take_stock_of_indexes(tally, status)
    return tally


def _new(job: Obj, pods: Iterable[Obj], known: Sequence[str], fits: Callable[[Obj], bool]) -> list[Obj]:
    return [
        pod
        for pod in pods
        if is_tracked(pod)
        and pod["metadata"]["uid"] not in known
        and (not is_indexed(job) or valid_index(job, pod) is not None)
        and fits(pod)
    ]


def _take_stock_of_indexes(tally: Tally, status: Obj) -> None:
    job = tally.job
    limit = job["spec"].get("completions") or 0
    counted = parse_indexes(status.get("completedIndexes") or "")
    tally.counted_indexes = {index for index in counted if index < limit}
    done = [pod for pod in tally.pods if has_succeeded(pod) and is_tracked(pod)]
    tally.done_indexes = tally.counted_indexes | {index for index in indexes_of(done) if index < limit}
    tally.succeeded = len(tally.done_indexes)
    if job["spec"].get("backoffLimitPerIndex") is None:
        return
    failed = [pod for pod in tally.pods if is_tracked(pod) and _fails_index(job, pod)]
    before = parse_indexes(status.get("failedIndexes") or "")
    tally.failed_indexes = before | {index for index in indexes_of(failed) if index < limit}
    tally.delayed = _delayed(tally)


def _fails_index(job: Obj, pod: Obj) -> bool:
    """Tell whether an index is given up with a Pod."""
    if not has_failed(job, pod):
        return False
    verdict = judge(job, pod)
    if verdict.action == "FailIndex":
        return True
    return verdict.counts and index_failures(pod) >= job["spec"]["backoffLimitPerIndex"]


def _delayed(tally: Tally) -> dict[int, Obj]:
    """Return the last failed Pod of every index that is to be tried again: it knows the failures so far."""
    settled = indexes_of(tally.active) | tally.done_indexes | (tally.failed_indexes or set())
    found: dict[int, Obj] = {}
    for pod in _new(tally.job, tally.pods, (), lambda pod: has_failed(tally.job, pod)):
        index = index_of(pod)
        if index is None or index in settled:
            continue
        last = found.get(index)
        if last is None or _order(pod) >= _order(last):
            found[index] = pod
    return found


def _order(pod: Obj) -> tuple[int, object]:
    return all_index_failures(pod), finished_at(pod)


def restarts_of(pods: Iterable[Obj]) -> int:
    """Return how often the containers of Pods that have not ended were started again."""
    living = [pod for pod in pods if (pod.get("status") or {}).get("phase") in ("Running", "Pending")]
    return sum(each.get("restartCount", 0) for pod in living for each in containers_of(pod))
