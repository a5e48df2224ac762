"""What a Service's slices say."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.endpointslice import controller
from leeward.kube.objects import Obj

SLICES = controller.SLICES


def service(world: Any, **spec: Any) -> Obj:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    full = {"selector": {"app": "web"}, "ports": ports, "clusterIP": "10.1.0.9", **spec}
    made: Obj = world.create(
        "services",
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": full,
        },
    )
    return made


def endpoints(world: Any) -> dict[str, dict[str, bool]]:
    return {
        endpoint["targetRef"]["name"]: endpoint["conditions"]
        for found in world.client.list(SLICES)
        for endpoint in found["endpoints"]
    }


def test_a_slice_names_ports_zone_node_and_owner(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.pod("web-1", "node-a1")
    world.run(controller.DESCRIPTOR)
    owner = service(world)
    world.clock.advance(1)
    (found,) = world.client.list(SLICES)
    assert found["ports"] == [{"name": "http", "protocol": "TCP", "port": 8080}]
    assert found["metadata"]["labels"] == {
        "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    }
    assert found["metadata"]["annotations"] == {
        "endpoints.kubernetes.io/last-change-trigger-time": owner["metadata"]["creationTimestamp"]
    }
    assert found["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    (endpoint,) = found["endpoints"]
    assert (endpoint["nodeName"], endpoint["zone"]) == ("node-a1", "local-a")
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}


def test_a_pod_that_becomes_unready_leaves_rotation_in_the_same_slice(world: Any) -> None:
    world.node("node-a1", "local-a")
    pod = world.pod("web-1", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    name = world.names(SLICES)
    world.set_status("pods", pod, conditions=[{"type": "Ready", "status": "False"}])
    world.clock.advance(0)
    assert endpoints(world) == {"web-1": {"ready": False, "serving": False, "terminating": False}}
    assert world.names(SLICES) == name


def test_a_slice_shares_what_stays_with_the_version_before(world: Any) -> None:
    pods = [world.pod(f"web-{number}", "node-a1") for number in range(3)]
    service(world)
    world.run(controller.DESCRIPTOR)
    before = {id(each) for each in world.client.list(SLICES)[0]["endpoints"]}
    world.set_status("pods", pods[1], conditions=[{"type": "Ready", "status": "False"}])
    world.clock.advance(0)
    (now,) = world.client.list(SLICES)
    assert [id(each) in before for each in now["endpoints"]] == [True, False, True]


def test_a_terminating_pod_still_serves_but_is_not_ready(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.pod("web-1", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete("pods", "shop", "web-1")
    world.clock.advance(0)
    assert endpoints(world) == {"web-1": {"ready": False, "serving": True, "terminating": True}}


def test_publish_not_ready_addresses_makes_everything_ready(world: Any) -> None:
    world.pod("web-1", ready=False)
    service(world, publishNotReadyAddresses=True)
    world.run(controller.DESCRIPTOR)
    assert endpoints(world)["web-1"]["ready"]


def test_a_slice_holds_at_most_a_hundred_endpoints(world: Any) -> None:
    for number in range(230):
        world.pod(f"web-{number:03}")
    service(world)
    world.run(controller.DESCRIPTOR)
    assert sorted(len(found["endpoints"]) for found in world.client.list(SLICES)) == [30, 100, 100]


def test_pods_with_different_named_ports_get_slices_of_their_own(world: Any) -> None:
    world.pod("old")
    world.pod("new", containers=[{"name": "c", "ports": [{"name": "http", "containerPort": 9090}]}])
    service(world)
    world.run(controller.DESCRIPTOR)
    assert sorted(found["ports"][0]["port"] for found in world.client.list(SLICES)) == [8080, 9090]


def test_a_service_without_pods_has_one_empty_slice(world: Any) -> None:
    service(world, clusterIP="None")
    world.run(controller.DESCRIPTOR)
    (found,) = world.client.list(SLICES)
    assert found["endpoints"] == []
    assert found["metadata"]["labels"]["service.kubernetes.io/headless"] == ""


def test_a_service_without_selector_is_left_to_its_user(world: Any) -> None:
    service(world, selector=None)
    world.run(controller.DESCRIPTOR)
    assert world.client.list(SLICES) == []
