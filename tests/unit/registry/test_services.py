"""Services: cluster IPs and node ports that are given, kept, freed and refused; defaults and rules."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import InvalidError, StatusError


def node_ports(service: Obj) -> list[int | None]:
    return [port.get("nodePort") for port in service["spec"]["ports"]]


def small(network: str) -> Any:
    """Return a client of a cluster whose Services share a small network."""
    registry = Registry(
        MemoryStore(),
        clock=VirtualClock(),
        ids=SeededIds(1),
        service_network=IPv4Network(network),
        options=AdmissionOptions(disabled=("ServiceAccount",)),
    )
    client = registry.client("system:admin")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    return client


def plain(name: str, **spec: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"ports": [{"port": 80}], **spec}}


def test_a_service_gets_an_address_of_the_network_that_no_other_has(cluster: Any) -> None:
    made = [cluster.service(f"s{number}") for number in range(20)]
    addresses = [each["spec"]["clusterIP"] for each in made]
    assert len(set(addresses)) == 20
    assert addresses[0] == "10.96.0.100"
    assert [each["spec"]["clusterIPs"] for each in made] == [[address] for address in addresses]


def test_an_address_that_was_asked_for_is_given_and_not_given_again(cluster: Any) -> None:
    assert cluster.service("dns", clusterIP="10.96.0.10")["spec"]["clusterIPs"] == ["10.96.0.10"]
    cluster.service("fixed", clusterIP="10.96.0.101")
    others = [cluster.service(f"s{number}")["spec"]["clusterIP"] for number in range(3)]
    assert others == ["10.96.0.100", "10.96.0.102", "10.96.0.103"]


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("10.96.0.10", "failed to allocate IP 10.96.0.10: provided IP is already allocated"),
        ("192.168.0.1", "IP 192.168.0.1: the provided network does not match the current range"),
    ],
)
def test_an_address_that_is_taken_or_foreign_is_refused(cluster: Any, address: str, text: str) -> None:
    cluster.service("dns", clusterIP="10.96.0.10")
    with pytest.raises(InvalidError) as caught:
        cluster.service("web", clusterIP=address)
    assert text in caught.value.message
    (cause,) = (caught.value.details or {})["causes"]
    assert cause["field"] == "spec.clusterIPs"
    assert not cluster.has("services", "web")


def test_an_address_is_free_again_after_its_service(cluster: Any) -> None:
    address = cluster.service("a")["spec"]["clusterIP"]
    cluster.delete("services", "a")
    assert cluster.service("b", clusterIP=address)["spec"]["clusterIP"] == address


def test_addresses_just_freed_rest_until_the_range_was_gone_through(cluster: Any) -> None:
    first = cluster.service("a")["spec"]["clusterIP"]
    cluster.delete("services", "a")
    assert cluster.service("b")["spec"]["clusterIP"] != first


def test_every_address_is_used_and_then_none_is_left() -> None:
    client = small("10.0.0.0/24")
    count = 254 - 100 + 1
    addresses = [
        client.create("services", plain(f"s{number}"))["spec"]["clusterIP"] for number in range(count)
    ]
    assert set(addresses) == {f"10.0.0.{number}" for number in range(100, 255)}
    with pytest.raises(StatusError, match="range is full"):
        client.create("services", plain("more"))
    client.delete("services", "shop", "s7")
    assert client.create("services", plain("more"))["spec"]["clusterIP"] == addresses[7]


def test_a_network_smaller_than_the_part_kept_for_fixed_addresses_serves_too() -> None:
    client = small("10.0.0.0/29")
    given = {client.create("services", plain(f"s{number}"))["spec"]["clusterIP"] for number in range(6)}
    assert given == {f"10.0.0.{number}" for number in range(1, 7)}
    with pytest.raises(StatusError, match="range is full"):
        client.create("services", plain("more"))


def test_addresses_are_remembered_by_the_services_themselves(cluster: Any) -> None:
    taken = {cluster.service(f"s{number}")["spec"]["clusterIP"] for number in range(3)}
    again = Registry(
        cluster.store,
        clock=cluster.clock,
        ids=SeededIds(9),
        options=AdmissionOptions(disabled=("ServiceAccount",)),
    ).client("system:admin")
    assert again.create("services", plain("new"))["spec"]["clusterIP"] not in taken


def test_a_headless_service_has_no_address_and_needs_no_ports(cluster: Any) -> None:
    meta = {"name": "db", "namespace": "shop"}
    made = cluster.client.create("services", {"metadata": meta, "spec": {"clusterIP": "None"}})
    assert (made["spec"]["clusterIP"], made["spec"]["clusterIPs"]) == ("None", ["None"])
    assert cluster.service("other", clusterIP="None")["spec"]["clusterIP"] == "None"


def test_what_is_no_address_is_refused(cluster: Any) -> None:
    with pytest.raises(
        InvalidError, match=r'spec\.clusterIPs\[0\]: Invalid value: "nonsense": must be a valid IP'
    ):
        cluster.service("web", clusterIP="nonsense")


def test_an_external_name_has_no_address(cluster: Any) -> None:
    spec = {"type": "ExternalName", "externalName": "db.example.com"}
    db: Obj = {"metadata": {"name": "db", "namespace": "shop"}, "spec": spec}
    with pytest.raises(InvalidError, match=r"spec\.clusterIPs: Forbidden: may not be set for ExternalName"):
        cluster.client.create("services", {**db, "spec": {**spec, "clusterIP": "10.96.0.7"}})
    made = cluster.client.create("services", db)
    assert "clusterIP" not in made["spec"]
    assert "clusterIPs" not in made["spec"]


def test_a_service_keeps_its_address_through_updates_that_do_not_name_it(cluster: Any) -> None:
    address = cluster.service("web")["spec"]["clusterIP"]
    changed = cluster.client.update("services", plain("web", ports=[{"port": 81}]))
    assert (changed["spec"]["clusterIP"], changed["spec"]["clusterIPs"]) == (address, [address])


def test_an_address_does_not_change(cluster: Any) -> None:
    made = cluster.service("web")
    for address in ("10.96.0.200", "None"):
        with pytest.raises(
            InvalidError, match=r"spec\.clusterIPs\[0\]: Invalid value: .*may not change once set"
        ):
            cluster.client.update("services", plain("web", clusterIP=address, clusterIPs=[address]))
    assert cluster.client.get("services", "shop", "web") == made


def test_a_service_may_become_an_external_name_and_back(cluster: Any) -> None:
    cluster.service("web")
    external = cluster.client.update("services", plain("web", type="ExternalName", externalName="x.example"))
    assert "clusterIP" not in external["spec"]
    assert cluster.client.update("services", plain("web"))["spec"]["clusterIP"].startswith("10.96.")


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_each_port_of_an_exposed_service_gets_a_node_port_of_its_own(cluster: Any, kind: str) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    first = cluster.service("one", *ports, type=kind)
    second = cluster.service("two", *ports, type=kind)
    assert node_ports(first) + node_ports(second) == [30000, 30001, 30002, 30003]
    assert node_ports(cluster.service("inner")) == [None]


def test_a_node_port_that_was_asked_for_is_given_to_nobody_else(cluster: Any) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30000}]
    assert node_ports(cluster.service("one", *ports, type="NodePort")) == [30001, 30000]
    assert node_ports(cluster.service("two", *ports[:1], type="NodePort")) == [30002]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (30080, "provided port is already allocated"),
        (29999, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
        (32768, "provided port is not in the valid range. The range of valid ports is 30000-32767"),
    ],
)
def test_a_node_port_that_is_taken_or_out_of_range_is_refused(cluster: Any, number: int, text: str) -> None:
    cluster.service("one", {"port": 80, "nodePort": 30080}, type="NodePort")
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": number}]
    with pytest.raises(InvalidError) as caught:
        cluster.service("two", *ports, type="NodePort")
    assert f"spec.ports[1].nodePort: Invalid value: {number}: {text}" in caught.value.message
    assert not cluster.has("services", "two")


def test_one_node_port_may_serve_two_protocols_of_a_service(cluster: Any) -> None:
    ports = [
        {"name": "udp", "port": 53, "protocol": "UDP", "nodePort": 30053},
        {"name": "tcp", "port": 53, "protocol": "TCP", "nodePort": 30053},
    ]
    assert node_ports(cluster.service("dns", *ports, type="NodePort")) == [30053, 30053]
    twice = [{**port, "protocol": "TCP", "nodePort": 30054} for port in ports]
    with pytest.raises(InvalidError, match=r"spec\.ports\[1\]\.nodePort: Duplicate value: 30054"):
        cluster.service("twice", *twice, type="NodePort")


def test_ports_keep_their_node_ports_through_updates_that_do_not_name_them(cluster: Any) -> None:
    ports = [{"name": "a", "port": 80}, {"name": "b", "port": 81}]
    made = cluster.service("web", *ports, type="NodePort")
    assert node_ports(cluster.client.update("services", made)) == [30000, 30001]
    changed = cluster.client.update("services", plain("web", type="NodePort", ports=[*reversed(ports)]))
    assert node_ports(changed) == [30001, 30000]
    added = plain("web", type="NodePort", ports=[{"name": "c", "port": 82}, *ports])
    assert node_ports(cluster.client.update("services", added)) == [30002, 30000, 30001]


def test_a_port_keeps_its_node_port_by_name_unless_another_asks_for_it(cluster: Any) -> None:
    cluster.service("web", {"name": "a", "port": 80, "nodePort": 30500}, type="NodePort")
    moved = plain("web", type="NodePort", ports=[{"name": "a", "port": 8080}])
    assert node_ports(cluster.client.update("services", moved)) == [30500]
    asked = [{"name": "a", "port": 80}, {"name": "b", "port": 81, "nodePort": 30500}]
    taken = cluster.client.update("services", plain("web", type="NodePort", ports=asked))
    assert node_ports(taken) == [30000, 30500]


def test_node_ports_go_when_the_service_is_no_longer_exposed(cluster: Any) -> None:
    cluster.service("web", type="NodePort")
    cluster.client.patch("services", "shop", "web", {"spec": {"type": "LoadBalancer"}})
    exposed = cluster.client.patch("services", "shop", "web", {"spec": {"type": "NodePort"}})
    assert node_ports(exposed) == [30000]
    assert "allocateLoadBalancerNodePorts" not in exposed["spec"]
    inner = cluster.client.patch("services", "shop", "web", {"spec": {"type": "ClusterIP"}})
    assert node_ports(inner) == [None]
    assert "externalTrafficPolicy" not in inner["spec"]
    assert node_ports(cluster.service("two", type="NodePort")) == [30000]


def test_the_last_node_port_can_be_given_and_then_none_is_left(cluster: Any) -> None:
    half = 1384
    for name, start in (("one", 30000), ("two", 30000 + half)):
        ports = [
            {"name": f"p{number}", "port": number + 1, "nodePort": start + number} for number in range(half)
        ]
        cluster.service(name, *(ports[:-1] if name == "two" else ports), type="NodePort")
    assert node_ports(cluster.service("last", type="NodePort")) == [32767]
    with pytest.raises(StatusError, match="range is full"):
        cluster.service("more", type="NodePort")


def test_a_service_is_filled_in(cluster: Any) -> None:
    made = cluster.service("web", {"port": 80})
    assert made["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "clusterIP": "10.96.0.100",
        "clusterIPs": ["10.96.0.100"],
        "selector": {"app": "web"},
        "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
    }
    assert made["status"] == {"loadBalancer": {}}


def test_an_exposed_service_is_filled_in_with_how_traffic_comes_in(cluster: Any) -> None:
    balanced = cluster.service("a", type="LoadBalancer")["spec"]
    assert (balanced["externalTrafficPolicy"], balanced["allocateLoadBalancerNodePorts"]) == ("Cluster", True)
    exposed = cluster.service("b", type="NodePort", externalTrafficPolicy="Local")["spec"]
    assert exposed["externalTrafficPolicy"] == "Local"
    assert "allocateLoadBalancerNodePorts" not in exposed


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"type": "Odd"}, "spec.type"),
        ({"ports": []}, "spec.ports"),
        ({"type": "ExternalName"}, "spec.externalName"),
        ({"ports": [{"port": 0, "targetPort": 80}]}, "spec.ports[0].port"),
        ({"ports": [{"port": 65536, "targetPort": 80}]}, "spec.ports[0].port"),
        ({"ports": [{"targetPort": 80}]}, "spec.ports[0].port"),
        ({"ports": [{"name": "a", "port": 80}, {"port": 81}]}, "spec.ports[1].name"),
    ],
)
def test_a_wrong_service_is_refused_by_field(cluster: Any, spec: Obj, field: str) -> None:
    with pytest.raises(InvalidError) as caught:
        cluster.client.create("services", plain("web", **spec))
    assert [cause["field"] for cause in (caught.value.details or {})["causes"]] == [field]


def test_the_highest_and_the_lowest_port_are_accepted(cluster: Any) -> None:
    cluster.service("web", {"name": "a", "port": 1}, {"name": "b", "port": 65535})
