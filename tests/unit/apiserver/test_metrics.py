"""The resource metrics API: what Pods and nodes use, as metrics-server tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.apiserver.aggregation.registration import built_in
from leeward.cluster.apiserver.discovery import aggregated, group_list, resource_list
from leeward.cluster.apiserver.http import Request, Response
from leeward.cluster.apiserver.metrics import API_VERSION, GROUP, ResourceMetrics, duration, resources
from leeward.cluster.apiserver.openapi import make_document
from leeward.cluster.apiserver.openapiv2 import to_v2
from leeward.cluster.apiserver.paths import parse_resource_path
from leeward.cluster.apiserver.printers.catalog import printers
from leeward.cluster.apiserver.representations import TableMaker
from leeward.cluster.apiserver.served import Catalog
from leeward.cluster.authorization.rbac import CLUSTER_ROLES
from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, ObjectKey, key_of
from leeward.kube.status import MethodNotAllowedError, NotFoundError

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
ROOT = f"/apis/{API_VERSION}"
READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class Cluster:
    """Two Pods that are measured and one that is not, on a node that is Ready; one node that is not."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.pods = [self._pod("a", "web"), self._pod("b", "web"), self._pod("c", "job")]
        self.nodes: list[Obj] = [
            {"metadata": {"name": "one", "labels": {"zone": "x"}}, "status": READY},
            {"metadata": {"name": "two"}, "status": {}},
        ]

    @staticmethod
    def _pod(name: str, app: str) -> Obj:
        return {"metadata": {"namespace": "shop", "name": name, "labels": {"app": app}}}

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        for each in self.list(resource, namespace):
            if each["metadata"]["name"] == name:
                return each
        raise NotFoundError(f'{resource} "{name}" not found')

    def list(self, resource: str, namespace: str = "") -> Sequence[Obj]:
        found: Sequence[Obj] = {"pods": self.pods, "nodes": self.nodes}[resource]
        return [each for each in found if not namespace or each["metadata"]["namespace"] == namespace]

    def pods_on(self, node: str) -> Sequence[Obj]:
        return self.pods if node == "one" else []

    async def ask(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        used = {
            "a": {"main": Usage(1_500_000, 2 << 20), "side": Usage(250_000_000, 1000)},
            "b": {"main": Usage(0, 3 << 20)},
        }
        return {
            key: PodUsage(self.clock.now(), 15.02, used[key.name])
            for pod in pods
            if (key := key_of(pod)).name in used
        }

    def answer(self, target: str, accept: str = "") -> Any:
        async def receive() -> dict[str, Any]:
            return {}

        path, _, query = target.partition("?")
        headers = [(b"accept", accept.encode())] if accept else []
        scope = {
            "method": "GET", "raw_path": path.encode(), "query_string": query.encode(), "headers": headers,
        }  # fmt: skip
        parsed = parse_resource_path(path)
        assert parsed is not None
        served = Catalog(more=resources()).find(parsed.group, parsed.version, parsed.resource)
        assert served is not None
        cluster: Any = self
        metrics = ResourceMetrics(cluster, cluster, self.clock, TableMaker(printers()))
        handler = metrics.get if parsed.name else metrics.list
        answer = asyncio.run(handler(Request(scope, receive), parsed, served))
        assert isinstance(answer, Response)
        return orjson.loads(answer.body)


def test_the_metrics_of_a_pod_have_its_labels_and_each_container() -> None:
    assert Cluster().answer(f"{ROOT}/namespaces/shop/pods/a") == {
        "kind": "PodMetrics",
        "apiVersion": API_VERSION,
        "metadata": {
            "name": "a",
            "namespace": "shop",
            "labels": {"app": "web"},
            "creationTimestamp": "2030-01-01T00:00:00Z",
        },
        "timestamp": "2030-01-01T00:00:00Z",
        "window": "15.02s",
        "containers": [
            {"name": "main", "usage": {"cpu": "1500u", "memory": "2Mi"}},
            {"name": "side", "usage": {"cpu": "250m", "memory": "1000"}},
        ],
    }


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b"]),
        ("?labelSelector=app%3Djob", []),
        ("?labelSelector=app%20in%20(web)", ["a", "b"]),
        ("?fieldSelector=metadata.name%3Db", ["b"]),
    ],
)
def test_pods_that_are_not_measured_yet_are_left_out_of_a_list(query: str, names: list[str]) -> None:
    found = Cluster().answer(f"{ROOT}/namespaces/shop/pods{query}")
    assert (found["kind"], found["apiVersion"]) == ("PodMetricsList", API_VERSION)
    assert [each["metadata"]["name"] for each in found["items"]] == names


