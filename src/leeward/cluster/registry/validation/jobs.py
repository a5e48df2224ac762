"""Jobs and CronJobs.

Source: pkg/apis/batch/validation/validation.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

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
from leeward.cluster.registry.validation.formats import (
    dns_label,
    dns_subdomain,
    each_failure,
    label_selector_failures,
    not_negative,
    qualified_name,
)
from leeward.cluster.registry.validation.pods import template_failures
from leeward.cluster.registry.validation.workloads import mismatch_failures
from leeward.kube.objects import Obj

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_UID = "batch.kubernetes.io/controller-uid"
_MODES = ("NonIndexed", "Indexed")
_ACTIONS = ("Count", "FailIndex", "FailJob", "Ignore")
_STATUSES = ("False", "True", "Unknown")
_NUMBERS = (
    "parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished",
    "backoffLimitPerIndex",
)  # fmt: skip
_MANY = 100_000
_NEEDS_INDEX = "requires indexed completion mode"


def job_failures(obj: Obj) -> list[Failure]:
    """Check a Job."""
    spec = obj.get("spec") or {}
    found = _generated(spec, obj["metadata"].get("uid"))
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
        wrong = dns_label(f"{name}-{completions - 1}")
        if wrong:
            text = f"will not able to create pod with invalid DNS label: {'; '.join(wrong)}"
            found.append(invalid("metadata.name", name, text))
    return found


def _generated(spec: Obj, uid: str | None) -> list[Failure]:
    """Check that a selector that is the server's business was made by the server."""
    selector = spec.get("selector")
    if spec.get("manualSelector") or selector is None:
        return []
    if selector == {"matchLabels": {_UID: uid}}:
        return []
    return [invalid("spec.selector", selector, "`selector` not auto-generated")]


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
        for name in ("backoffLimitPerIndex", "maxFailedIndexes"):
            if spec.get(name) is not None:
                found.append(invalid(f"{field}.{name}", spec[name], _NEEDS_INDEX))
        return found
    completions, parallelism = spec.get("completions"), spec.get("parallelism")
    if completions is None:
        found.append(required(f"{field}.completions", "when completion mode is Indexed"))
    if parallelism is not None and parallelism > _MANY:
        text = f"must be less than or equal to {_MANY} when completion mode is Indexed"
        found.append(invalid(f"{field}.parallelism", parallelism, text))
    if failed is not None:
        if completions is not None and failed > completions:
            text = "must be less than or equal to completions"
            found.append(invalid(f"{field}.maxFailedIndexes", failed, text))
        if failed > _MANY:
            found.append(
                invalid(f"{field}.maxFailedIndexes", failed, f"must be less than or equal to {_MANY}")
            )
    return found


def _failure_policy(spec: Obj, field: str) -> list[Failure]:
    rules = spec["podFailurePolicy"].get("rules") or ()
    if len(rules) > 20:
        return [too_many(f"{field}.rules", len(rules), 20)]
    pod = (spec.get("template") or {}).get("spec") or {}
    names = {each.get("name") for kind in ("containers", "initContainers") for each in pod.get(kind) or ()}
    found: list[Failure] = []
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
    if len(conditions) > 20:
        return [too_many(field, len(conditions), 20)]
    found: list[Failure] = []
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
    if not rules:
        text = "at least one rules must be specified when the successPolicy is specified"
        return [required(f"{field}.rules", text)]
    if len(rules) > 20:
        return [too_many(f"{field}.rules", len(rules), 20)]
    found: list[Failure] = []
    for index, rule in enumerate(rules):
        place, count, indexes = (
            f"{field}.rules[{index}]",
            rule.get("succeededCount"),
            rule.get("succeededIndexes"),
        )
        if count is None and indexes is None:
            text = "at least one of succeededCount or succeededIndexes must be specified"
            found.append(required(place, text))
        completions = spec.get("completions")
        if count is not None:
            found += not_negative(count, f"{place}.succeededCount")
            if completions is not None and count > completions:
                text = f"must be less than or equal to {completions} (the number of specified completions)"
                found.append(invalid(f"{place}.succeededCount", count, text))
    return found


def job_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check what may change of a Job: its template's scheduling while it is suspended."""
    after, before = new["spec"], old["spec"]
    found: list[Failure] = []
    if not _may_complete_otherwise(after, before):
        found.append(invalid("spec.completions", after.get("completions"), "field is immutable"))
    if after.get("selector") != before.get("selector"):
        found.append(invalid("spec.selector", after.get("selector"), "field is immutable"))
    if _template_face(after, before) != before.get("template"):
        found.append(invalid("spec.template", after.get("template"), "field is immutable"))
    for name in (
        "completionMode", "podFailurePolicy", "backoffLimitPerIndex", "managedBy", "successPolicy",
    ):  # fmt: skip
        if after.get(name) != before.get(name):
            found.append(invalid(f"spec.{name}", after.get(name), "field is immutable"))
    return found


def _may_complete_otherwise(after: Obj, before: Obj) -> bool:
    """An elastic indexed Job changes completions together with parallelism."""
    if after.get("completions") == before.get("completions"):
        return True
    return before.get("completionMode") == "Indexed" and after.get("completions") == after.get("parallelism")


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


def cron_job_failures(obj: Obj) -> list[Failure]:
    """Check a CronJob."""
    spec, name = obj.get("spec") or {}, obj["metadata"].get("name") or ""
    found: list[Failure] = []
    schedule = spec.get("schedule") or ""
    if not schedule:
        found.append(required("spec.schedule"))
    else:
        found += _schedule_failures(schedule, spec.get("timeZone"))
    found += not_negative(spec.get("startingDeadlineSeconds"), "spec.startingDeadlineSeconds")
    found += _zone_failures(spec.get("timeZone"), "spec.timeZone")
    policy = spec.get("concurrencyPolicy") or ""
    policies = ("Allow", "Forbid", "Replace")
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
    if len(name) > 52:
        found.append(invalid("metadata.name", name, "must be no more than 52 characters"))
    return found


def _schedule_failures(schedule: str, zone: Any) -> list[Failure]:
    place = "spec.schedule"
    if "TZ" in schedule:
        text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"
        return [invalid(place, schedule, text)]
    if schedule.startswith("@"):
        known = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
        if schedule in known or schedule.startswith("@every "):
            return []
        return [invalid(place, schedule, f"unrecognized descriptor: {schedule}")]
    fields = schedule.split()
    if len(fields) != 5:
        text = f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]"
        return [invalid(place, schedule, text)]
    try:
        CronSim(schedule.replace("?", "*"), _EPOCH)
    except CronSimError as error:
        return [invalid(place, schedule, str(error))]
    return []


def _zone_failures(zone: Any, field: str) -> list[Failure]:
    if zone is None:
        return []
    if not zone:
        return [invalid(field, zone, "timeZone must be nil or non-empty string")]
    if zone.lower() == "local":
        text = "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"
        return [invalid(field, zone, text)]
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [invalid(field, zone, f"unknown time zone {zone}")]
    return []
