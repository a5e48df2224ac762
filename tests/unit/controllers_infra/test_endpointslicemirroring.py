"""Endpoints that people write are slices, too."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.endpointslicemirroring import controller, plan
from leeward.kube.objects import Obj

SLICES = controller.SLICES
_PORTS = [{"name": "http", "port": 80, "protocol": "TCP"}]


def service(world: Any, **spec: Any) -> Obj:
    meta = {"name": "db", "namespace": "shop"}
    made: Obj = world.create(
        "services", {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}
    )
    return made


def endpoints(world: Any, *ips: str, not_ready: tuple[str, ...] = (), **meta: Any) -> Obj:
    subset: Obj = {"addresses": [{"ip": ip} for ip in ips], "ports": _PORTS}
    if not_ready:
        subset["notReadyAddresses"] = [{"ip": ip} for ip in not_ready]
    made: Obj = world.create(
        "endpoints", {"metadata": {"name": "db", "namespace": "shop", **meta}, "subsets": [subset]}
    )
    return made


def replace(world: Any, subsets: list[Obj]) -> None:
    world.client.update("endpoints", {**world.client.get("endpoints", "shop", "db"), "subsets": subsets})
    world.clock.advance(0)


def test_endpoints_without_a_selector_are_mirrored_with_their_labels(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    service(world)
    owner = endpoints(world, "192.0.2.1", not_ready=("192.0.2.2",), labels={"tier": "data"})
    world.clock.advance(0)
    (found,) = world.client.list(SLICES)
    assert found["addressType"] == "IPv4"
    assert found["metadata"]["labels"] == {
        "tier": "data",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
    }
    assert found["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert found["ports"] == _PORTS
    assert [(each["addresses"], each["conditions"]) for each in found["endpoints"]] == [
        (["192.0.2.1"], {"ready": True}),
        (["192.0.2.2"], {"ready": False}),
    ]


def test_a_mirror_follows_its_endpoints_and_goes_with_them(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    service(world)
    endpoints(world, "192.0.2.1")
    world.clock.advance(0)
    (first,) = world.names(SLICES)
    replace(world, [{"addresses": [{"ip": "192.0.2.9"}, {"ip": "2001:db8::1"}], "ports": _PORTS}])
    found = {each["addressType"]: each["endpoints"] for each in world.client.list(SLICES)}
    assert {family: held[0]["addresses"] for family, held in found.items()} == {
        "IPv4": ["192.0.2.9"],
        "IPv6": ["2001:db8::1"],
    }
    assert first in world.names(SLICES)
    world.client.delete("endpoints", "shop", "db")
    world.clock.advance(0)
    assert world.names(SLICES) == []


def test_a_mirror_that_somebody_deletes_or_changes_comes_back(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    service(world)
    endpoints(world, "192.0.2.1")
    world.clock.advance(0)
    (found,) = world.client.list(SLICES)
    world.client.update(SLICES, {**found, "endpoints": []})
    world.clock.advance(0)
    (found,) = world.client.list(SLICES)
    assert found["endpoints"]
    world.client.delete(SLICES, "shop", found["metadata"]["name"])
    world.clock.advance(0)
    assert len(world.client.list(SLICES)) == 1


def test_what_a_selector_a_leader_or_a_label_stands_for_is_not_mirrored(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    service(world)
    made = endpoints(world, "192.0.2.1", labels={plan.SKIP: "true"})
    world.clock.advance(0)
    assert world.names(SLICES) == []
    meta = {**made["metadata"], "labels": {}, "annotations": {plan.LEADER: "{}"}}
    made = world.client.update("endpoints", {**made, "metadata": meta})
    world.clock.advance(0)
    assert world.names(SLICES) == []
    world.client.update("endpoints", {**made, "metadata": {**made["metadata"], "annotations": {}}})
    world.clock.advance(0)
    assert len(world.names(SLICES)) == 1
    found = world.client.get("services", "shop", "db")
    world.client.update("services", {**found, "spec": {"selector": {"app": "db"}}})
    world.clock.advance(0)
    assert world.names(SLICES) == []


def test_more_than_a_thousand_addresses_are_cut_and_that_is_told(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    service(world)
    endpoints(world, *(f"10.0.{number // 250}.{number % 250 + 1}" for number in range(1002)))
    world.clock.advance(0)
    (found,) = world.client.list(SLICES)
    assert len(found["endpoints"]) == 1000
    assert world.client.events == [
        (
            "TooManyAddressesToMirror",
            "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. "
            "2 addresses were skipped",
        )
    ]