def test_a_node_uses_what_its_pods_use_and_one_that_is_not_ready_is_left_out() -> None:
    (node,) = Cluster().answer(f"{ROOT}/nodes")["items"]
    assert node["metadata"]["name"] == "one"
    assert node["usage"] == {"cpu": "251500u", "memory": str((5 << 20) + 1000)}
    assert Cluster().answer(f"{ROOT}/nodes?labelSelector=zone%3Dy")["items"] == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("namespaces/shop/pods/none", 'pods "none" not found'),
        ("namespaces/shop/pods/c", 'podmetrics.metrics.k8s.io "shop/c" not found'),
        ("nodes/two", 'nodemetrics.metrics.k8s.io "two" not found'),
    ],
)
def test_what_is_not_there_and_what_is_not_measured_is_not_found(target: str, message: str) -> None:
    with pytest.raises(NotFoundError, match=message):
        Cluster().answer(f"{ROOT}/{target}")


def test_metrics_are_not_watched() -> None:
    with pytest.raises(MethodNotAllowedError, match="watch is not supported"):
        Cluster().answer(f"{ROOT}/nodes?watch=true")


def test_as_a_table_a_pod_is_the_sum_of_its_containers() -> None:
    table = Cluster().answer(f"{ROOT}/namespaces/shop/pods", TABLE)
    assert [each["name"] for each in table["columnDefinitions"]] == ["Name", "cpu", "memory", "Window"]
    assert table["rows"][0]["cells"] == ["a", "251500u", str((2 << 20) + 1000), "15.02s"]


def test_only_metadata_is_answered_to_who_wants_no_more() -> None:
    partial = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    assert Cluster().answer(f"{ROOT}/nodes/one", partial)["kind"] == "PartialObjectMetadata"
    listed = Cluster().answer(f"{ROOT}/nodes", partial.replace("Metadata;", "MetadataList;"))
    assert listed["kind"] == "PartialObjectMetadataList"


def test_discovery_has_the_group_where_there_is_a_source_of_metrics_and_only_there() -> None:
    catalog = Catalog(more=resources())
    assert group_list(catalog)["groups"][-1]["name"] == GROUP
    assert aggregated(catalog, core=False)["items"][-1]["metadata"] == {"name": GROUP}
    rows = resource_list(catalog, GROUP, "v1beta1")["resources"]
    assert [(row["name"], row["kind"], row["verbs"]) for row in rows] == [
        ("nodes", "NodeMetrics", ["get", "list"]),
        ("pods", "PodMetrics", ["get", "list"]),
    ]
    assert GROUP not in Catalog().groups()


def test_its_api_service_is_that_of_metrics_server_but_local() -> None:
    found = {each["metadata"]["name"]: each["spec"] for each in built_in(Catalog(more=resources()).groups())}
    assert found[f"v1beta1.{GROUP}"] == {
        "group": GROUP,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    }


def test_openapi_describes_what_can_be_read_and_offers_no_writes() -> None:
    document = make_document(resources(), [])
    assert set(document["paths"]) == {
        f"{ROOT}/nodes",
        f"{ROOT}/nodes/{{name}}",
        f"{ROOT}/namespaces/{{namespace}}/pods",
        f"{ROOT}/namespaces/{{namespace}}/pods/{{name}}",
        f"{ROOT}/pods",
    }
    assert all(set(item) <= {"get", "parameters"} for item in document["paths"].values())
    schema = document["components"]["schemas"]["io.k8s.metrics.v1beta1.PodMetricsList"]
    assert schema["properties"]["items"]["items"]["$ref"].endswith("io.k8s.metrics.v1beta1.PodMetrics")
    assert "io.k8s.metrics.v1beta1.NodeMetrics" in to_v2(document)["definitions"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (1.0, "1s"), (15.02, "15.02s"), (60.0, "1m0s"), (61.5, "1m1.5s")]
)
def test_a_window_is_written_as_go_writes_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_who_may_view_may_see_what_pods_use() -> None:
    registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1))
    bootstrap(registry, api_address="127.0.0.1", api_port=6443, metrics=True)
    role = registry.client("system:admin").get(CLUSTER_ROLES, "", "system:aggregated-metrics-reader")
    for name in ("view", "edit", "admin"):
        assert role["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{name}"] == "true"
    assert role["rules"][0]["resources"] == ["pods", "nodes"]
