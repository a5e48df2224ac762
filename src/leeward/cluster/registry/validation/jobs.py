"""Jobs and CronJobs.

Source: pkg/apis/batch/validation/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    GoStruct,
    duplicate,
    go_struct,
    invalid,
    invalid_without_value,
    required,
    too_long,
    too_many,
    unsupported,
)
from leeward.cluster.registry.validation.cron import is_zone, schedule_problem
from leeward.cluster.registry.validation.formats import (
    dns_label,
    dns_subdomain,
    each_failure,
    label_selector_failures,
    not_negative,
    qualified_name,
)
from leeward.cluster.registry.validation.indexes import IndexListError, parse_intervals
from leeward.cluster.registry.validation.pods import template_failures
from leeward.cluster.registry.validation.workloads import mismatch_failures
from leeward.kube.objects import Obj
from leeward.kube.selectors import matches_selector

_IMMUTABLE = "field is immutable"
_MAX_LIST = 64 * 1024  # of indexes, as text
_GENERATED = (
    "controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
)  # fmt: skip
_MODES = ("NonIndexed", "Indexed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_NUMBERS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
)  # fmt: skip
_MANY = 100_000
_FEW = 10_000
_NEEDS_INDEX = "requires indexed completion mode"


def job_failures(obj: Obj) -> list[Failure]:
    """Check a Job."""
    spec = obj.get("spec") or {}
    found = _generated(obj)
    found += job_spec_failures(spec, "spec")
    selector = spec.get("selector")
    if selector is None:
        found.append(required("spec.selector"))
    else:
        found += label_selector_failures(selector, "spec.selector")
    if spec.get("template") is not None:
        found += mismatch_failures(spec)
    completions = spec.get("completions")
    if spec.get("completionMode") == "Indexed" and completions:
        name = obj["metadata"]["name"]
        longest = f"{name}-{completions - 1}"
        if dns_label(longest):
            text = f"will not able to create pod with invalid DNS label: {longest}"
            found.append(invalid("metadata.name", name, text))
    return found


def _generated(obj: Obj) -> list[Failure]:
    """Check that labels and selector that are the server's business were made by the server."""
    spec, meta = obj.get("spec") or {}, obj["metadata"]
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    expected = dict(
        zip(_GENERATED, (meta.get("uid"), meta["name"], meta.get("uid"), meta["name"]), strict=True)
    )
    found: list[Failure] = []
    for name, value in expected.items():
        place, text = f"spec.template.metadata.labels[{name}]", f"must be '{value}'"
        if name not in labels:
            found.append(required(place, text))
        elif labels[name] != value:
            found.append(invalid(place, labels, text))
    if not matches_selector(selector, expected):
        found.append(invalid("spec.selector", selector, "`selector` not auto-generated"))
    return found


def job_spec_failures(spec: Obj, field: str) -> list[Failure]:
    """Check ``spec`` of a Job or of a CronJob's template of one."""
    found = [f for name in _NUMBERS for f in not_negative(spec.get(name), f"{field}.{name}")]
    failed = spec.get("maxFailedIndexes")
    if failed is not None:
        found += not_negative(failed, f"{field}.maxFailedIndexes")
        if spec.get("backoffLimitPerIndex") is None:
            text = "when maxFailedIndexes is specified"
            found.append(required(f"{field}.backoffLimitPerIndex", text))
    found += _managed_by(spec.get("managedBy"), f"{field}.managedBy")
    found += _completion_failures(spec, field)
    if spec.get("podFailurePolicy") is not None:
        found += _failure_policy(spec, f"{field}.podFailurePolicy")
    found += _success_policy(spec, f"{field}.successPolicy")
    replacement = spec.get("podReplacementPolicy")
    kinds = ("Failed",) if spec.get("podFailurePolicy") is not None else ("Failed", "TerminatingOrFailed")
    if replacement is not None and replacement not in kinds:
        found.append(unsupported(f"{field}.podReplacementPolicy", replacement, kinds))
    template = spec.get("template")
    if template is None:
        return [*found, required(f"{field}.template")]
    found += template_failures(template, f"{field}.template")
    return found + _restart_failures(spec, f"{field}.template.spec.restartPolicy")


