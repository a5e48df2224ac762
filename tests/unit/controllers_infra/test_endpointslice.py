"""What a Service's slices say."""

from __future__ import annotations

from collections import Counter
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
    world.node("node-a1", "local-a")
    pods = [world.pod(f"web-{number}", "node-a1") for number in range(3)]
    service(world)
    world.run(controller.DESCRIPTOR)
    before = {id(each) for each in world.client.list(SLICES)[0]["endpoints"]}
    world.set_status("pods", pods[1], conditions=[{"type": "Ready", "status": "False"}])
    world.clock.advance(1)
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
    world.node("node-a1", "local-a")
    for number in range(230):
        world.pod(f"web-{number:03}", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    assert sorted(len(found["endpoints"]) for found in world.client.list(SLICES)) == [30, 100, 100]


def test_pods_with_different_named_ports_get_slices_of_their_own(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.pod("old", "node-a1")
    world.pod(
        "new", "node-a1", containers=[{"name": "c", "ports": [{"name": "http", "containerPort": 9090}]}]
    )
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


def sizes(world: Any) -> dict[str, int]:
    return {found["metadata"]["name"]: len(found["endpoints"]) for found in world.client.list(SLICES)}


def many(world: Any, first: int, last: int) -> None:
    for number in range(first, last):
        world.pod(f"web-{number:03}", "node-a1")
    world.clock.advance(1)


def test_the_slice_that_is_empty_becomes_the_first_with_endpoints_and_the_other_way_round(world: Any) -> None:
    world.node("node-a1", "local-a")
    service(world)
    world.run(controller.DESCRIPTOR)
    (name,) = sizes(world)
    world.pod("web-1", "node-a1")
    world.clock.advance(0)
    assert sizes(world) == {name: 1}
    world.client.delete("pods", "shop", "web-1", grace_period_seconds=0)
    world.clock.advance(0)
    assert sizes(world) == {name: 0}


def test_new_endpoints_go_where_something_changes_anyway_then_where_all_of_them_fit_best(world: Any) -> None:
    world.node("node-a1", "local-a")
    service(world)
    many(world, 0, 195)
    world.run(controller.DESCRIPTOR)
    full, open_ = sorted(sizes(world), key=lambda name: -sizes(world)[name])
    many(world, 195, 199)
    assert sizes(world) == {full: 100, open_: 99}
    many(world, 199, 202)
    assert sorted(sizes(world).values()) == [3, 99, 100]
    world.client.delete("pods", "shop", "web-000", grace_period_seconds=0)
    many(world, 202, 203)
    assert sizes(world)[full] == 100


def test_changes_of_many_pods_are_taken_together(world: Any) -> None:
    world.node("node-a1", "local-a")
    service(world)
    many(world, 0, 500)
    world.run(controller.DESCRIPTOR)
    writes: list[str] = []
    world.client.watch([SLICES], lambda event: writes.append(event.type))
    for number in range(100):
        pod = world.client.get("pods", "shop", f"web-{number:03}")
        world.set_status("pods", pod, conditions=[{"type": "Ready", "status": "False"}])
        world.clock.advance(0.001)
    world.clock.advance(0.5)
    assert len(writes) <= 3
    assert sum(not each["ready"] for each in endpoints(world).values()) == 100


def test_a_pod_is_no_endpoint_before_its_node_is_known(world: Any) -> None:
    service(world)
    world.pod("web-1", "node-a1")
    world.run(controller.DESCRIPTOR)
    assert endpoints(world) == {}
    world.node("node-a1", "local-a")
    world.clock.advance(0)
    assert endpoints(world).keys() == {"web-1"}


def test_both_address_families_have_slices(world: Any) -> None:
    world.node("node-a1", "local-a")
    pod = world.pod("web-1", "node-a1")
    world.set_status("pods", pod, podIPs=[{"ip": "10.0.0.1"}, {"ip": "fd00::1"}])
    service(world, ipFamilies=["IPv4", "IPv6"])
    world.run(controller.DESCRIPTOR)
    found = {each["addressType"]: each["endpoints"][0]["addresses"] for each in world.client.list(SLICES)}
    assert found == {"IPv4": ["10.0.0.1"], "IPv6": ["fd00::1"]}
    old = world.client.get("services", "shop", "web")
    world.client.update("services", {**old, "spec": {**old["spec"], "ipFamilies": ["IPv6"]}})
    world.clock.advance(0)
    assert [each["addressType"] for each in world.client.list(SLICES)] == ["IPv6"]


def hints(world: Any) -> dict[str, Any]:
    return {
        endpoint["targetRef"]["name"]: endpoint.get("hints")
        for found in world.client.list(SLICES)
        for endpoint in found["endpoints"]
    }


def test_a_service_that_prefers_its_zone_or_node_gives_hints_for_ready_endpoints(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.pod("web-1", "node-a1")
    world.pod("web-2", "node-a1", ready=False)
    made = service(world, trafficDistribution="PreferSameZone")
    world.run(controller.DESCRIPTOR)
    zone = {"forZones": [{"name": "local-a"}]}
    assert hints(world) == {"web-1": zone, "web-2": None}
    near = {**made["spec"], "trafficDistribution": "PreferSameNode"}
    made = world.client.update("services", {**made, "spec": near})
    world.clock.advance(0)
    assert hints(world) == {"web-1": {**zone, "forNodes": [{"name": "node-a1"}]}, "web-2": None}
    spec = {key: value for key, value in near.items() if key != "trafficDistribution"}
    world.client.update("services", {**made, "spec": spec})
    world.clock.advance(0)
    assert hints(world) == {"web-1": None, "web-2": None}


AUTO = {"service.kubernetes.io/topology-mode": "Auto"}


def test_endpoints_are_spread_over_zones_as_cpus_are(world: Any) -> None:
    for zone in "abc":
        world.node(f"node-{zone}1", f"local-{zone}")
    for number, zone in enumerate("aaaabbc"):
        world.pod(f"web-{number}", f"node-{zone}1")
    world.annotate("services", service(world), **AUTO)
    world.run(controller.DESCRIPTOR)
    counts = Counter(each["forZones"][0]["name"] for each in hints(world).values())
    assert sorted(counts.values()) == [2, 2, 3]
    message = "Topology Aware Hints has been enabled, addressType: IPv4"
    assert world.client.events == [("TopologyAwareHintsEnabled", message)]


def test_too_few_endpoints_for_the_zones_give_no_hints_and_an_event(world: Any) -> None:
    for zone in "abc":
        world.node(f"node-{zone}1", f"local-{zone}")
    world.pod("web-1", "node-a1")
    world.annotate("services", service(world), **AUTO)
    world.run(controller.DESCRIPTOR)
    assert hints(world) == {"web-1": None}
    message = "Insufficient number of endpoints (1 endpoints, 3 zones), addressType: IPv4"
    assert world.client.events == [("TopologyAwareHintsDisabled", message)]


def test_a_slice_that_somebody_took_the_name_from_is_replaced(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.pod("web-1", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    (made,) = world.client.list(SLICES)
    labels = {key: value for key, value in made["metadata"]["labels"].items() if "service-name" not in key}
    world.client.update(SLICES, {**made, "metadata": {**made["metadata"], "labels": labels}})
    world.clock.advance(5)
    named = [each for each in world.client.list(SLICES) if "service-name" in str(each["metadata"]["labels"])]
    assert [len(each["endpoints"]) for each in named] == [1]
