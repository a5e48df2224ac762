"""HorizontalPodAutoscalers of autoscaling/v1: one metric in the object, the rest in annotations.

Source: pkg/apis/autoscaling/{annotations.go,v1/conversion.go,v1/defaults.go} (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from leeward.cluster.registry.conversion.version import Version
from leeward.kube.objects import Obj, annotations_of

_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS, _CURRENT = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
_BEHAVIOR, _CONDITIONS = f"{_PREFIX}behavior", f"{_PREFIX}conditions"
_SOURCES = {
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
    "External": "external",
    "ContainerResource": "containerResource",
}
_GO = {  # field names of the behaviour, as the annotation has them
    "scaleUp": "ScaleUp",
    "scaleDown": "ScaleDown",
    "stabilizationWindowSeconds": "StabilizationWindowSeconds",
    "selectPolicy": "SelectPolicy",
    "policies": "Policies",
    "tolerance": "Tolerance",
    "type": "Type",
    "value": "Value",
    "periodSeconds": "PeriodSeconds",
}
_JSON = {go: name for name, go in _GO.items()}
_RULE = ("StabilizationWindowSeconds", "SelectPolicy", "Policies", "Tolerance")


def _default(obj: Obj) -> Obj:
    spec = obj.get("spec") or {}
    return {**obj, "spec": spec if spec.get("minReplicas") is not None else {**spec, "minReplicas": 1}}


def _is_cpu(metric: Obj) -> bool:
    source = metric.get("resource") or {}
    utilization = (source.get("target") or {}).get("averageUtilization")
    return metric.get("type") == "Resource" and source.get("name") == "cpu" and utilization is not None


def from_stored(obj: Obj) -> Obj:
    """Return an autoscaler of v2 as one of v1."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    notes = dict(annotations_of(obj))
    metrics = spec.get("metrics") or []
    cpu = next((each for each in metrics if _is_cpu(each)), None)
    rest = [_old_metric(each, "") for each in metrics if each is not cpu]
    made = {key: spec[key] for key in ("scaleTargetRef", "minReplicas", "maxReplicas") if key in spec}
    if cpu is not None:
        made["targetCPUUtilizationPercentage"] = cpu["resource"]["target"]["averageUtilization"]
    state = {key: status[key] for key in ("observedGeneration", "lastScaleTime") if key in status}
    state |= {key: status.get(key) or 0 for key in ("currentReplicas", "desiredReplicas")}
    current = status.get("currentMetrics") or []
    used = next((_average(each) for each in current if _average(each) is not None), None)
    if used is not None:
        state["currentCPUUtilizationPercentage"] = used
    for key, value in (
        (_METRICS, rest),
        (_CURRENT, [_old_metric(each, "current") for each in current]),
        (_CONDITIONS, status.get("conditions")),
        (_BEHAVIOR, _go_behavior(spec["behavior"]) if spec.get("behavior") else None),
    ):
        if value:
            notes[key] = orjson.dumps(value).decode()
    return {**_noted(obj, notes), "apiVersion": "autoscaling/v1", "spec": made, "status": state}