def _managed_by(value: Any, field: str) -> list[Failure]:
    if value is None:
        return []
    domain, slash, path = value.partition("/")
    if not slash or not domain or not path or dns_subdomain(domain):
        return [invalid(field, value, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    return [too_long(field, 63)] if len(value) > 63 else []


def _restart_failures(spec: Obj, field: str) -> list[Failure]:
    policy = (spec["template"].get("spec") or {}).get("restartPolicy") or ""
    if policy in ("", "Always"):
        return [required(field, 'valid values: "OnFailure", "Never"')]
    if policy not in ("OnFailure", "Never"):
        return [unsupported(field, policy, ("OnFailure", "Never"))]
    if spec.get("podFailurePolicy") is not None and policy != "Never":
        text = 'only "Never" is supported when podFailurePolicy is specified'
        return [invalid(field, policy, text)]
    return []


def _completion_failures(spec: Obj, field: str) -> list[Failure]:
    mode, failed = spec.get("completionMode"), spec.get("maxFailedIndexes")
    found: list[Failure] = []
    if mode is not None and mode not in _MODES:
        found.append(unsupported(f"{field}.completionMode", mode, _MODES))
    if mode != "Indexed":
        return found + [
            invalid(f"{field}.{name}", spec[name], _NEEDS_INDEX)
            for name in ("backoffLimitPerIndex", "maxFailedIndexes")
            if spec.get(name) is not None
        ]
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions is None:
        found.append(required(f"{field}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _MANY:
        text = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        found.append(invalid(f"{field}.parallelism", parallelism, text))
    if failed is not None and completions is not None and failed > completions:
        text = "must be less than or equal to completions"
        found.append(invalid(f"{field}.maxFailedIndexes", failed, text))
    if failed is not None and failed > _MANY:
        found.append(invalid(f"{field}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}"))
    if completions is not None and completions > _MANY and spec.get("backoffLimitPerIndex") is not None:
        found += _many_indexes(spec, field)
    return found


def _many_indexes(spec: Obj, field: str) -> list[Failure]:
    """Check that the failed ones of very many indexes can be listed."""
    found: list[Failure] = []
    if spec.get("maxFailedIndexes") is None:
        text = f"must be specified when completions is above {_MANY}"
        found.append(required(f"{field}.maxFailedIndexes", text))
    text = (
        f"must be less than or equal to {_FEW} when completions are above {_MANY} and used with backoff limit"
    )
    return found + [
        invalid(f"{field}.{name}", spec[name], f"{text} per index")
        for name in ("parallelism", "maxFailedIndexes")
        if (spec.get(name) or 0) > _FEW
    ]


def _failure_policy(spec: Obj, field: str) -> list[Failure]:
    rules = spec["podFailurePolicy"].get("rules") or ()
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {each.get("name") for kind in ("containers", "initContainers") for each in pod.get(kind) or ()}
    found = [too_many(f"{field}.rules", len(rules), 20)] if len(rules) > 20 else []
    for index, rule in enumerate(rules):
        place = f"{field}.rules[{index}]"
        action = rule.get("action") or ""
        if action not in _ACTIONS:
            found.append(
                unsupported(f"{place}.action", action, _ACTIONS) if action else required(f"{place}.action")
            )
        elif action == "FailIndex" and spec.get("backoffLimitPerIndex") is None:
            text = "requires the backoffLimitPerIndex to be set"
            found.append(invalid(f"{place}.action", action, text))
        codes, conditions = rule.get("onExitCodes"), rule.get("onPodConditions") or ()
        if codes is not None:
            found += _exit_codes(codes, names, f"{place}.onExitCodes")
        found += _pod_conditions(conditions, f"{place}.onPodConditions")
        if codes is not None and conditions:
            text = "specifying both OnExitCodes and OnPodConditions is not supported"
            found.append(invalid_without_value(place, text))
        if codes is None and not conditions:
            text = "specifying one of OnExitCodes and OnPodConditions is required"
            found.append(invalid_without_value(place, text))
    return found


def _exit_codes(codes: Obj, names: set[Any], field: str) -> list[Failure]:
    operator, values, name = (
        codes.get("operator") or "",
        codes.get("values") or [],
        codes.get("containerName"),
    )
    found: list[Failure] = []
    if operator not in ("In", "NotIn"):
        place = f"{field}.operator"
        found.append(unsupported(place, operator, ("In", "NotIn")) if operator else required(place))
    if name is not None and name not in names:
        text = "must be one of the container or initContainer names in the pod template"
        found.append(invalid(f"{field}.containerName", name, text))
    if not values:
        found.append(invalid(f"{field}.values", values, "at least one value is required"))
    elif len(values) > 255:
        found.append(too_many(f"{field}.values", len(values), 255))
    seen: set[int] = set()
    for index, value in enumerate(values):
        if value == 0 and operator == "In":
            found.append(invalid(f"{field}.values[{index}]", value, "must not be 0 for the In operator"))
        if value in seen:
            found.append(duplicate(f"{field}.values[{index}]", value))
        seen.add(value)
    if list(values) != sorted(values):
        found.append(invalid(f"{field}.values", values, "must be ordered"))
    return found


def _pod_conditions(conditions: Sequence[Obj], field: str) -> list[Failure]:
    found = [too_many(field, len(conditions), 20)] if len(conditions) > 20 else []
    for index, condition in enumerate(conditions):
        place, status = f"{field}[{index}]", condition.get("status") or ""
        found += each_failure(qualified_name, condition.get("type") or "", f"{place}.type")
        if status not in _STATUSES:
            found.append(
                unsupported(f"{place}.status", status, _STATUSES) if status else required(f"{place}.status")
            )
    return found


def _success_policy(spec: Obj, field: str) -> list[Failure]:
    policy = spec.get("successPolicy")
    if policy is None:
        return []
    rules = policy.get("rules") or []
    if spec.get("completionMode") != "Indexed":
        shown = [go_struct(rule, SucceededIndexes=None, SucceededCount=None) for rule in rules]
        return [invalid(field, GoStruct(Rules=shown), _NEEDS_INDEX)]
    found: list[Failure] = []
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        found.append(required(f"{field}.rules", text))
    if len(rules) > 20:
        found.append(too_many(f"{field}.rules", len(rules), 20))
    completions = spec.get("completions") or 0
    for index, rule in enumerate(rules):
        found += _success_rule(rule, completions, f"{field}.rules[{index}]")
    return found


def _success_rule(rule: Obj, completions: int, place: str) -> list[Failure]:
    count, indexes = rule.get("succeededCount"), rule.get("succeededIndexes")
    found: list[Failure] = []
    if count is None and indexes is None:
        text = "at least one of succeededCount or succeededIndexes must be specified"
        found.append(required(place, text))
    total = 0
    if indexes is not None:
        if len(indexes) > _MAX_LIST:
            found.append(too_long(f"{place}.succeededIndexes", _MAX_LIST))
        try:
            total = sum(last - first + 1 for first, last in parse_intervals(indexes, completions))
        except IndexListError as error:
            text = f"error parsing succeededIndexes: {error}"
            found.append(invalid(f"{place}.succeededIndexes", indexes, text))
    if count is None:
        return found
    place = f"{place}.succeededCount"
    found += not_negative(count, place)
    least = "must be less than or equal to"
    if count > completions:
        found.append(invalid(place, count, f"{least} {completions} (the number of specified completions)"))
    if indexes is not None and count > total:
        text = f"{least} {total} (the number of indexes in the specified succeededIndexes field)"
        found.append(invalid(place, count, text))
    return found


_FIXED = ("completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy")


def job_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what may change of a Job: its template's scheduling while it is suspended."""
    after, before = new["spec"], old["spec"]
    found = _completions_update(after, before)
    if after.get("selector") != before.get("selector"):
        found.append(invalid("spec.selector", after.get("selector"), _IMMUTABLE))
    if _template_face(after, before) != before.get("template"):
        found.append(invalid("spec.template", after.get("template"), _IMMUTABLE))
    return found + [
        invalid(f"spec.{name}", after.get(name), _IMMUTABLE)
        for name in _FIXED
        if after.get(name) != before.get(name)
    ]


def _completions_update(after: Obj, before: Obj) -> list[Failure]:
    """An elastic indexed Job changes completions together with parallelism."""
    wanted = after.get("completions")
    if wanted == before.get("completions"):
        return []
    if after.get("completionMode") != "Indexed":
        return [invalid("spec.completions", wanted, _IMMUTABLE)]
    if wanted is None or wanted == after.get("parallelism"):
        return []
    text = "can only be modified in tandem with spec.parallelism"
    return [invalid("spec.completions", wanted, text)]


def _template_face(after: Obj, before: Obj) -> Any:
    """Return the new template with what a suspended Job may change as it was."""
    template, old = after.get("template"), before.get("template")
    if not before.get("suspend") or not isinstance(template, dict) or not isinstance(old, dict):
        return template
    spec, was = dict(template.get("spec") or {}), old.get("spec") or {}
    for name in ("nodeSelector", "tolerations", "schedulingGates", "affinity"):
        spec.pop(name, None)
        if name in was:
            spec[name] = was[name]
    face = {**template, "spec": spec}
    if "metadata" in old:
        face["metadata"] = old["metadata"]
    return face


def cron_job_create_failures(obj: Obj) -> list[Failure]:
    """Check a new CronJob, whose name has to leave room for its Jobs'."""
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    found = cron_job_failures(obj)
    if "TZ" in (spec.get("schedule") or ""):
        found.append(invalid("spec.schedule", spec["schedule"], _ZONE_IN_SCHEDULE))
    found += _zone_failures(spec.get("timeZone"), "spec.timeZone")
    if len(name) > 52:
        found.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return sorted(found, key=lambda each: _FIELDS.get(each.field, len(_FIELDS)))


def cron_job_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what is new: a zone in a schedule may stay, but not come."""
    after, before = new["spec"], old["spec"]
    schedule, zone = after.get("schedule") or "", after.get("timeZone")
    found: list[Failure] = []
    if "TZ" in schedule and "TZ" not in (before.get("schedule") or ""):
        found.append(invalid("spec.schedule", schedule, _ZONE_IN_SCHEDULE))
    elif "TZ" in schedule and zone is not None:
        text = "cannot use both timeZone field and TZ or CRON_TZ in schedule"
        found.append(invalid("spec.schedule", schedule, text))
    return found if zone == before.get("timeZone") else found + _zone_failures(zone, "spec.timeZone")


_ZONE_IN_SCHEDULE = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
_FIELDS = {"spec.schedule": 0, "spec.startingDeadlineSeconds": 1, "spec.timeZone": 2}  # in upstream's order


def cron_job_failures(obj: Obj) -> list[Failure]:
    """Check a CronJob, new or changed."""
    spec = obj.get("spec") or {}
    schedule = spec.get("schedule") or ""
    problem = schedule_problem(schedule) if schedule else ""
    found = [] if schedule else [required("spec.schedule")]
    if problem:
        found.append(invalid("spec.schedule", schedule, problem))
    found += not_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    policy, policies = spec.get("concurrencyPolicy") or "", ("Allow", "Forbid", "Replace")
    if policy not in policies:
        place = "spec.concurrencyPolicy"
        found.append(unsupported(place, policy, policies) if policy else required(place))
    job = (spec.get("jobTemplate") or {}).get("spec") or {}
    found += job_spec_failures(job, "spec.jobTemplate.spec")
    if job.get("selector") is not None:
        text = "`selector` will be auto-generated"
        found.append(invalid("spec.jobTemplate.spec.selector", job["selector"], text))
    if job.get("manualSelector"):
        found.append(unsupported("spec.jobTemplate.spec.manualSelector", True, ("nil", "false")))
    for limit in ("successfulJobsHistoryLimit", "failedJobsHistoryLimit"):
        found += not_negative(spec.get(limit), f"spec.{limit}")
    return found


_ZONE_PART = re.compile(r"[A-Za-z.\-_0-9+]{1,14}")


def _zone_failures(zone: Any, field: str) -> list[Failure]:
    if zone is None:
        return []
    if not zone:
        return [invalid(field, zone, "timeZone must be nil or non-empty string")]
    parts = zone.split("/")
    odd = any(part in (".", "..") or part.startswith("-") or not _ZONE_PART.fullmatch(part) for part in parts)
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(field, zone, text)]
    return [invalid(field, zone, f"unknown time zone {zone}")] if odd or not is_zone(zone) else []
