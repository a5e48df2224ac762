"""Autoscalers that follow what other servers measure, and those that choose the same Pods."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.podautoscaler.apimetrics import in_go
from leeward.cluster.interface.metrics import (
    Answer,
    Measurement,
    MetricQuery,
    MetricsApiError,
    not_registered,
)
from leeward.kube.objects import Obj

if TYPE_CHECKING:
    from leeward.base.clock import VirtualClock
    from tests.unit.controllers_workload.conftest import Stage

AUTOSCALERS, DEPLOYMENTS = "horizontalpodautoscalers.autoscaling", "deployments.apps"
Tell = Callable[[Mapping[MetricQuery, Answer]], None]


class Servers:
    """Answer after some seconds with the values that are set, in thousandths."""

    def __init__(self, values: Mapping[str, list[int]] | None = None, seconds: float = 0.0) -> None:
        self.values: Mapping[str, list[int]] = values or {}
        self.seconds = seconds
        self.clock: VirtualClock | None = None
        self.asked: list[MetricQuery] = []

    def ask(self, queries: Collection[MetricQuery], tell: Tell) -> None:
        assert self.clock is not None
        self.asked += queries
        answers = {query: self._answer(query) for query in queries}
        if self.seconds:
            self.clock.call_later(self.seconds, lambda: tell(answers))
        else:
            tell(answers)

    def _answer(self, query: MetricQuery) -> Answer:
        assert self.clock is not None
        if query.metric not in self.values:
            return not_registered(query)
        now = self.clock.now()
        return [Measurement(f"pod-{n}", value, now) for n, value in enumerate(self.values[query.metric])]


def begun(servers: Servers) -> Stage:
    from tests.unit.controllers_workload.conftest import Stage

    stage = Stage(apis=servers)
    servers.clock = stage.clock
    stage.workload(DEPLOYMENTS, replicas=2)
    stage.settle()
    return stage


def autoscale(stage: Stage, *metrics: Obj, name: str = "web", **spec: Any) -> None:
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    full = {"scaleTargetRef": reference, "minReplicas": 1, "maxReplicas": 9, "metrics": list(metrics), **spec}
    stage.create(AUTOSCALERS, name, full)


def external(name: str = "queue", **target: Any) -> Obj:
    return {"type": "External", "external": {"metric": {"name": name}, "target": target}}


def replicas(stage: Stage) -> int:
    found: int = stage.get(DEPLOYMENTS)["spec"]["replicas"]
    return found


def message_of(stage: Stage, name: str = "web") -> str:
    conditions = stage.get(AUTOSCALERS, name)["status"]["conditions"]
    found: str = next(each["message"] for each in conditions if each["type"] == "ScalingActive")
    return found


def test_a_look_waits_for_the_servers_that_are_asked() -> None:
    servers = Servers({"queue": [30_000]}, seconds=2.0)
    stage = begun(servers)
    autoscale(stage, external(type="AverageValue", averageValue="10"))
    stage.step(16)
    assert (len(servers.asked), replicas(stage)) == (1, 2)
    stage.step(1.1)
    assert replicas(stage) == 3
    assert stage.get(AUTOSCALERS)["status"]["currentMetrics"] == [
        {
            "type": "External",
            "external": {"metric": {"name": "queue"}, "current": {"averageValue": "15"}},
        }
    ]
    assert message_of(stage) == (
        "the HPA was able to successfully calculate a replica count from external metric queue(nil)"
    )
    assert stage.events("SuccessfulRescale") == [
        "New size: 3; reason: external metric queue(nil) above target"
    ]


def test_what_is_asked_names_the_selectors_of_pods_and_of_the_metric() -> None:
    servers = Servers()
    stage = begun(servers)
    selector = {"matchLabels": {"verb": "GET"}}
    pods = {"metric": {"name": "rate", "selector": selector}, "target": _average()}
    autoscale(stage, {"type": "Pods", "pods": pods})
    stage.step(16)
    (query,) = servers.asked
    assert (query.kind, query.pods, query.labels) == ("Pods", "app=web", "verb=GET")


def _average() -> Obj:
    return {"type": "AverageValue", "averageValue": "10"}


_SERVICE = {"kind": "Service", "name": "web", "apiVersion": "v1"}


@pytest.mark.parametrize(
    ("metric", "text", "whole"),
    [
        (
            {"type": "Pods", "pods": {"metric": {"name": "rate"}, "target": _average()}},
            "unable to get metric rate: unable to fetch metrics from custom metrics API: "
            "no custom metrics API (custom.metrics.k8s.io) registered",
            "failed to get pods metric value: ",
        ),
        (
            {
                "type": "Object",
                "object": {
                    "metric": {"name": "rate"},
                    "describedObject": _SERVICE,
                    "target": {"type": "Value", "value": "5"},
                },
            },
            "unable to get metric rate: Service on shop web/unable to fetch metrics from custom metrics API: "
            "no custom metrics API (custom.metrics.k8s.io) registered",
            "failed to get object metric value: ",
        ),
        (
            external("rate", type="Value", value="5"),
            "unable to get external metric shop/rate/nil: unable to fetch metrics from external metrics API: "
            "the server could not find the requested resource (get rate.external.metrics.k8s.io)",
            "failed to get rate external metric value: failed to get external metric rate: ",
        ),
    ],
    ids=["pods", "object", "external"],
)
def test_an_api_that_is_not_there_is_told_in_upstreams_words(metric: Obj, text: str, whole: str) -> None:
    stage = begun(Servers())
    autoscale(stage, metric)
    stage.step(16)
    assert message_of(stage) == f"the HPA was unable to compute the replica count: {text}"
    assert stage.events("FailedComputeMetricsReplicas") == [
        f"invalid metrics (1 invalid out of 1), first error is: {whole}{text}"
    ]


def test_a_list_without_values_is_told() -> None:
    stage = begun(Servers({"queue": []}))
    autoscale(stage, external(type="Value", value="5"))
    stage.step(16)
    assert message_of(stage).endswith("no metrics returned from external metrics API")


def test_two_autoscalers_of_the_same_pods_scale_nothing() -> None:
    stage = begun(Servers({"queue": [90_000]}))
    for name in ("one", "two"):
        autoscale(stage, external(type="AverageValue", averageValue="10"), name=name)
    stage.step(16)  # the first one to look knows of no other, as upstream's
    before = replicas(stage)
    stage.step(15)
    assert replicas(stage) == before
    text = "pods by selector app=web are controlled by multiple HPAs: [shop/one shop/two]"
    assert stage.events("AmbiguousSelector") == [text, text]
    assert message_of(stage, "one") == message_of(stage, "two") == text
    assert stage.condition(AUTOSCALERS, "two", "ScalingActive") == ("False", "AmbiguousSelector")
    stage.delete(AUTOSCALERS, "one")
    stage.step(30)
    assert stage.condition(AUTOSCALERS, "two", "ScalingActive") == ("True", "ValidMetricFound")
    assert replicas(stage) > before


def test_what_an_autoscaler_is_told_after_its_end_is_forgotten() -> None:
    servers = Servers({"queue": [30_000]}, seconds=2.0)
    stage = begun(servers)
    autoscale(stage, external(type="AverageValue", averageValue="10"))
    stage.step(16)
    stage.delete(AUTOSCALERS, "web")
    stage.step(30)
    assert (len(servers.asked), replicas(stage)) == (1, 2)


def test_selectors_are_shown_as_go_shows_them() -> None:
    rule = {"key": "tier", "operator": "In", "values": ["a", "b"]}
    assert in_go({"matchLabels": {"queue": "orders"}, "matchExpressions": [rule]}) == (
        "&LabelSelector{MatchLabels:map[string]string{queue: orders,},"
        "MatchExpressions:[]LabelSelectorRequirement{"
        "LabelSelectorRequirement{Key:tier,Operator:In,Values:[a b],},},}"
    )


def test_an_error_is_an_answer() -> None:
    assert isinstance(not_registered(MetricQuery(kind="Pods", namespace="", metric="x")), MetricsApiError)
