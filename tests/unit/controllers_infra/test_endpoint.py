"""What the Endpoints of a Service say."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.endpoint import controller, plan
from leeward.cluster.controllers.framework.servicepods import TRIGGER_TIME, TriggerTimes
from leeward.kube.objects import Obj, ObjectKey

_PORTS = [{"name": "http", "port": 80, "targetPort": "http"}]


def service(world: Any, **spec: Any) -> Obj:
    full = {"selector": {"app": "web"}, "ports": _PORTS, "clusterIP": "10.1.0.9", **spec}
    meta = {"name": "web", "namespace": "shop", "labels": {"team": "storefront"}}
    made: Obj = world.create("services", {"metadata": meta, "spec": full})
    return made


def found(world: Any) -> Obj:
    (endpoints,) = world.client.list("endpoints")
    result: Obj = endpoints
    return result


def test_ready_pods_and_others_are_told_apart(world: Any) -> None:
    ready, other = world.pod("web-1", "node-a1"), world.pod("web-2", ready=False)
    service(world)
    world.run(controller.DESCRIPTOR)
    (subset,) = found(world)["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (address,) = subset["addresses"]
    assert (address["ip"], address["nodeName"]) == (ready["status"]["podIP"], "node-a1")
    assert address["targetRef"]["uid"] == ready["metadata"]["uid"]
    assert [each["ip"] for each in subset["notReadyAddresses"]] == [other["status"]["podIP"]]
    assert found(world)["metadata"]["labels"] == {"team": "storefront", plan.MANAGED_BY: plan.MANAGER}


def test_a_pod_that_goes_has_no_address_unless_all_are_published(world: Any) -> None:
    world.pod("web-1", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete("pods", "shop", "web-1")
    world.clock.advance(0)
    assert "subsets" not in found(world)
    made = world.client.get("services", "shop", "web")
    world.client.update("services", {**made, "spec": {**made["spec"], "publishNotReadyAddresses": True}})
    world.clock.advance(0)
    assert len(found(world)["subsets"][0]["addresses"]) == 1


def test_addresses_that_stay_are_shared_with_the_version_before(world: Any) -> None:
    for number in range(3):
        world.pod(f"web-{number}", "node-a1")
    service(world)
    world.run(controller.DESCRIPTOR)
    before = {id(each) for each in found(world)["subsets"][0]["addresses"]}
    world.client.delete("pods", "shop", "web-1")
    world.clock.advance(0)
    assert [id(each) in before for each in found(world)["subsets"][0]["addresses"]] == [True, True]


def test_pods_with_other_ports_are_another_subset(world: Any) -> None:
    world.pod("old")
    world.pod("new", containers=[{"name": "c", "ports": [{"name": "http", "containerPort": 9090}]}])
    world.pod("none", containers=[{"name": "c"}])
    service(world)
    world.run(controller.DESCRIPTOR)
    ports = [each["ports"][0]["port"] for each in found(world)["subsets"]]
    assert ports == [8080, 9090]


def test_a_headless_service_needs_no_ports(world: Any) -> None:
    world.pod("web-1")
    service(world, clusterIP="None", ports=[])
    world.run(controller.DESCRIPTOR)
    (subset,) = found(world)["subsets"]
    assert "ports" not in subset
    assert found(world)["metadata"]["labels"][plan.HEADLESS] == ""


def test_endpoints_end_with_their_service_and_others_are_left_alone(world: Any) -> None:
    world.create("endpoints", {"metadata": {"name": "mine", "namespace": "shop"}})
    world.create("services", {"metadata": {"name": "mine", "namespace": "shop"}, "spec": {}})
    service(world)
    world.run(controller.DESCRIPTOR)
    assert world.names("endpoints") == ["shop/mine", "shop/web"]
    world.client.delete("services", "shop", "web")
    world.clock.advance(0)
    assert world.names("endpoints") == ["shop/mine"]


def test_more_than_a_thousand_addresses_are_cut_and_the_endpoints_say_so() -> None:
    pods = [
        {
            "metadata": {"name": f"web-{number}", "namespace": "shop", "uid": str(number)},
            "spec": {"containers": []},
            "status": {"podIP": f"10.0.{number // 250}.{number % 250}"},
        }
        for number in range(1001)
    ]
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}], "clusterIP": "10.1.0.9"}
    service: Any = {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}
    made = plan.endpoints_for(service, [plan.pod_address(service, pod) for pod in pods], None, "")
    assert made is not None
    assert len(made["subsets"][0]["notReadyAddresses"]) == plan.MAX_ADDRESSES
    assert made["metadata"]["annotations"] == {plan.OVER_CAPACITY: "truncated"}


def test_endpoints_say_when_that_happened_which_they_changed_for(world: Any) -> None:
    made = service(world)
    world.run(controller.DESCRIPTOR)
    annotations = found(world)["metadata"]["annotations"]
    assert annotations == {TRIGGER_TIME: made["metadata"]["creationTimestamp"]}


def test_the_earliest_change_that_was_not_known_counts() -> None:
    def pod(name: str, time: str) -> Obj:
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": time}]
        return {"metadata": {"name": name}, "status": {"conditions": conditions}}

    times, key = TriggerTimes(), ObjectKey("shop", "web")
    made: Obj = {"metadata": {"creationTimestamp": "2030-01-01T00:00:05Z"}}
    one, two = pod("one", "2030-01-01T00:00:01Z"), pod("two", "2030-01-01T00:00:09Z")
    assert times.of(key, made, [one]) == "2030-01-01T00:00:05Z"
    assert times.of(key, made, [one]) == ""
    later = pod("one", "2030-01-01T00:00:08Z")
    assert times.of(key, made, [later, two]) == "2030-01-01T00:00:08Z"
    times.forget(key)
    assert times.of(key, made, []) == "2030-01-01T00:00:05Z"
