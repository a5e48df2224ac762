"""How long a Job waits before it replaces failed Pods: 10 s, doubling, at most 10 min. Pure.

Source: pkg/controller/job/backoff_utils.go, indexed_job_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from leeward.cluster.controllers.job.failurepolicy import containers_of, judge
from leeward.kube.objects import Obj, annotations_of, find_condition, parse_time

FIRST_SECONDS, LONGEST_SECONDS = 10.0, 600.0
FAILURES = "batch.kubernetes.io/job-index-failure-count"
IGNORED = "batch.kubernetes.io/job-index-ignored-failure-count"


class Record(NamedTuple):
    """Failures since the last success."""

    failures: int = 0
    last: datetime | None = None  # when the last one was

    def after(self, succeeded: Sequence[Obj], failed: Sequence[Obj]) -> Record:
        """Return the record with Pods that ended since."""
        if not succeeded:
            ends = [finished_at(pod) for pod in failed]
            last = max((*ends, self.last) if self.last else ends, default=None)
            return Record(self.failures + len(ends), last)
        success = max(finished_at(pod) for pod in succeeded)
        ends = [at for pod in failed if (at := finished_at(pod)) > success]
        return Record(len(ends), max(ends, default=None))

    def remaining(self, now: datetime) -> float:
        """Return seconds until the next Pod may be made."""
        return _remaining(self.failures, self.last, now)


def _remaining(failures: int, last: datetime | None, now: datetime) -> float:
    if not failures or last is None:
        return 0.0
    delay = min(FIRST_SECONDS * 2.0 ** min(failures - 1, 10), LONGEST_SECONDS)
    return float(max(0.0, delay - (now - last).total_seconds()))


def finished_at(pod: Obj) -> datetime:
    """Return when a Pod ended: its last container, its readiness, or the request to delete it."""
    statuses = [each.get("state") or {} for each in containers_of(pod)]
    ends = [str((state.get("terminated") or {}).get("finishedAt") or "") for state in statuses]
    ready = find_condition(pod, "Ready") or {}
    if ends and all(ends):
        return parse_time(max(ends))
    if ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        grace = timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
        return parse_time(meta["deletionTimestamp"]) - grace
    return parse_time(meta["creationTimestamp"])


# Of an index ------------------------------------------------------------------------------------------


def _count(pod: Obj, annotation: str) -> int:
    text = annotations_of(pod).get(annotation, "0")
    return int(text) if text.isdigit() else 0


def index_failures(pod: Obj) -> int:
    """Return how many failures that count its index had before a Pod."""
    return _count(pod, FAILURES)


def all_index_failures(pod: Obj) -> int:
    """Return how many failures its index had before a Pod."""
    return _count(pod, FAILURES) + _count(pod, IGNORED)


def index_remaining(pod: Obj | None, now: datetime) -> float:
    """Return seconds until a failed Pod of an index may be replaced; None: there was none."""
    if pod is None:
        return 0.0
    return _remaining(all_index_failures(pod) + 1, finished_at(pod), now)


def failure_annotations(job: Obj, replaced: Obj | None) -> dict[str, str]:
    """Return what the Pod that replaces another tells of the failures of its index."""
    if replaced is None:
        return {FAILURES: "0"}
    counted, ignored = _count(replaced, FAILURES), _count(replaced, IGNORED)
    if judge(job, replaced).counts:
        counted += 1
    else:
        ignored += 1
    return {FAILURES: str(counted), **({IGNORED: str(ignored)} if ignored else {})}
