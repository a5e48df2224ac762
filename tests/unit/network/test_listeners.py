"""Which listeners proxy and published ports want, as Services come and go."""

import json
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.proxy import Address, ServiceProxy
from leeward.cluster.network.published import PublishedPorts
from leeward.kube.objects import Obj, ObjectKey, key_of


def published(service: Obj, *ports: dict[str, Any]) -> Obj:
    service["metadata"]["annotations"] = {"leeward.dev/published-ports": json.dumps(ports)}
    return service


def make_proxy(made: SimpleNamespace) -> ServiceProxy:
    clock, connections = VirtualClock(), Connections()
    balancer = Balancer(made.table, clock, connections, Random(1))
    return ServiceProxy(made.table, balancer, connections, clock=clock)


def make_ports(made: SimpleNamespace) -> PublishedPorts:
    nobody = cast("Any", None)
    return PublishedPorts(made.reader, made.table, nobody, nobody, nobody)


@pytest.mark.parametrize("names", [("old", "new"), ("new", "old")])
def test_a_service_may_take_the_address_of_one_deleted_at_the_same_time(
    world: Any, names: tuple[str, str]
) -> None:
    before, after = names
    made = world([world.service(before)])
    proxy = make_proxy(made)
    proxy.changed({ObjectKey("shop", before)})
    made.reader.objects["services"] = [world.service(after)]
    made.table.start()
    made.table._views.pop(ObjectKey("shop", before))

    proxy.changed({ObjectKey("shop", before), ObjectKey("shop", after)})

    assert proxy.wanted() == [Address("10.0.0.5", 80, "TCP")]


def test_ports_of_one_number_and_two_protocols_have_their_own_endpoints(world: Any) -> None:
    ports = [{"name": name, "port": 53, "protocol": name.upper()} for name in ("tcp", "udp")]
    slices = world.slice("dns", "10.0.1.1")
    slices["ports"] = [
        {"name": "tcp", "port": 5301, "protocol": "TCP"},
        {"name": "udp", "port": 5302, "protocol": "UDP"},
    ]
    made = world([world.service("dns", ports=ports)], [slices])
    proxy = make_proxy(made)
    proxy.changed({ObjectKey("shop", "dns")})

    found = {a.protocol: [e.port for e in proxy.ready(a)] for a in proxy.wanted()}

    assert found == {"TCP": [5301], "UDP": [5302]}


@pytest.mark.parametrize("number", [0, 65536, -1])
def test_a_published_port_that_is_no_port_is_left_out(world: Any, number: int) -> None:
    service = published(world.service("web"), {"published": number, "target": 80})
    ports = make_ports(world([service]))

    ports.changed({key_of(service)})

    assert ports.wanted() == {}


def test_a_published_port_goes_to_who_else_wants_it_when_its_service_is_gone(world: Any) -> None:
    port = {"published": 8080, "target": 80}
    services = [published(world.service(name), port) for name in ("a", "b")]
    made = world(services)
    ports = make_ports(made)
    ports.changed({key_of(service) for service in services})
    assert [target.service.name for target in ports.wanted().values()] == ["a"]
    del services[0]

    ports.changed({ObjectKey("shop", "a")})

    assert [target.service.name for target in ports.wanted().values()] == ["b"]


def test_a_published_port_is_not_taken_from_the_service_that_has_it(world: Any) -> None:
    port = {"published": 8080, "target": 80}
    services = [published(world.service("b"), port)]
    ports = make_ports(world(services))
    ports.changed({ObjectKey("shop", "b")})
    services.append(published(world.service("a"), port))

    ports.changed({ObjectKey("shop", "a"), ObjectKey("shop", "b")})

    assert [target.service.name for target in ports.wanted().values()] == ["b"]