def to_stored(obj: Obj) -> Obj:
    """Return an autoscaler of v1 as one of v2."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    notes = dict(annotations_of(obj))
    rest, current = _read(notes, _METRICS), _read(notes, _CURRENT)
    conditions, behavior = _read(notes, _CONDITIONS), _read(notes, _BEHAVIOR)
    made = {key: spec[key] for key in ("scaleTargetRef", "minReplicas", "maxReplicas") if key in spec}
    metrics = [_new_metric(each, "") for each in rest] if isinstance(rest, list) else []
    target = spec.get("targetCPUUtilizationPercentage")
    if target is not None:
        cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": target}}
        metrics.insert(0, {"type": "Resource", "resource": cpu})
    if metrics:
        made["metrics"] = metrics
    if isinstance(behavior, dict):
        made["behavior"] = _renamed(behavior, _JSON)
    state = {
        key: status[key]
        for key in ("observedGeneration", "lastScaleTime", "currentReplicas", "desiredReplicas")
        if key in status
    }
    if isinstance(current, list):
        state["currentMetrics"] = [_new_metric(each, "current") for each in current]
    if isinstance(conditions, list):
        state["conditions"] = conditions
    return {**_noted(obj, notes), "apiVersion": "autoscaling/v2", "spec": made, "status": state}


def _read(notes: dict[str, str], key: str) -> Any:
    """Take an annotation out; what cannot be read says nothing."""
    try:
        return orjson.loads(notes.pop(key, "null"))
    except orjson.JSONDecodeError:
        return None


def _noted(obj: Obj, notes: Mapping[str, str]) -> Obj:
    meta = {key: value for key, value in obj["metadata"].items() if key != "annotations"}
    return {**obj, "metadata": {**meta, "annotations": dict(notes)} if notes else meta}


def _average(metric: Obj) -> int | None:
    source = metric.get("resource") or {}
    found: int | None = (source.get("current") or {}).get("averageUtilization")
    return found if source.get("name") == "cpu" else None


def _old_metric(metric: Obj, of: str) -> Obj:
    """Return a metric as v1 has it; `of` is "" for a wanted one, "current" for a present one."""
    name = _SOURCES.get(metric.get("type") or "", "")
    source, prefix = dict(metric.get(name) or {}), of or "target"
    amount = source.pop(of or "target", None) or {}
    measured = source.pop("metric", None) or {}
    if "describedObject" in source:
        source["target"] = source.pop("describedObject")
    if measured.get("name"):
        source["metricName"] = measured["name"]
    if measured.get("selector"):
        source["metricSelector" if name == "external" else "selector"] = measured["selector"]
    shape = _SHAPES[name == "object"]
    for field, old in shape.items():
        if amount.get(field) is not None:
            source[old.format(prefix=prefix)] = amount[field]
    return {"type": metric.get("type"), name: {key: source[key] for key in sorted(source, key=_place)}}


_ORDER = (  # of fields in v1; the annotation is text
    "target", "metricName", "metricSelector", "name", "targetValue", "targetAverageUtilization",
    "targetAverageValue", "currentValue", "currentAverageUtilization", "currentAverageValue", "selector",
    "averageValue", "container",
)  # fmt: skip


def _place(field: str) -> int:
    return _ORDER.index(field) if field in _ORDER else len(_ORDER)


# Fields of an amount in v2, and what they are called in v1; an object's average has no prefix.
_SHAPES: Mapping[bool, Mapping[str, str]] = {
    False: {
        "averageUtilization": "{prefix}AverageUtilization",
        "averageValue": "{prefix}AverageValue",
        "value": "{prefix}Value",
    },
    True: {"value": "{prefix}Value", "averageValue": "averageValue"},
}


def _new_metric(metric: Obj, of: str) -> Obj:
    """Return a metric of v1 as v2 has it."""
    name, prefix = _SOURCES.get(metric.get("type") or "", ""), of or "target"
    source = dict(metric.get(name) or {})
    amount: Obj = {}
    for field, old in _SHAPES[name == "object"].items():
        value = source.pop(old.format(prefix=prefix), None)
        if value is not None:
            amount[field] = value
    if not of:
        kinds = {"averageUtilization": "Utilization", "averageValue": "AverageValue", "value": "Value"}
        amount["type"] = next((kind for field, kind in kinds.items() if field in amount), "")
    measured = {"name": source.pop("metricName")} if "metricName" in source else {}
    selector = source.pop("metricSelector", None) or source.pop("selector", None)
    if selector:
        measured["selector"] = selector
    if name == "object" and "target" in source:
        source["describedObject"] = source.pop("target")
    return {
        "type": metric.get("type"),
        name: {**source, **({"metric": measured} if measured else {}), of or "target": amount},
    }


def _go_behavior(behavior: Obj) -> Obj:
    """Return a behaviour with Go's names, in their order, and null for what is not said."""
    return {
        _GO[direction]: dict.fromkeys(_RULE) | _renamed(behavior[direction], _GO)
        for direction in ("scaleUp", "scaleDown")
        if behavior.get(direction) is not None
    }


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        inner = {names.get(key, key): _renamed(each, names) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each is not None}
    return [_renamed(each, names) for each in value] if isinstance(value, list) else value


AUTOSCALING_V1 = Version(
    resource="horizontalpodautoscalers.autoscaling",
    api_version="autoscaling/v1",
    to_stored=to_stored,
    from_stored=from_stored,
    default=_default,
)
