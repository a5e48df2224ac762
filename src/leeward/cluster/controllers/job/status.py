"""The status of a Job: what is counted, and the conditions. Pure.

Source: pkg/controller/job/job_controller.go (trackJobStatusAndRemoveFinalizers), Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from leeward.cluster.controllers.job.failurepolicy import judge
from leeward.cluster.controllers.job.indexes import (
    format_indexes,
    index_of,
    is_indexed,
    valid_index,
)
from leeward.cluster.controllers.job.plan import End
from leeward.cluster.controllers.job.tally import Tally, has_failed, has_succeeded, is_tracked
from leeward.kube.objects import Obj, find_condition, format_time, is_terminating

MOST_UNCOUNTED = 500  # uids in a status
FINAL = {"FailureTarget": "Failed", "SuccessCriteriaMet": "Complete", "Failed": "Failed"}


def may_be_counted(tally: Tally, pod: Obj, end: End | None) -> bool:
    """Tell whether nothing more is expected of a Pod."""
    if not is_tracked(pod):
        return False
    if is_terminating(tally.job) or end is not None or has_succeeded(pod):
        return True
    if not has_failed(tally.job, pod):
        return False
    index = index_of(pod)
    replaced = tally.delayed.get(index) if index is not None else None
    return replaced is None or replaced["metadata"]["uid"] != pod["metadata"]["uid"]


def counted_next(tally: Tally, end: End | None) -> tuple[list[Obj], bool]:
    """Return the Pods to count in this pass, and whether there are more; their uids join the tally."""
    pods = sorted(tally.pods, key=lambda pod: index_of(pod) or 0) if is_indexed(tally.job) else tally.pods
    chosen: list[Obj] = []
    new_indexes: set[int] = set()
    for pod in pods:
        if not may_be_counted(tally, pod, end):
            continue
        chosen.append(pod)
        uid, index = pod["metadata"]["uid"], valid_index(tally.job, pod)
        if has_succeeded(pod) and uid not in tally.uncounted_failed:
            if is_indexed(tally.job):
                new_indexes |= {index} - tally.counted_indexes if index is not None else set()
            elif uid not in tally.uncounted_succeeded:
                tally.uncounted_succeeded.append(uid)
        elif _counts_as_failed(tally, pod, end) and uid not in tally.uncounted_failed:
            tally.uncounted_failed.append(uid)
        if len(new_indexes) + len(tally.uncounted_succeeded) + len(tally.uncounted_failed) >= MOST_UNCOUNTED:
            return chosen, True
    return chosen, False


def _counts_as_failed(tally: Tally, pod: Obj, end: End | None) -> bool:
    """Of a Job that has failed every Pod that did not succeed has."""
    if not has_failed(tally.job, pod) and (end is None or end.kind == "SuccessCriteriaMet"):
        return False
    if is_indexed(tally.job) and valid_index(tally.job, pod) is None:
        return False
    return judge(tally.job, pod).counts


def flushed(status: Obj, tally: Tally, tracked: Collection[str]) -> Obj:
    """Return a status in which the Pods are counted that are not tracked any more.

    Args:
        status: before.
        tally: with the uids to be counted, of which those that are counted are taken away.
        tracked: uids of the Pods that still have their finalizer.
    """
    counts = {"succeeded": status.get("succeeded", 0), "failed": status.get("failed", 0)}
    for name, uids in (("succeeded", tally.uncounted_succeeded), ("failed", tally.uncounted_failed)):
        left = [uid for uid in uids if uid in tracked]
        counts[name] += len(uids) - len(left)
        uids[:] = left
    if is_indexed(tally.job):
        counts["succeeded"] = len(tally.done_indexes)
    waiting = {"succeeded": tally.uncounted_succeeded, "failed": tally.uncounted_failed}
    result = {name: value for name, value in status.items() if name not in counts}
    result |= {name: value for name, value in counts.items() if value}
    result["uncountedTerminatedPods"] = {name: list(uids) for name, uids in waiting.items() if uids}
    if not is_indexed(tally.job):
        return result
    if tally.done_indexes:
        result["completedIndexes"] = format_indexes(tally.done_indexes)
    if tally.failed_indexes is not None:
        result["failedIndexes"] = format_indexes(tally.failed_indexes)
    return result


def with_job_condition(status: Obj, condition: Obj, now: datetime) -> tuple[Obj, bool]:
    """Return a status with a condition, and whether that is new; what is not true is not told at first."""
    stamp = format_time(now)
    new = {**condition, "lastProbeTime": stamp, "lastTransitionTime": stamp}
    conditions = list(status.get("conditions") or ())
    old = find_condition({"status": status}, condition["type"])
    if old is None:
        if condition["status"] == "False":
            return status, False
        return {**status, "conditions": [*conditions, new]}, True
    if all(old.get(name) == condition[name] for name in ("status", "reason", "message")):
        return status, False
    conditions[conditions.index(old)] = new
    return {**status, "conditions": conditions}, True
