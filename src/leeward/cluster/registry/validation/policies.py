"""Budgets, autoscalers, limit ranges, quotas, priority and runtime classes.

Source: pkg/apis/{policy,autoscaling,scheduling,node}/validation, pkg/apis/core/validation/validation.go
ValidateLimitRange, ValidateResourceQuota (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from leeward.cluster.registry.validation.formats import (
    dns_label,
    each_failure,
    label_failures,
    label_selector_failures,
    path_segment,
    qualified_name,
)
from leeward.cluster.registry.validation.resources import (
    amount,
    canonical,
    container_name_failures,
    name_failures,
    requirement_failures,
    value_failures,
)
from leeward.cluster.registry.validation.scheduling import toleration_failures
from leeward.cluster.registry.validation.workloads import amount_failures
from leeward.kube.objects import Obj

_IMMUTABLE = "field is immutable"


def budget_failures(obj: Obj) -> list[Failure]:
    """Check a PodDisruptionBudget."""
    spec = obj.get("spec") or {}
    found: list[Failure] = []
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if least is not None and most is not None:
        text = "minAvailable and maxUnavailable cannot be both set"
        found.append(invalid("spec", {"MinAvailable": least, "MaxUnavailable": most}, text))
    for name, value in (("minAvailable", least), ("maxUnavailable", most)):
        if value is not None:
            found += amount_failures(value, f"spec.{name}")
            if (
                isinstance(value, str)
                and value.endswith("%")
                and value[:-1].isdigit()
                and int(value[:-1]) > 100
            ):
                found.append(invalid(f"spec.{name}", value, "must not be greater than 100%"))
    found += label_selector_failures(spec.get("selector"), "spec.selector")
    policies, policy = ("AlwaysAllow", "IfHealthyBudget"), spec.get("unhealthyPodEvictionPolicy")
    if policy is not None and policy not in policies:
        found.append(unsupported("spec.unhealthyPodEvictionPolicy", policy, policies))
    return found


_METRICS = ("ContainerResource", "External", "Object", "Pods", "Resource")
_TARGETS = ("AverageValue", "Utilization", "Value")
_SOURCES = {
    "ContainerResource": "containerResource", "External": "external", "Object": "object", "Pods": "pods",
    "Resource": "resource",
}  # fmt: skip
_MAX_WINDOW = 3600
_MAX_PERIOD = 1800


def autoscaler_failures(obj: Obj) -> list[Failure]:
    """Check a HorizontalPodAutoscaler."""
    spec = obj.get("spec") or {}
    least, most, metrics = spec.get("minReplicas"), spec.get("maxReplicas") or 0, spec.get("metrics") or ()
    found: list[Failure] = []
    if least is not None and least < 1:
        found.append(invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        found.append(required("spec.maxReplicas", "must be set and greater than 0"))
    if least is not None and most < least:
        text = "must be greater than or equal to `minReplicas`"
        found.append(invalid("spec.maxReplicas", most, text))
    found += _scale_target(spec.get("scaleTargetRef") or {}, "spec.scaleTargetRef")
    for index, metric in enumerate(metrics):
        found += _metric(metric, f"spec.metrics[{index}]")
    if least == 0 and not any(each.get("type") in ("Object", "External") for each in metrics):
        text = "must specify at least one Object or External metric to support scaling to zero replicas"
        found.append(forbidden("spec.metrics", text))
    behavior = spec.get("behavior") or {}
    for direction in ("scaleUp", "scaleDown"):
        if behavior.get(direction) is not None:
            found += _scaling(behavior[direction], f"spec.behavior.{direction}")
    return found


def _scale_target(ref: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for name in ("kind", "name"):
        value, place = ref.get(name) or "", f"{field}.{name}"
        found += each_failure(path_segment, value, place) if value else [required(place)]
    version = ref.get("apiVersion") or ""
    if "/" not in version and version != "v1":
        text = "apiVersion must specify API group"
        found.append(invalid(f"{field}.apiVersion", version, text))
    return found


def _metric(metric: Obj, field: str) -> list[Failure]:
    kind = metric.get("type") or ""
    if not kind:
        return [required(f"{field}.type", "must specify a metric source type")]
    if kind not in _METRICS:
        return [unsupported(f"{field}.type", kind, _METRICS)] * 2  # upstream says it twice
    expected = _SOURCES[kind]
    found: list[Failure] = []
    for name in ("object", "external", "pods", "resource", "containerResource"):
        if metric.get(name) is None or name == expected:
            continue
        text = "must populate the given metric source only"
        found.append(forbidden(f"{field}.{name}", text))
    source, place = metric.get(expected), f"{field}.{expected}"
    if source is None:
        return [*found, required(place, "must populate information for the given metric source")]
    if kind in ("Resource", "ContainerResource"):
        return found + _resource_metric(source, place, kind)
    return found + _custom_metric(source, place, kind)


def _resource_metric(source: Obj, field: str, kind: str) -> list[Failure]:
    found: list[Failure] = []
    if not source.get("name"):
        found.append(required(f"{field}.name", "must specify a resource name"))
    if kind == "ContainerResource" and not source.get("container"):
        found.append(required(f"{field}.container", "must specify a container"))
    target, place = source.get("target") or {}, f"{field}.target"
    found += _target(target, place)
    share, value = target.get("averageUtilization"), target.get("averageValue")
    if share is None and value is None:
        text = "must set either a target raw value or a target utilization"
        found.append(required(f"{place}.averageUtilization", text))
    if share is not None and value is not None:
        text = "may not set both a target raw value and a target utilization"
        found.append(forbidden(f"{place}.averageValue", text))
    return found


def _custom_metric(source: Obj, field: str, kind: str) -> list[Failure]:
    found: list[Failure] = []
    if kind == "Object":
        found += _scale_target(source.get("describedObject") or {}, f"{field}.describedObject")
    metric = source.get("metric") or {}
    name, place = metric.get("name") or "", f"{field}.metric.name"
    found += (
        each_failure(path_segment, name, place) if name else [required(place, "must specify a metric name")]
    )
    target, place = source.get("target") or {}, f"{field}.target"
    found += _target(target, place)
    value, average = target.get("value"), target.get("averageValue")
    if kind == "Pods":
        if average is None:
            found.append(required(f"{place}.averageValue", "must specify a positive target averageValue"))
        return found
    if value is None and average is None:
        text = "must set either a target value or averageValue"
        found.append(required(f"{place}.averageValue", text))
    if kind == "External" and value is not None and average is not None:
        text = "may not set both a target value for metric and a per-pod target"
        found.append(forbidden(f"{place}.value", text))
    return found


def _target(target: Obj, field: str) -> list[Failure]:
    kind = target.get("type") or ""
    found: list[Failure] = []
    if not kind:
        found.append(required(f"{field}.type", "must specify a metric target type"))
    elif kind not in _TARGETS:
        text = "must be either Utilization, Value, or AverageValue"
        found.append(invalid(f"{field}.type", kind, text))
    for name in ("value", "averageValue"):
        number = amount(target[name]) if target.get(name) is not None else None
        if number is not None and number <= 0:
            found.append(invalid(f"{field}.{name}", str(target[name]), "must be positive"))
    share = target.get("averageUtilization")
    if share is not None and share < 1:
        found.append(invalid(f"{field}.averageUtilization", share, "must be greater than 0"))
    return found


def _scaling(rules: Obj, field: str) -> list[Failure]:
    window, select = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy")
    found: list[Failure] = []
    if window is not None:
        place = f"{field}.stabilizationWindowSeconds"
        if window < 0:
            found.append(invalid(place, window, "must be greater than or equal to zero"))
        if window > _MAX_WINDOW:
            found.append(invalid(place, window, f"must be less than or equal to {_MAX_WINDOW}"))
    supported = ("Disabled", "Max", "Min")
    if select is not None and select not in supported:
        found.append(unsupported(f"{field}.selectPolicy", select, supported))
    policies = rules.get("policies") or ()
    if not policies:
        found.append(required(f"{field}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies):
        found += _scaling_policy(policy, f"{field}.policies[{index}]")
    return found


def _scaling_policy(policy: Obj, field: str) -> list[Failure]:
    kind, value, period = (policy.get(name) for name in ("type", "value", "periodSeconds"))
    found: list[Failure] = []
    if kind not in ("Percent", "Pods"):
        found.append(unsupported(f"{field}.type", kind or "", ("Percent", "Pods")))
    if (value or 0) <= 0:
        found.append(invalid(f"{field}.value", value or 0, "must be greater than zero"))
    if not period or period < 0:
        found.append(invalid(f"{field}.periodSeconds", period or 0, "must be greater than zero"))
    elif period > _MAX_PERIOD:
        text = f"must be less than or equal to {_MAX_PERIOD}"
        found.append(invalid(f"{field}.periodSeconds", period, text))
    return found


# Limit ranges -------------------------------------------------------------------------------------

_LIMITED = ("Pod", "Container", "PersistentVolumeClaim")


def limit_range_failures(obj: Obj) -> list[Failure]:
    """Check a LimitRange."""
    found: list[Failure] = []
    kinds: set[str] = set()
    for index, limit in enumerate((obj.get("spec") or {}).get("limits") or ()):
        place, kind = f"spec.limits[{index}]", limit.get("type") or ""
        found += _limit_type(kind, f"{place}.type")
        if kind in kinds:
            found.append(duplicate(f"{place}.type", kind))
        kinds.add(kind)
        found += _limit(limit, kind, place)
    return found


def _limit_type(kind: str, field: str) -> list[Failure]:
    found = each_failure(qualified_name, kind, field)
    if not found and "/" not in kind and kind not in _LIMITED:
        found.append(invalid(field, kind, "must be a standard limit type or fully qualified"))
    return found


def _limit(limit: Obj, kind: str, field: str) -> list[Failure]:
    check = container_name_failures if kind in ("Pod", "Container") else name_failures
    found = _names(limit, ("max", "min"), field, check)
    defaults = ("default", "defaultRequest")
    if kind == "Pod":
        text = "may not be specified when `type` is 'Pod'"
        found += [forbidden(f"{field}.{part}", text) for part in defaults if limit.get(part)]
    else:
        found += _names(limit, defaults, field, check)
    storage = any("storage" in (limit.get(part) or {}) for part in ("min", "max"))
    if kind == "PersistentVolumeClaim" and not storage:
        text = "either minimum or maximum storage value is required, but neither was provided"
        found.append(required(f"{field}.limits", text))
    found += _names(limit, ("maxLimitRequestRatio",), field, check)
    parts = ("max", "min", *(() if kind == "Pod" else defaults), "maxLimitRequestRatio")
    for name in dict.fromkeys(name for part in parts for name in limit.get(part) or {}):
        found += _relations(limit, name, field)
    return found


def _names(
    limit: Obj, parts: Sequence[str], field: str, check: Callable[[str, str], list[Failure]]
) -> list[Failure]:
    return [
        failure
        for part in parts
        for name in limit.get(part) or {}
        for failure in check(name, f"{field}.{part}[{name}]")
    ]


_RELATIONS = (  # where it is told, what is less, what is more, which of the two is shown
    ("min", "min", "max", "min"),
    ("defaultRequest", "min", "defaultRequest", "defaultRequest"),
    ("defaultRequest", "defaultRequest", "max", "defaultRequest"),
    ("defaultRequest", "defaultRequest", "default", "defaultRequest"),
    ("default", "min", "default", "min"),
    ("default", "default", "max", "max"),
)
_WORDS = {"min": "min", "max": "max", "default": "default", "defaultRequest": "default request"}


def _relations(limit: Obj, name: str, field: str) -> list[Failure]:
    """Check that minimum, default request, default and maximum of one resource are in this order."""
    given = {part: (limit.get(part) or {}).get(name) for part in ("min", "max", "default", "defaultRequest")}
    amounts = {part: None if value is None else amount(value) for part, value in given.items()}
    found: list[Failure] = []
    for at, low, high, shown in _RELATIONS:
        less, more = amounts[low], amounts[high]
        if less is None or more is None or less <= more:
            continue
        word = "default limit" if (low, high) == ("defaultRequest", "default") else _WORDS[high]
        less_value, more_value = canonical(given[low]), canonical(given[high])
        text = f"{_WORDS[low]} value {less_value} is greater than {word} value {more_value}"
        found.append(invalid(f"{field}.{at}[{name}]", canonical(given[shown]), text))
    ratio = (limit.get("maxLimitRequestRatio") or {}).get(name)
    number = None if ratio is None else amount(ratio)
    if number is None:
        return found
    place = f"{field}.maxLimitRequestRatio[{name}]"
    if number < 1:
        found.append(invalid(place, canonical(ratio), f"ratio {canonical(ratio)} is less than 1"))
    least, most = amounts["min"], amounts["max"]
    if least and most is not None and number > most / least:
        text = f"ratio {ratio} is greater than max/min = {float(most / least):f}"
        found.append(invalid(place, str(ratio), text))
    return found


# Quotas -------------------------------------------------------------------------------------------

_SCOPES = (
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "PriorityClass",
    "CrossNamespacePodAffinity", "VolumeAttributesClass",
)  # fmt: skip
_OF_QUOTA = frozenset(
    (
        "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods",
        "resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims",
        "configmaps", "services.nodeports", "services.loadbalancers",
    )
)  # fmt: skip
_BEST_EFFORT = frozenset(("pods",))
_OF_PODS = frozenset(
    (
        "pods", "cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory",
        "requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage",
    )
)  # fmt: skip
_EXISTENCE = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
    "ResourceQuotaScopeCrossNamespacePodAffinity"
)


def quota_failures(obj: Obj) -> list[Failure]:
    """Check a ResourceQuota."""
    spec = obj.get("spec") or {}
    hard = spec.get("hard") or {}
    found: list[Failure] = []
    for name, value in hard.items():
        place = f"spec.hard[{name}]"
        found += _quota_name(name, place) + value_failures(name, value, place)
    found += _scopes(spec.get("scopes") or (), hard, "spec.scopes")
    if spec.get("scopeSelector") is not None:
        found += _scope_selector(spec["scopeSelector"], hard, "spec.scopeSelector.matchExpressions")
    status = obj.get("status") or {}
    for part in ("hard", "used"):
        for name, value in (status.get(part) or {}).items():
            place = f"status.{part}[{name}]"
            found += _quota_name(name, place) + value_failures(name, value, place)
    return found


def _quota_name(name: str, field: str) -> list[Failure]:
    found = name_failures(name, field)
    if "/" in name or name in _OF_QUOTA or qualified_name(name):
        return found
    if name.startswith(("requests.hugepages-", "hugepages-", "limits.hugepages-")):
        return []
    return [*found, invalid(field, name, "must be a standard resource for quota")]


def _scopes(scopes: Sequence[str], hard: Mapping[str, Any], field: str) -> list[Failure]:
    found: list[Failure] = []
    for scope in scopes:
        if scope not in _SCOPES:
            found.append(invalid(field, list(scopes), "unsupported scope"))
        if not _fits(scope, hard):
            found.append(invalid(field, list(scopes), "unsupported scope applied to resource"))
    return found + _conflicts(scopes, list(scopes), field)


def _conflicts(scopes: Sequence[str], shown: object, field: str) -> list[Failure]:
    pairs = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
    return [invalid(field, shown, "conflicting scopes") for pair in pairs if pair <= set(scopes)]


def _fits(scope: str, hard: Mapping[str, Any]) -> bool:
    """Tell whether a scope can be applied to resources; unknown resources are no matter."""
    standard = [name for name in hard if name in _OF_QUOTA]
    if scope == "BestEffort":
        return all(name in _BEST_EFFORT for name in standard)
    if scope in _ONLY_EXISTS or scope == "PriorityClass":
        return all(name in _OF_PODS for name in standard)
    return True


def _scope_selector(selector: Obj, hard: Mapping[str, Any], field: str) -> list[Failure]:
    found: list[Failure] = []
    names: list[str] = []
    for each in selector.get("matchExpressions") or ():
        scope = each.get("scopeName") or ""
        names.append(scope)
        if scope not in _SCOPES:
            found.append(invalid(f"{field}.scopeName", scope, "unsupported scope"))
        if not _fits(scope, hard):
            text = "unsupported scope applied to resource"
            found.append(invalid(field, scope, text))
        found += _scope_operator(scope, each.get("operator") or "", each.get("values") or (), field)
    return found + _conflicts(names, selector, field)


_ONLY_EXISTS = {
    "Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity",
}  # fmt: skip


def _scope_operator(scope: str, operator: str, values: Sequence[str], field: str) -> list[Failure]:
    found: list[Failure] = []
    if scope in _ONLY_EXISTS and operator != "Exists":
        found.append(invalid(f"{field}.operator", operator, _EXISTENCE))
    if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
        found.append(invalid(f"{field}.operator", operator, "not a valid selector operator"))
    elif operator in ("In", "NotIn") and not values:
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        found.append(required(f"{field}.values", text))
    elif operator in ("Exists", "DoesNotExist") and values:
        text = "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector"
        found.append(invalid(f"{field}.values", list(values), text))
    return found


def quota_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a quota keeps its scopes."""
    after, before = ((each.get("spec") or {}).get("scopes") or [] for each in (new, old))
    return [] if sorted(after) == sorted(before) else [invalid("spec.scopes", after, _IMMUTABLE)]


