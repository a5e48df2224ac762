"""What a controller may say in the status of a Job.

A rule about fields that did not change does not count, so that an old status can be written again.

Source: pkg/apis/batch/validation/validation.go ValidateJobStatusUpdate, pkg/registry/batch/job/strategy.go
getStatusValidationOptions (Kubernetes 1.36).
"""

from __future__ import annotations

from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    go_struct,
    invalid,
    invalid_without_value,
    required,
)
from leeward.cluster.registry.validation.formats import not_negative
from leeward.cluster.registry.validation.indexes import IndexListError, overlap, parse_intervals
from leeward.kube.objects import Obj, is_condition_true

_CONDITIONS = "status.conditions"
_COUNTS = ("active", "succeeded", "failed", "ready", "terminating")
_PAIRS = (  # of conditions that cannot both be true
    ("SuccessCriteriaMet", "Failed", "SuccessCriteriaMet=True and Failed=true"),
    ("SuccessCriteriaMet", "FailureTarget", "SuccessCriteriaMet=True and FailureTarget=true"),
)


class _Change:
    """Two states of a Job, and what is different."""

    def __init__(self, new: Obj, old: Obj) -> None:
        self.new, self.old = new, old
        self.after: Obj = new.get("status") or {}
        self.before: Obj = old.get("status") or {}
        self.spec: Obj = new["spec"]

    def changed(self, *names: str) -> bool:
        """Tell whether one of these fields or conditions is different."""
        return any(
            self.after.get(name) != self.before.get(name)
            if name[0].islower()
            else is_condition_true(self.new, name) != is_condition_true(self.old, name)
            for name in names
        )

    def true(self, *names: str) -> bool:
        """Tell whether all of these conditions are true now."""
        return all(is_condition_true(self.new, name) for name in names)

    @property
    def finished(self) -> bool:
        return self.true("Complete") or self.true("Failed")


