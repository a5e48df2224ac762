"""Names resolve and requests find their Service."""

from typing import Any

import dnslib
import pytest

from leeward.cluster.network.dns import Names, answer
from leeward.cluster.network.routes import find_route


def ask(names: Names, name: str, kind: str = "A") -> tuple[str, list[str]]:
    reply = answer(names, dnslib.DNSRecord.question(name, kind).pack())
    assert reply is not None
    record = dnslib.DNSRecord.parse(reply)
    return dnslib.RCODE[record.header.rcode], [str(found.rdata) for found in record.rr]


@pytest.fixture
def names(world: Any) -> Names:
    services = [
        world.service("web"),
        world.service("db", ip="None"),
        world.service("mail", ip="", externalName="mail.example.com"),
    ]
    return Names(world(services, [world.slice("db", "10.0.1.1", "10.0.1.2")]).table)


def test_a_service_name_resolves_to_its_address(names: Names) -> None:
    assert ask(names, "web.shop.svc.cluster.local") == ("NOERROR", ["10.0.0.5"])


def test_a_headless_service_resolves_to_its_ready_pods(names: Names) -> None:
    assert ask(names, "db.shop.svc.cluster.local") == ("NOERROR", ["10.0.1.1", "10.0.1.2"])
    assert ask(names, "10-0-1-2.db.shop.svc.cluster.local") == ("NOERROR", ["10.0.1.2"])


def test_an_external_name_is_an_alias(names: Names) -> None:
    assert ask(names, "mail.shop.svc.cluster.local") == ("NOERROR", ["mail.example.com."])


def test_an_unknown_name_in_the_cluster_does_not_exist(names: Names) -> None:
    assert ask(names, "nobody.shop.svc.cluster.local") == ("NXDOMAIN", [])


def test_a_question_for_another_record_type_of_a_known_name_has_no_answer(names: Names) -> None:
    assert ask(names, "web.shop.svc.cluster.local", "AAAA") == ("NOERROR", [])


def test_ports_have_srv_records_and_addresses_have_names(names: Names) -> None:
    assert ask(names, "_http._tcp.web.shop.svc.cluster.local", "SRV")[1] == [
        "0 100 80 web.shop.svc.cluster.local."
    ]
    assert ask(names, "5.0.0.10.in-addr.arpa", "PTR")[1] == ["web.shop.svc.cluster.local."]


def test_names_outside_the_cluster_are_left_to_the_machine(names: Names) -> None:
    assert answer(names, dnslib.DNSRecord.question("example.com").pack()) is None


def test_garbage_is_refused() -> None:
    with pytest.raises(ValueError, match="not a DNS question"):
        answer(Names.__new__(Names), b"x")


def ingress(host: str, *paths: tuple[str, str, str]) -> dict[str, Any]:
    entries = [
        {"path": path, "pathType": kind, "backend": {"service": {"name": name, "port": {"number": 80}}}}
        for path, kind, name in paths
    ]
    return {
        "metadata": {"name": "i", "namespace": "shop"},
        "spec": {"ingressClassName": "leeward", "rules": [{"host": host, "http": {"paths": entries}}]},
    }


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        pytest.param("shop.test", "/", "web", id="root"),
        pytest.param("shop.test", "/api/v1", "api", id="longest-prefix"),
        pytest.param("shop.test", "/apiary", "web", id="prefix-matches-whole-elements"),
        pytest.param("shop.test", "/api", "exact", id="exact-before-prefix"),
        pytest.param("api.localhost", "/", "api", id="by-name"),
        pytest.param("api.shop.localhost", "/", "api", id="by-name-and-namespace"),
        pytest.param("nobody.localhost", "/", None, id="unknown-name"),
        pytest.param("other.test", "/", None, id="unknown-host"),
    ],
)
def test_a_request_goes_to_the_best_rule(world: Any, host: str, path: str, expected: str | None) -> None:
    rules = ingress(
        "shop.test", ("/", "Prefix", "web"), ("/api", "Prefix", "api"), ("/api", "Exact", "exact")
    )
    services = [world.service(name) for name in ("web", "api", "exact")]
    made = world(services, [], [rules])
    route = find_route(made.reader, made.table, host, path)
    assert (route.service.name if route else None) == expected


def test_a_host_stays_with_the_ingress_that_had_it_first(world: Any) -> None:
    old, new = (ingress("web.localhost", ("/", "Prefix", name)) for name in ("web", "api"))
    old["metadata"] |= {"name": "z", "creationTimestamp": "2030-01-01T00:00:00Z"}
    new["metadata"] |= {"name": "a", "creationTimestamp": "2030-01-02T00:00:00Z"}
    made = world([world.service(name) for name in ("web", "api")], [], [new, old])

    route = find_route(made.reader, made.table, "web.localhost", "/")

    assert route is not None
    assert route.service.name == "web"


def test_a_name_does_not_resolve_to_a_pod_that_is_leaving_while_there_is_another(world: Any) -> None:
    service = world.service("db", ip="None", publishNotReadyAddresses=True)
    leaving, staying = world.slice("db", "10.0.1.1"), world.slice("db", "10.0.1.2")
    leaving["endpoints"][0]["conditions"]["terminating"] = True
    staying["metadata"]["name"] = "db-y"

    names = Names(world([service], [leaving, staying]).table)

    assert ask(names, "db.shop.svc.cluster.local") == ("NOERROR", ["10.0.1.2"])
