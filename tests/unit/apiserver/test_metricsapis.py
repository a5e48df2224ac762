"""The APIs of custom and external metrics, asked for the autoscaler."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from leeward.cluster.apiserver.aggregation.aggregator import Aggregator
from leeward.cluster.apiserver.aggregation.metricsapis import AUTOSCALER, AggregatedMetrics
from leeward.cluster.apiserver.aggregation.peers import UnansweredError
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.metrics import Answer, Described, Measurement, MetricQuery, MetricsApiError
from leeward.cluster.interface.user import User
from leeward.kube.objects import Obj

AT = datetime(2030, 1, 1, tzinfo=UTC)
STAMP = "2030-01-01T00:00:00Z"
PODS = MetricQuery(kind="Pods", namespace="shop", metric="rate", labels="verb=GET", pods="app=web")
EXTERNAL = MetricQuery(kind="External", namespace="shop", metric="queue", labels="name=orders")


def about(kind: str, name: str, version: str = "v1") -> MetricQuery:
    return MetricQuery(
        kind="Object", namespace="shop", metric="rate", described=Described(version, kind, name)
    )


class Servers:
    """The APIServices that there are, and the server behind them, which gives one answer."""

    def __init__(self, *names: str, code: int = 200, body: Any = None, defect: Exception | None = None):
        self.names, self.code, self.defect = names, code, defect
        self.body = body if isinstance(body, bytes) else orjson.dumps(body)
        self.asked: list[str] = []
        self.user: User | None = None

    def list(self, resource: str, _namespace: str = "") -> list[Obj]:
        if not resource.startswith("apiservices"):
            return []
        found = []
        for priority, name in enumerate(self.names):
            version, _, group = name.partition(".")
            service = {"namespace": "ops", "name": "adapter"}
            spec = {"group": group, "version": version, "versionPriority": priority, "service": service}
            found.append({"metadata": {"name": name}, "spec": spec})
        return found

    async def get(self, _api_service: Obj, path: str, user: User) -> tuple[int, bytes]:
        self.asked.append(path)
        self.user = user
        if self.defect is not None:
            raise self.defect
        return self.code, self.body

    def tell(self, query: MetricQuery) -> Answer:
        """Ask one question."""

        async def run() -> Mapping[MetricQuery, Answer]:
            apis = AggregatedMetrics(cast(Reader, self), cast(Aggregator, self))
            answers: asyncio.Future[Mapping[MetricQuery, Answer]] = asyncio.Future()
            apis.ask([query], answers.set_result)
            return await answers

        return asyncio.run(run())[query]


CUSTOM = ("v1beta1.custom.metrics.k8s.io", "v1beta2.custom.metrics.k8s.io")


@pytest.mark.parametrize(
    ("query", "path"),
    [
        (PODS, "namespaces/shop/pods/*/rate?labelSelector=app%3Dweb&metricLabelSelector=verb%3DGET"),
        (about("Service", "web"), "namespaces/shop/services/web/rate"),
        (
            about("Ingress", "web", "networking.k8s.io/v1"),
            "namespaces/shop/ingresses.networking.k8s.io/web/rate",
        ),
        (about("Namespace", "elsewhere"), "namespaces/shop/metrics/rate"),
    ],
)
def test_custom_metrics_are_asked_of_the_preferred_version(query: MetricQuery, path: str) -> None:
    item = {"describedObject": {"name": "web"}, "value": "1500m", "timestamp": STAMP, "windowSeconds": 30}
    servers = Servers(*CUSTOM, body={"items": [item]})

    assert servers.tell(query) == [Measurement("web", 1500, AT, 30.0)]
    assert servers.asked == [f"/apis/custom.metrics.k8s.io/v1beta2/{path}"]
    assert servers.user == AUTOSCALER


def test_external_metrics_are_asked_by_their_name() -> None:
    item = {"metricName": "queue", "value": "7", "timestamp": STAMP}
    servers = Servers("v1beta1.external.metrics.k8s.io", body={"items": [item, item]})

    assert servers.tell(EXTERNAL) == [Measurement("", 7000, AT), Measurement("", 7000, AT)]
    assert servers.asked == [
        "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue?labelSelector=name%3Dorders"
    ]


_ABSENT = {"kind": "Status", "message": "the server could not find the metric rate for pods"}
_EXTERNAL = "v1beta1.external.metrics.k8s.io"


@pytest.mark.parametrize(
    ("servers", "query", "message"),
    [
        (Servers(), PODS, "no custom metrics API (custom.metrics.k8s.io) registered"),
        (Servers("v9.custom.metrics.k8s.io"), PODS, "no known available metric versions found"),
        (
            Servers(),
            EXTERNAL,
            "the server could not find the requested resource (get queue.external.metrics.k8s.io)",
        ),
        (Servers(*CUSTOM, code=404, body=_ABSENT), PODS, _ABSENT["message"]),
        (
            Servers(*CUSTOM, code=404, body=b"404 page not found"),
            PODS,
            "the server could not find the requested resource (get pods.custom.metrics.k8s.io *)",
        ),
        (
            Servers(_EXTERNAL, defect=UnansweredError("dial tcp: connection refused")),
            EXTERNAL,
            "the server is currently unable to handle the request (get queue.external.metrics.k8s.io)",
        ),
        (
            Servers(_EXTERNAL, code=500, body=b"broken"),
            EXTERNAL,
            'an error on the server ("broken") has prevented the request from succeeding '
            "(get queue.external.metrics.k8s.io)",
        ),
        (
            Servers(*CUSTOM, body={"items": []}),
            about("Service", "web"),
            "the custom metrics API server returned 0 results when we asked for exactly one",
        ),
        (
            Servers(*CUSTOM),
            about("Widget", "web", "example.com/v1"),
            "unable to map kind Widget.example.com to resource: "
            'no matches for kind "Widget" in group "example.com"',
        ),
        (Servers(_EXTERNAL, defect=RuntimeError("no")), EXTERNAL, "Internal error occurred: no"),
    ],
)
def test_what_gives_no_answer_says_why(servers: Servers, query: MetricQuery, message: str) -> None:
    found = servers.tell(query)
    assert isinstance(found, MetricsApiError)
    assert str(found) == message


def test_an_answer_that_cannot_be_read_is_none() -> None:
    found = Servers(_EXTERNAL, body=b"<html>").tell(EXTERNAL)
    assert isinstance(found, MetricsApiError)
    assert str(found).startswith("the server's answer cannot be read")


def test_nobody_waits_for_answers_after_the_end() -> None:
    class Silent(Servers):
        async def get(self, _api_service: Obj, path: str, user: User) -> tuple[int, bytes]:
            await asyncio.Event().wait()
            raise AssertionError(path, user)

    async def run() -> list[object]:
        silent, told = Silent(_EXTERNAL), list[object]()
        apis = AggregatedMetrics(cast(Reader, silent), cast(Aggregator, silent))
        apis.ask([EXTERNAL], told.append)
        await asyncio.sleep(0)
        await apis.stop()
        return told

    assert asyncio.run(run()) == []