def job_status_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check a new status of a Job."""
    change = _Change(new, old)
    found = [f for name in _COUNTS for f in not_negative(change.after.get(name), f"status.{name}")]
    found += _uncounted(change.after.get("uncountedTerminatedPods") or {})
    found += _completion(change) + _end(change) + _indexes(change) + _rest(change)
    return found + _only_forward(change)


def _uncounted(pods: Obj) -> list[Failure]:
    found: list[Failure] = []
    seen: set[str] = set()
    for kind in ("succeeded", "failed"):
        for index, uid in enumerate(pods.get(kind) or ()):
            place = f"status.uncountedTerminatedPods.{kind}[{index}]"
            if not uid:
                found.append(invalid(place, uid, "must not be empty"))
            elif uid in seen:
                found.append(duplicate(place, uid))
            seen.add(uid)
    return found


def _completion(change: _Change) -> list[Failure]:
    found: list[Failure] = []
    for other in ("Failed", "FailureTarget"):
        if change.changed("Complete", other) and change.true("Complete", other):
            text = f"cannot set Complete=True and {other}=true conditions"
            found.append(invalid_without_value(_CONDITIONS, text))
    time, start = change.after.get("completionTime"), change.after.get("startTime")
    place = "status.completionTime"
    if change.changed("Complete", "completionTime"):
        if time is not None and not change.true("Complete"):
            text = "cannot set completionTime when there is no Complete=True condition"
            found.append(invalid(place, time, text))
        if time is None and change.true("Complete"):
            found.append(required(place, "completionTime is required for Complete jobs"))
    if change.changed("startTime", "completionTime") and time and start and time < start:
        found.append(invalid(place, time, "completionTime cannot be set before startTime"))
    if (
        change.changed("Failed", "failedIndexes")
        and change.true("Failed")
        and not change.true("FailureTarget")
    ):
        text = "cannot set Failed=True condition without the FailureTarget=true condition"
        found.append(invalid_without_value(_CONDITIONS, text))
    if (
        change.changed("Complete", "SuccessCriteriaMet")
        and change.true("Complete")
        and not change.true("SuccessCriteriaMet")
    ):
        text = "cannot set Complete=True condition without the SuccessCriteriaMet=true condition"
        found.append(invalid_without_value(_CONDITIONS, text))
    return found


def _end(change: _Change) -> list[Failure]:
    """Check that nothing runs of a Job that is finished."""
    if not change.finished:
        return []
    ended = change.changed("Complete", "Failed")
    found: list[Failure] = []
    active, uncounted = change.after.get("active"), change.after.get("uncountedTerminatedPods") or {}
    if active and active > 0 and (ended or change.changed("active")):
        found.append(invalid("status.active", active, "active>0 is invalid for finished job"))
    if change.after.get("startTime") is None and (ended or change.changed("startTime")):
        found.append(required("status.startTime", "startTime is required for finished job"))
    if any(uncounted.get(kind) for kind in ("failed", "succeeded")) and (
        ended or change.changed("uncountedTerminatedPods")
    ):
        shown = go_struct(uncounted, Succeeded=None, Failed=None)
        text = "uncountedTerminatedPods needs to be empty for finished job"
        found.append(invalid("status.uncountedTerminatedPods", shown, text))
    return found


def _indexes(change: _Change) -> list[Failure]:
    if not change.changed("completedIndexes", "failedIndexes"):
        return []
    spec = change.spec
    found: list[Failure] = []
    completions, per_index = spec.get("completions"), spec.get("backoffLimitPerIndex")
    completed, failed = change.after.get("completedIndexes") or "", change.after.get("failedIndexes")
    if change.changed("completedIndexes") and completions is not None:
        found += _listed(completed, completions, "completedIndexes")
    if change.changed("failedIndexes") and failed is not None and None not in (completions, per_index):
        found += _listed(failed, completions, "failedIndexes")
    if change.changed("completedIndexes") and completed and spec.get("completionMode") != "Indexed":
        text = "cannot set non-empty completedIndexes when non-indexed completion mode"
        found.append(invalid("status.completedIndexes", completed, text))
    if change.changed("failedIndexes") and failed is not None and per_index is None:
        text = "cannot set non-null failedIndexes when backoffLimitPerIndex is null"
        found.append(invalid("status.failedIndexes", failed, text))
    if completions is not None and failed is not None:
        both = overlap(completed, failed, completions)
        if both is not None:
            text = f"failedIndexes and completedIndexes overlap at index: {both}"
            found.append(invalid("status.failedIndexes", failed, text))
    return found


def _listed(text: str, completions: Any, name: str) -> list[Failure]:
    try:
        parse_intervals(text, completions)
    except IndexListError as error:
        return [invalid(f"status.{name}", text, f"error parsing {name}: {error}")]
    return []


def _rest(change: _Change) -> list[Failure]:
    found: list[Failure] = []
    terminating, ready = change.after.get("terminating") or 0, change.after.get("ready")
    if change.finished and terminating > 0 and change.changed("Complete", "Failed", "terminating"):
        found.append(invalid("status.terminating", terminating, "terminating>0 is invalid for finished job"))
    if change.changed("ready", "active") and ready is not None and ready > (change.after.get("active") or 0):
        found.append(invalid("status.ready", ready, "cannot set more ready pods than active"))
    found += [
        invalid_without_value(_CONDITIONS, f"cannot set {text} conditions")
        for one, other, text in _PAIRS
        if change.true(one, other)
    ]
    if (
        change.spec.get("successPolicy") is not None
        and change.true("Complete")
        and not change.true("SuccessCriteriaMet")
    ):
        text = "cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"
        found.append(invalid_without_value(_CONDITIONS, text))
    return found


def _only_forward(change: _Change) -> list[Failure]:
    """Check that what was counted or decided stays so."""
    was = [name for name in ("Failed", "Complete", "FailureTarget") if is_condition_true(change.old, name)]
    found = [
        invalid_without_value(_CONDITIONS, f"cannot disable the terminal {name}=True condition")
        for name in was
        if not change.true(name)
    ]
    for name in ("failed", "succeeded"):
        if name == "succeeded" and change.spec.get("completionMode") == "Indexed":
            continue  # an elastic Job may be made smaller
        value = change.after.get(name) or 0
        if value < (change.before.get(name) or 0):
            found.append(invalid(f"status.{name}", value, f"cannot decrease the {name} counter"))
    time, start = change.after.get("completionTime"), change.before.get("startTime")
    if time and change.before.get("completionTime") and change.changed("completionTime"):
        found.append(invalid("status.completionTime", time, "completionTime cannot be mutated"))
    if start and change.changed("startTime") and not change.spec.get("suspend"):
        found.append(required("status.startTime", "startTime cannot be removed for unsuspended job"))
    if is_condition_true(change.old, "SuccessCriteriaMet") and not change.true("SuccessCriteriaMet"):
        text = "cannot disable the SuccessCriteriaMet=True condition"
        found.append(invalid_without_value(_CONDITIONS, text))
    elif "Complete" in was and change.changed("SuccessCriteriaMet"):
        text = "cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"
        found.append(invalid_without_value(_CONDITIONS, text))
    return found
