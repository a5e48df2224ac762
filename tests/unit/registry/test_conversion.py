"""Kinds that are served in a version that is not the stored one."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.conversion.autoscaling import from_stored, to_stored
from leeward.cluster.registry.options import WriteOptions
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
V1 = WriteOptions(field_manager="test", api_version="autoscaling/v1")
NEW_EVENTS = WriteOptions(field_manager="test", api_version="events.k8s.io/v1")
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
SPEC = {"scaleTargetRef": TARGET, "maxReplicas": 5, "targetCPUUtilizationPercentage": 60}


def metric(kind: str, field: str, target: Obj, **source: Any) -> Obj:
    return {"type": kind, field: {**source, "target": target}}


METRICS = [
    metric("Resource", "resource", {"type": "Utilization", "averageUtilization": 60}, name="cpu"),
    metric("Resource", "resource", {"type": "AverageValue", "averageValue": "500Mi"}, name="memory"),
    metric("Pods", "pods", {"type": "AverageValue", "averageValue": "1k"}, metric={"name": "rps"}),
    metric(
        "External", "external", {"type": "Value", "value": "30"},
        metric={"name": "q", "selector": {"matchLabels": {"a": "b"}}},
    ),
    metric(
        "Object", "object", {"type": "Value", "value": "2k"},
        metric={"name": "hits"}, describedObject={"kind": "Ingress", "name": "main"},
    ),
    metric(
        "ContainerResource", "containerResource", {"type": "Utilization", "averageUtilization": 50},
        name="cpu", container="c",
    ),
]  # fmt: skip


def stored(**spec: Any) -> Obj:
    given = {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 5, **spec}
    meta = {"name": "web", "namespace": "shop", "annotations": {"mine": "kept"}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": meta,
        "spec": given,
        "status": {"currentReplicas": 1, "desiredReplicas": 2},
    }


def test_an_autoscaler_of_v1_is_stored_as_one_of_v2(cluster: Any) -> None:
    meta = {"name": "web", "namespace": "shop"}
    made = cluster.registry.create(AUTOSCALERS, {"metadata": meta, "spec": SPEC}, V1)
    assert made["apiVersion"] == "autoscaling/v2"
    assert made["spec"]["metrics"] == [METRICS[0]]
    assert made["spec"]["minReplicas"] == 1
    (entry,) = made["metadata"]["managedFields"]
    assert entry["apiVersion"] == "autoscaling/v1"
    assert entry["fieldsV1"]["f:spec"].keys() == {
        "f:maxReplicas", "f:minReplicas", "f:scaleTargetRef", "f:targetCPUUtilizationPercentage",
    }  # fmt: skip
    assert entry["fieldsV1"]["f:spec"]["f:scaleTargetRef"] == {}


def test_a_patch_of_v1_changes_a_field_of_v1(cluster: Any) -> None:
    meta = {"name": "web", "namespace": "shop"}
    cluster.registry.create(AUTOSCALERS, {"metadata": meta, "spec": SPEC}, V1)
    patch = {"spec": {"targetCPUUtilizationPercentage": 70}}
    changed = cluster.registry.patch(AUTOSCALERS, "shop", "web", patch, V1, patch_type="merge")
    assert changed["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


@pytest.mark.parametrize("behavior", [None, {"scaleDown": {"selectPolicy": "Disabled"}}])
def test_what_v1_has_no_fields_for_survives_it(behavior: Obj | None) -> None:
    spec = {"metrics": METRICS, **({"behavior": behavior} if behavior else {})}
    there = from_stored(stored(**spec))
    assert there["spec"] == {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 5} | {
        "targetCPUUtilizationPercentage": 60
    }
    assert to_stored(there) == stored(**spec)


def test_annotations_that_cannot_be_read_say_nothing() -> None:
    there = from_stored(stored(metrics=METRICS[:1]))
    there["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"] = "{"
    assert to_stored(there) == stored(metrics=METRICS[:1])


def event(**fields: Any) -> Obj:
    about = {"kind": "Pod", "namespace": "shop", "name": "p"}
    return {"metadata": {"name": "e", "namespace": "shop"}, "regarding": about, "type": "Normal", **fields}


REPORTED = {
    "eventTime": "2030-01-01T00:00:00.000000Z", "reportingController": "example.com/c",
    "reportingInstance": "c-1", "action": "Bind", "reason": "Bound", "note": "hello",
}  # fmt: skip


def test_an_event_is_one_object_in_both_groups(cluster: Any) -> None:
    made = cluster.registry.create("events.events.k8s.io", event(**REPORTED), NEW_EVENTS)
    assert (made["apiVersion"], made["message"], made["involvedObject"]["name"]) == ("v1", "hello", "p")
    assert made["reportingComponent"] == "example.com/c"
    fields = made["metadata"]["managedFields"][0]["fieldsV1"]
    assert {"f:note", "f:regarding", "f:reportingController"} <= fields.keys()


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "eventTime: Required value"),
        ({**REPORTED, "type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({**REPORTED, "reportingInstance": ""}, "reportingInstance: Required value"),
        ({**REPORTED, "reportingController": "no name"}, "reportingController: Invalid value"),
        ({**REPORTED, "note": "x" * 1025}, 'message: Invalid value: "": can have at most 1024 characters'),
        ({**REPORTED, "deprecatedCount": 3}, 'count: Invalid value: "": needs to be unset'),
    ],
)
def test_an_event_that_does_not_say_who_reports_it_is_refused(cluster: Any, fields: Obj, text: str) -> None:
    with pytest.raises(InvalidError) as caught:
        cluster.registry.create("events.events.k8s.io", event(**fields), NEW_EVENTS)
    assert text in caught.value.message
