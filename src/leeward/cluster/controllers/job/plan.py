"""What a Job needs next. Pure.

Source: pkg/controller/job/job_controller.go, indexed_job_utils.go, pod_failure_policy.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from leeward.kube.objects import Obj, annotations_of, is_condition_true, is_terminating, parse_time
from leeward.kube.pods import is_active, is_ready

INDEX = "batch.kubernetes.io/job-completion-index"
BACKOFF_FIRST, BACKOFF_MAX = 10.0, 600.0


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of a Job's Pods."""

    active: Sequence[Obj]
    ready: int
    succeeded: int
    failed: int  # failures that count
    ignored: int  # failures that the policy ignores
    fail_job: str  # the policy fails the Job: why; "" otherwise
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


def count(job: Obj, pods: Sequence[Obj]) -> Counts:
    """Sort a Job's Pods by what became of them."""
    active = [pod for pod in pods if is_active(pod)]
    done = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Succeeded"]
    broken = [pod for pod in pods if (pod.get("status") or {}).get("phase") == "Failed"]
    broken += [p for p in pods if is_terminating(p) and p not in active and p not in done and p not in broken]
    verdicts = [_judge(job, pod) for pod in broken]
    times = [
        _finished_at(pod) for pod, verdict in zip(broken, verdicts, strict=True) if verdict[0] == "Count"
    ]
    indexed = job["spec"].get("completionMode") == "Indexed"
    indexes = frozenset(index for pod in done if (index := index_of(pod)) is not None)
    return Counts(
        active=active,
        ready=sum(1 for pod in active if is_ready(pod)),
        succeeded=len(indexes) if indexed else len(done),
        failed=sum(1 for verdict in verdicts if verdict[0] == "Count"),
        ignored=sum(1 for verdict in verdicts if verdict[0] == "Ignore"),
        fail_job=next((text for action, text in verdicts if action == "FailJob"), ""),
        last_failure=max(times, default=None),
        indexes=indexes,
    )


def index_of(pod: Obj) -> int | None:
    """Return a Pod's completion index."""
    text = annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def _judge(job: Obj, pod: Obj) -> tuple[str, str]:
    """Return what the Pod failure policy says: (Count, Ignore or FailJob, why)."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        if _fits(rule, pod):
            name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
            action = rule["action"] if rule["action"] != "FailIndex" else "Count"
            return action, f"Pod {name} matched {rule['action']} rule at index {number}"
    if is_terminating(pod) and (pod.get("status") or {}).get("phase") != "Failed":
        return "Count", ""
    return "Count", ""


def _fits(rule: Obj, pod: Obj) -> bool:
    if "onPodConditions" in rule:
        return any(is_condition_true(pod, wanted["type"]) for wanted in rule["onPodConditions"])
    wanted = rule.get("onExitCodes") or {}
    values = wanted.get("values") or ()
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
        if wanted.get("containerName") not in (None, container["name"]) or not code:
            continue
        if (code in values) == (wanted.get("operator") == "In"):
            return True
    return False


def _finished_at(pod: Obj) -> datetime:
    ends = [
        ((c.get("state") or {}).get("terminated") or {}).get("finishedAt")
        for c in (pod.get("status") or {}).get("containerStatuses") or ()
    ]
    text = max(filter(None, ends), default=None) or pod["metadata"]["creationTimestamp"]
    return parse_time(text)


def plan(job: Obj, counts: Counts, now: datetime) -> Plan:
    """Decide the next step of a Job that is not finished.

    Args:
        job: the Job.
        counts: what became of its Pods.
        now: for deadlines and back-off.
    """
    spec, status = job["spec"], job.get("status") or {}
    if spec.get("suspend"):
        return Plan(delete=counts.active)
    if counts.fail_job:
        return Plan(delete=counts.active, failed=("PodFailurePolicy", counts.fail_job))
    if counts.failed > spec.get("backoffLimit", 6):
        text = "Job has reached the specified backoff limit"
        return Plan(delete=counts.active, failed=("BackoffLimitExceeded", text))
    late, until = _deadline(spec, status, now)
    if late:
        text = "Job was active longer than specified deadline"
        return Plan(delete=counts.active, failed=("DeadlineExceeded", text))
    completions = spec.get("completions")
    if completions is None:
        if counts.succeeded and not counts.active:
            return Plan(complete=True)
        wanted = len(counts.active) if counts.succeeded else spec.get("parallelism", 1)
    else:
        if counts.succeeded >= completions:
            return Plan(delete=counts.active, complete=True)
        wanted = min(spec.get("parallelism", 1), completions - counts.succeeded)
    missing = wanted - len(counts.active)
    if missing < 0:
        return Plan(delete=list(counts.active)[missing:], wait=until)
    wait = _backoff(counts, now)
    if missing and wait > 0:
        return Plan(wait=wait)
    return Plan(create=_next_indexes(spec, counts, missing), wait=until)


def _deadline(spec: Obj, status: Obj, now: datetime) -> tuple[bool, float | None]:
    seconds, started = spec.get("activeDeadlineSeconds"), status.get("startTime")
    if seconds is None or not started:
        return False, None
    left = seconds - (now - parse_time(started)).total_seconds()
    return left <= 0, max(left, 0.0)


def _backoff(counts: Counts, now: datetime) -> float:
    """Return seconds until the next Pod after failures: 10 s, doubling, at most 10 min."""
    if not counts.failed or counts.last_failure is None:
        return 0.0
    delay = min(BACKOFF_FIRST * 2.0 ** (counts.failed - 1), BACKOFF_MAX)
    return float(max(0.0, delay - (now - counts.last_failure).total_seconds()))


def _next_indexes(spec: Obj, counts: Counts, missing: int) -> Sequence[int | None]:
    if spec.get("completionMode") != "Indexed":
        return [None] * missing
    taken = counts.indexes | {index_of(pod) for pod in counts.active}
    free = [index for index in range(spec.get("completions") or 0) if index not in taken]
    return list(free[:missing])


def finished_condition(job: Obj) -> dict[str, Any] | None:
    """Return the condition that says that the Job has ended, if it has."""
    conditions = (job.get("status") or {}).get("conditions") or ()
    return next(
        (c for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"), None
    )
