"""What controllers, scheduler and kubelets write is remembered, but for what they write all the time."""

from __future__ import annotations

from typing import Any

from leeward.kube.objects import Obj
from tests.unit.registry.conftest import DEPLOYMENTS, Cluster

CONTROLLERS, KUBELET = "kube-controller-manager", "kubelet"


def _client(cluster: Cluster, manager: str) -> Any:
    return cluster.registry.client("system:component", manager=manager)


def _entries(obj: Obj) -> list[tuple[str, str]]:
    return [(each["manager"], each.get("subresource", "")) for each in obj["metadata"]["managedFields"]]


def _pod(index: int = 0) -> Obj:
    meta = {"generateName": "web-", "namespace": "shop", "labels": {"app": "web"}}
    containers = [{"name": "c", "image": "web:1"}, *([{"name": "d", "image": "log:1"}] * index)]
    return {"metadata": meta, "spec": {"containers": containers}}


def test_a_controllers_status_has_an_entry_beside_the_users(cluster: Cluster) -> None:
    user = cluster.client.tracked("kubectl", "apps/v1")
    made = user.create(DEPLOYMENTS, cluster.deployment())
    controller = _client(cluster, CONTROLLERS)
    new = controller.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 2}})

    assert _entries(new) == [(CONTROLLERS, "status"), ("kubectl", "")]
    entry = new["metadata"]["managedFields"][0]
    assert entry["apiVersion"] == "apps/v1"
    assert entry["fieldsV1"] == {"f:status": {"f:replicas": {}}}


def test_a_node_belongs_to_its_kubelet(cluster: Cluster) -> None:
    made = _client(cluster, KUBELET).create("nodes", {"metadata": {"name": "n1", "labels": {"a": "b"}}})
    assert _entries(made) == [(KUBELET, "")]


def test_pods_of_one_template_share_what_their_controller_owns(cluster: Cluster) -> None:
    controller = _client(cluster, CONTROLLERS)
    first, second, other = (controller.create("pods", _pod(index)) for index in (0, 0, 1))

    entries = [each["metadata"]["managedFields"] for each in (first, second, other)]
    assert entries[0] is entries[1]
    named = [set(each[0]["fieldsV1"]["f:spec"]["f:containers"]) for each in entries]
    assert named == [{'k:{"name":"c"}'}, {'k:{"name":"c"}'}, {'k:{"name":"c"}', 'k:{"name":"d"}'}]


def test_a_later_pod_of_the_same_template_has_a_later_time(cluster: Cluster) -> None:
    controller = _client(cluster, CONTROLLERS)
    first = controller.create("pods", _pod())["metadata"]["managedFields"][0]
    cluster.clock.advance(60)
    second = controller.create("pods", _pod())["metadata"]["managedFields"][0]

    assert second["time"] > first["time"]
    assert second["fieldsV1"] is first["fieldsV1"]


def test_the_status_of_pods_events_and_leases_are_not_remembered(cluster: Cluster) -> None:
    pod = _client(cluster, CONTROLLERS).create("pods", _pod())
    kubelet = _client(cluster, KUBELET)
    running = kubelet.update_status("pods", {**pod, "status": {**pod["status"], "phase": "Running"}})
    lease = kubelet.create("leases.coordination.k8s.io", {"metadata": {"name": "n1", "namespace": "shop"}})
    kubelet.record(pod, event_type="Normal", reason="Started", message="Container started")

    assert _entries(running) == [(CONTROLLERS, "")]
    assert "managedFields" not in lease["metadata"]
    assert "managedFields" not in cluster.client.list("events", "shop")[0]["metadata"]


def test_finalizing_a_namespace_takes_its_labels_from_the_request(cluster: Cluster) -> None:
    cluster.client.patch("namespaces", "", "shop", {"metadata": {"labels": {"a": "b"}}})
    done = cluster.client.finalize_namespace({"metadata": {"name": "shop"}, "spec": {"finalizers": []}})

    assert done["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}
    assert done["spec"] == {}
    assert done["status"] == {"phase": "Active"}


def test_a_count_that_changes_costs_its_owner_the_time_of_the_entry_alone(cluster: Cluster) -> None:
    user = cluster.client.tracked("kubectl", "apps/v1")
    controller = _client(cluster, CONTROLLERS)
    made = user.create(DEPLOYMENTS, cluster.deployment())
    first = controller.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1}})
    cluster.clock.advance(60)
    second = controller.update_status(DEPLOYMENTS, {**first, "status": {"replicas": 2}})

    before, after = (
        {_key(each): each for each in obj["metadata"]["managedFields"]} for obj in (first, second)
    )
    assert list(after) == [("kubectl", ""), (CONTROLLERS, "status")]
    assert after["kubectl", ""] is before["kubectl", ""]
    changed, was = after[CONTROLLERS, "status"], before[CONTROLLERS, "status"]
    assert changed["fieldsV1"] is was["fieldsV1"]
    assert changed["time"] > was["time"]


def test_somebody_elses_count_changes_hands(cluster: Cluster) -> None:
    controller = _client(cluster, CONTROLLERS)
    made = controller.create(DEPLOYMENTS, cluster.deployment())
    first = controller.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1}})
    other = _client(cluster, "other").update_status(DEPLOYMENTS, {**first, "status": {"replicas": 2}})

    assert _entries(other) == [(CONTROLLERS, ""), ("other", "status")]


def _key(entry: Obj) -> tuple[str, str]:
    return (entry["manager"], entry.get("subresource", ""))
