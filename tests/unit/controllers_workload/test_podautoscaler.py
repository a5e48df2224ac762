"""Autoscalers in a cluster without metrics: bounds are kept, and what is missing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.podautoscaler import plan
from leeward.cluster.controllers.podautoscaler.pace import History
from leeward.cluster.controllers.podautoscaler.proposals import Target
from leeward.kube.objects import Obj

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

AUTOSCALERS, DEPLOYMENTS = "horizontalpodautoscalers.autoscaling", "deployments.apps"
_CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}
_AVERAGE = {"type": "AverageValue", "averageValue": "10"}
_NO_METRICS = (
    "failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from "
    "resource metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)"
)


def _autoscaler(stage: Stage, kind: str = "Deployment", **spec: Any) -> None:
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": _target()}}
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    full = {"scaleTargetRef": reference, "minReplicas": 2, "maxReplicas": 4, "metrics": [metric], **spec}
    stage.create(AUTOSCALERS, "web", full)


def _target() -> Obj:
    return {"type": "Utilization", "averageUtilization": 50}


def _status(stage: Stage) -> Obj:
    found: Obj = stage.get(AUTOSCALERS)["status"]
    return found


def test_without_metrics_the_replicas_stay_and_the_autoscaler_says_why(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=3)
    _autoscaler(stage)
    stage.step(14)
    assert _status(stage) == {"currentMetrics": None, "desiredReplicas": 0}
    stage.step(1)
    status = _status(stage)
    assert (status["currentReplicas"], status["desiredReplicas"]) == (3, 0)
    assert status["currentMetrics"] == [{"type": ""}]
    assert stage.condition(AUTOSCALERS, "web", "AbleToScale") == ("True", "SucceededGetScale")
    assert stage.condition(AUTOSCALERS, "web", "ScalingActive") == ("False", "FailedGetResourceMetric")
    assert stage.events("FailedGetResourceMetric") == [_NO_METRICS]
    assert stage.events("FailedComputeMetricsReplicas") == [
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: "
        f"{_NO_METRICS}"
    ]
    assert stage.get(DEPLOYMENTS)["spec"]["replicas"] == 3


@pytest.mark.parametrize(
    ("before", "after", "why"), [(6, 4, "above Spec.MaxReplicas"), (1, 2, "below Spec.MinReplicas")]
)
def test_a_target_out_of_bounds_is_scaled_to_the_bound(
    stage: Stage, before: int, after: int, why: str
) -> None:
    stage.workload(DEPLOYMENTS, replicas=before)
    _autoscaler(stage)
    stage.step(15)
    assert stage.get(DEPLOYMENTS)["spec"]["replicas"] == after
    status = _status(stage)
    assert (status["currentReplicas"], status["desiredReplicas"]) == (before, after)
    assert status["lastScaleTime"] == "2030-01-01T00:00:15Z"
    assert stage.condition(AUTOSCALERS, "web", "AbleToScale") == ("True", "SucceededRescale")
    message = f"New size: {after}; reason: Current number of replicas {why}"
    assert stage.events("SuccessfulRescale") == [message]


def test_a_target_scaled_to_zero_is_left_alone(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=0)
    _autoscaler(stage)
    stage.step(15)
    assert stage.get(DEPLOYMENTS)["spec"]["replicas"] == 0
    assert stage.condition(AUTOSCALERS, "web", "ScalingActive") == ("False", "ScalingDisabled")


def test_a_custom_resource_is_scaled_where_it_keeps_its_replicas(stage: Stage) -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
        "subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "widgets.example.com"}, "spec": spec}
    stage.client.create("customresourcedefinitions.apiextensions.k8s.io", definition)
    stage.create("widgets.example.com", "web", {"size": 6})
    _autoscaler(stage, scaleTargetRef={"apiVersion": "example.com/v1", "kind": "Widget", "name": "web"})
    stage.step(15)
    assert stage.get("widgets.example.com")["spec"] == {"size": 4}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("Deployment", 'deployments.apps "web" not found'),
        ("DaemonSet", "the server could not find the requested resource"),
        ("Nothing", 'no matches for kind "Nothing" in group "apps"'),
    ],
)
def test_a_target_that_has_no_scale_is_reported(stage: Stage, kind: str, error: str) -> None:
    _autoscaler(stage, kind)
    stage.step(15)
    assert stage.condition(AUTOSCALERS, "web", "AbleToScale") == ("False", "FailedGetScale")
    assert stage.events("FailedGetScale") == [error]


def test_a_refused_change_of_scale_is_reported(stage: Stage) -> None:
    autoscaler = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"minReplicas": 1, "maxReplicas": 4},
        "status": {"desiredReplicas": 0},
    }
    now = stage.clock.now()
    told = plan.not_rescaled(autoscaler, plan.look(autoscaler, Target(replicas=6), History(), now), "no", now)
    (condition,) = told.autoscaler["status"]["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "FailedUpdateScale")
    assert told.warnings[0].message.endswith(
        "New size: 4; reason: Current number of replicas above Spec.MaxReplicas; error: no"
    )


@pytest.mark.parametrize(
    ("metric", "reason"),
    [
        (_CPU, "FailedGetResourceMetric"),
        (
            {"type": "ContainerResource", "containerResource": _CPU["resource"]},
            "FailedGetContainerResourceMetric",
        ),
        ({"type": "Pods", "pods": {"metric": {"name": "rate"}, "target": _AVERAGE}}, "FailedGetPodsMetric"),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "rate"},
                    "describedObject": {"kind": "Ingress", "name": "web"},
                    "target": _AVERAGE,
                },
            },
            "FailedGetObjectMetric",
        ),
        (
            {"type": "External", "external": {"metric": {"name": "rate"}, "target": _AVERAGE}},
            "FailedGetExternalMetric",
        ),
    ],
)
def test_of_every_kind_of_metric_it_is_said_that_it_cannot_be_had(
    stage: Stage, metric: Obj, reason: str
) -> None:
    autoscaler = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"maxReplicas": 4, "metrics": [metric]},
        "status": {"desiredReplicas": 0},
    }
    outcome = plan.look(autoscaler, Target(replicas=2), History(), stage.clock.now())
    assert [warned.reason for warned in outcome.warnings] == [reason, "FailedComputeMetricsReplicas"]
    assert outcome.warnings[0].message in outcome.warnings[1].message
