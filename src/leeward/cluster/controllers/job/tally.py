"""What became of a Job's Pods, also of those that are gone. Pure.

Upstream keeps a finalizer on every Pod until it is counted. Here the controller remembers each Pod's fate;
after a restart the Job's status tells what was counted before.

Source: pkg/controller/job/job_controller.go, trackJobStatusAndRemoveFinalizers; pod_failure_policy.go;
backoff_utils.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from leeward.kube.objects import Obj, find_condition, is_terminating, parse_time
from leeward.kube.pods import is_finished

Fates = Mapping[str, "Fate"]  # by uid of the Pod


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a Pod."""

    kind: str  # active, ending, dropped, succeeded, failed, ignored
    at: datetime | None = None  # when it ended


def follow(job: Obj, pods: Sequence[Obj], before: Fates | None, now: datetime) -> dict[str, Fate]:
    """Return the fates of a Job's Pods.

    Args:
        job: the Job.
        pods: those that are there.
        before: the fates so far; None when nothing is remembered.
        now: when a Pod that is gone without a word has ended.
    """
    fates = _earlier(job, pods) if before is None else dict(before)
    seen = {pod["metadata"]["uid"] for pod in pods}
    for uid, fate in list(fates.items()):
        if uid not in seen and fate.kind in ("active", "ending"):
            fates[uid] = Fate("failed", now)
    for pod in pods:
        uid = pod["metadata"]["uid"]
        fates[uid] = _fate(job, pod, fates.get(uid))
    return fates


def _earlier(job: Obj, pods: Sequence[Obj]) -> dict[str, Fate]:
    """Return stand-ins for Pods that were counted and are gone; what terminates now is accounted for."""
    fates = {p["metadata"]["uid"]: Fate("dropped") for p in pods if is_terminating(p) and not is_finished(p)}
    status = job.get("status") or {}
    for kind, phase in (("succeeded", "Succeeded"), ("failed", "Failed")):
        here = sum(1 for pod in pods if (pod.get("status") or {}).get("phase") == phase)
        gone = status.get(kind, 0) - here
        fates.update({f"earlier-{kind}-{number}": Fate(kind) for number in range(gone)})
    return fates


def _fate(job: Obj, pod: Obj, before: Fate | None) -> Fate:
    if before is not None and before.kind not in ("active", "ending"):
        return before
    phase = (pod.get("status") or {}).get("phase")
    if phase == "Succeeded":
        return Fate("succeeded", _finished_at(pod))
    if phase == "Failed":
        action, _ = judge(job, pod)
        return Fate("ignored" if action == "Ignore" else "failed", _finished_at(pod))
    if is_terminating(pod):
        return Fate("ending") if waits_for_end(job) else Fate("failed", _finished_at(pod))
    return Fate("active")


def waits_for_end(job: Obj) -> bool:
    """Tell whether a terminating Pod is replaced, and counted, only when it has ended."""
    return bool(job["spec"].get("podReplacementPolicy") == "Failed" or job["spec"].get("podFailurePolicy"))


def judge(job: Obj, pod: Obj) -> tuple[str, str]:
    """Return what the Pod failure policy says about a failed Pod: (Count, Ignore or FailJob, why)."""
    for number, rule in enumerate((job["spec"].get("podFailurePolicy") or {}).get("rules") or ()):
        found = _match(rule, pod)
        if found:
            action = rule["action"] if rule["action"] != "FailIndex" else "Count"
            return action, f"{found} matching {rule['action']} rule at index {number}"
    return "Count", ""


def _match(rule: Obj, pod: Obj) -> str:
    """Return what of a Pod a rule is about; "" when nothing is."""
    name = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
    for wanted in rule.get("onPodConditions") or ():
        condition = find_condition(pod, wanted["type"])
        if condition is not None and condition.get("status") == wanted.get("status", "True"):
            return f"Pod {name} has condition {wanted['type']}"
    codes = rule.get("onExitCodes")
    for container in _containers(pod) if codes else ():
        code = ((container.get("state") or {}).get("terminated") or {}).get("exitCode")
        if codes is None or codes.get("containerName") not in (None, container["name"]) or not code:
            continue
        if (code in (codes.get("values") or ())) == (codes.get("operator") == "In"):
            return f"Container {container['name']} for pod {name} failed with exit code {code}"
    return ""


def _containers(pod: Obj) -> list[Obj]:
    status = pod.get("status") or {}
    return [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]


def restarts_of(pod: Obj) -> int:
    """Return how often the containers of a Pod were started again."""
    return sum(container.get("restartCount", 0) for container in _containers(pod))


def _finished_at(pod: Obj) -> datetime:
    """Return when a Pod ended: its last container, its readiness, or the request to delete it."""
    ends = [((c.get("state") or {}).get("terminated") or {}).get("finishedAt") for c in _containers(pod)]
    ready = find_condition(pod, "Ready") or {}
    if any(ends):
        return parse_time(max(filter(None, ends)))
    if ready.get("status") == "False" and ready.get("lastTransitionTime"):
        return parse_time(ready["lastTransitionTime"])
    meta = pod["metadata"]
    if meta.get("deletionTimestamp"):
        grace = timedelta(seconds=meta.get("deletionGracePeriodSeconds") or 0)
        return parse_time(meta["deletionTimestamp"]) - grace
    return parse_time(meta["creationTimestamp"])


def failures_in_a_row(fates: Fates) -> tuple[int, datetime | None]:
    """Return how many Pods failed since the last one that succeeded, and when the last one did."""
    count, last = 0, None
    ended = [(fate.at, fate.kind) for fate in fates.values() if fate.at is not None]
    for at, kind in sorted(ended):
        count, last = (0, None) if kind == "succeeded" else (count + 1, at)
    return count, last