# Classes ------------------------------------------------------------------------------------------

_MAX_PRIORITY = 1_000_000_000
SYSTEM_PRIORITIES = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


def priority_class_failures(obj: Obj) -> list[Failure]:
    """Check a PriorityClass."""
    name, value = obj["metadata"]["name"], obj.get("value") or 0
    found: list[Failure] = []
    if name.startswith("system-"):
        if SYSTEM_PRIORITIES.get(name) != value:
            text = "priority class names with 'system-' prefix are reserved for system use only. error: "
            why = f"{name} is not a known system priority class"
            found.append(forbidden("metadata.name", text + why))
    elif value > _MAX_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {_MAX_PRIORITY}"
        found.append(forbidden("value", text))
    policy, policies = obj.get("preemptionPolicy"), ("PreemptLowerPriority", "Never")
    if policy is not None and policy not in policies:
        found.append(unsupported("preemptionPolicy", policy, policies))
    return found


def priority_class_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a priority stays what it is."""
    found: list[Failure] = []
    if (new.get("value") or 0) != (old.get("value") or 0):
        found.append(forbidden("value", "may not be changed in an update."))
    if new.get("preemptionPolicy") != old.get("preemptionPolicy"):
        found.append(invalid("preemptionPolicy", new.get("preemptionPolicy"), _IMMUTABLE))
    return found


def runtime_class_failures(obj: Obj) -> list[Failure]:
    """Check a RuntimeClass."""
    handler = obj.get("handler") or ""
    found = each_failure(dns_label, handler, "handler") if handler else [required("handler")]
    fixed = (obj.get("overhead") or {}).get("podFixed")
    if fixed:
        found += requirement_failures({"limits": fixed}, "overhead")
    scheduling = obj.get("scheduling") or {}
    found += label_failures(scheduling.get("nodeSelector"), "scheduling.nodeSelector")
    return found + toleration_failures(scheduling.get("tolerations") or (), "scheduling.tolerations")


def runtime_class_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a class keeps its handler."""
    if new.get("handler") == old.get("handler"):
        return []
    return [invalid("handler", new.get("handler"), _IMMUTABLE)]
