"""Where a request to a proxy goes."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver.streaming.passing import Location, redirected
from leeward.cluster.apiserver.streaming.proxy import (
    Proxy,
    Wanted,
    endpoints,
    pod_location,
    read_name,
    service_port,
    split_target,
)
from leeward.kube.status import BadRequestError, ServiceUnavailableError

POD: dict[str, Any] = {
    "spec": {"containers": [{"name": "a"}, {"name": "b", "ports": [{"containerPort": 8080}]}]},
    "status": {"podIP": "10.0.0.7"},
}
TARGET = {"kind": "Pod", "name": "a", "namespace": "shop"}
SERVICE = {"metadata": {"name": "web"}, "spec": {"ports": [{"name": "http", "port": 80}]}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web", Wanted("http", "web", "")),
        ("web:http", Wanted("http", "web", "http")),
        ("https:web:443", Wanted("https", "web", "443")),
        ("https:web:", Wanted("https", "web", "")),
    ],
)
def test_a_name_says_scheme_and_port(text: str, expected: Wanted) -> None:
    assert read_name(text, "service") == expected


@pytest.mark.parametrize("text", [":80", "ftp:web:80", "a:b:c:d", "https::80"])
def test_a_name_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(BadRequestError, match="invalid service request"):
        read_name(text, "service")


def test_a_pod_answers_at_its_first_port_or_the_one_wanted() -> None:
    assert pod_location(POD, Wanted("http", "p", "")) == Location("http", "10.0.0.7", 8080)
    assert pod_location(POD, Wanted("https", "p", "443")) == Location("https", "10.0.0.7", 443)
    with pytest.raises(BadRequestError):
        pod_location(POD, Wanted("http", "p", "name"))
    with pytest.raises(BadRequestError, match="address not allowed"):
        pod_location({**POD, "status": {}}, Wanted("http", "p", ""))


@pytest.mark.parametrize("address", ["", "0.0.0.0", "169.254.169.254", "224.0.0.1", "fe80::1", "not one"])
def test_no_address_but_a_pods_is_asked(address: str) -> None:
    with pytest.raises(BadRequestError, match="address not allowed"):
        pod_location({**POD, "status": {"podIP": address}}, Wanted("http", "p", ""))


def test_pods_without_a_network_of_their_own_answer_at_the_ports_that_they_name_only() -> None:
    pod = {**POD, "status": {"podIP": "127.0.0.1"}}

    assert pod_location(pod, Wanted("http", "p", "8080")) == Location("http", "127.0.0.1", 8080)
    with pytest.raises(BadRequestError, match="address not allowed"):
        pod_location(pod, Wanted("http", "p", "5432"))


def test_a_port_of_a_service_has_a_number_and_a_name() -> None:
    assert service_port(SERVICE, "80") == service_port(SERVICE, "http") == "http"
    with pytest.raises(ServiceUnavailableError, match='no service port 81 found for service "web"'):
        service_port(SERVICE, "81")


def test_only_ready_endpoints_of_that_port_are_asked() -> None:
    def piece(port: str, ready: bool | None, address: str, **fields: Any) -> dict[str, Any]:
        return {
            "addressType": "IPv4",
            "ports": [{"name": port, "port": 8080}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}, "targetRef": TARGET}],
            **fields,
        }

    slices = [
        piece("http", True, "10.0.0.1"),
        piece("http", False, "10.0.0.2"),
        piece("admin", True, "10.0.0.3"),
        piece("http", True, "web.example.com", addressType="FQDN"),
        piece("http", True, "10.0.0.4", ports=[{"name": "http"}]),
        piece("http", None, "10.0.0.5", ports=[{"name": "http"}, {"name": "http", "port": 80}]),
    ]
    assert list(endpoints(slices, "http")) == [("10.0.0.1", 8080, TARGET), ("10.0.0.5", 80, TARGET)]


class Reader:
    """A Service "web" with endpoints, and the Pods of the namespace "shop"."""

    def __init__(self, *addresses: tuple[str, Any], port: int = 8080, **pods: Any) -> None:
        ports = [{"name": "http", "port": port}]
        found = [{"addresses": [address], "targetRef": target} for address, target in addresses]
        labels = {"kubernetes.io/service-name": "web"}
        self._slice = {"metadata": {"labels": labels}, "ports": ports, "endpoints": found}
        self._pods = pods

    def get(self, resource: str, namespace: str, name: str) -> Any:
        return SERVICE

    def find(self, resource: str, namespace: str, name: str) -> Any:
        return self._pods.get(name) if (resource, namespace) == ("pods", "shop") else None

    def list(self, resource: str, namespace: str = "") -> Any:
        return [self._slice]

    def location(self) -> Location:
        reader: Any = self
        return Proxy(reader).service_location("shop", Wanted("http", "web", "80"))


def pod(*addresses: str, **container: Any) -> dict[str, Any]:
    return {
        "spec": {"containers": [{"name": "c", **container}]},
        "status": {"podIP": addresses[0], "podIPs": [{"ip": each} for each in addresses]},
    }


def test_a_service_is_reached_at_any_address_of_its_pods() -> None:
    found = Reader(("10.0.0.9", TARGET), a=pod("10.0.0.7", "10.0.0.9")).location()
    assert found == Location("http", "10.0.0.9", 8080)


def test_endpoints_that_are_none_are_passed_over() -> None:
    reader = Reader(("10.0.0.1", None), ("10.0.0.7", TARGET), a=pod("10.0.0.7"))
    assert {reader.location() for _ in range(3)} == {Location("http", "10.0.0.7", 8080)}


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("10.0.0.7", None),
        ("10.0.0.7", {"kind": "Node", "name": "a", "namespace": "shop"}),
        ("10.0.0.7", {"kind": "Pod", "name": "a", "namespace": "other"}),
        ("10.0.0.7", {"kind": "Pod", "name": "gone", "namespace": "shop"}),
        ("10.0.0.8", TARGET),
    ],
)
def test_a_service_is_reached_at_addresses_of_pods_of_its_namespace_only(address: str, target: Any) -> None:
    with pytest.raises(ServiceUnavailableError, match='no endpoints available for service "web"'):
        Reader((address, target), a=pod("10.0.0.7")).location()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254", "0.0.0.0"])
def test_addresses_of_the_machine_are_no_endpoints_but_at_ports_that_the_pod_names(address: str) -> None:
    with pytest.raises(ServiceUnavailableError):
        Reader((address, TARGET), port=5432, a=pod(address, ports=[{"containerPort": 80}])).location()


def test_a_pod_without_a_network_of_its_own_is_an_endpoint_at_the_port_that_it_names() -> None:
    named = pod("127.0.0.1", ports=[{"containerPort": 8080}])
    assert Reader(("127.0.0.1", TARGET), a=named).location() == Location("http", "127.0.0.1", 8080)


def test_a_path_passes_as_it_was_sent() -> None:
    prefix = "/api/v1/namespaces/shop/pods/web:80/proxy"
    assert split_target(f"{prefix}/a%2Fb//c/?q=1&r=%20", "a/b/c") == (prefix, "/a%2Fb//c/?q=1&r=%20")
    assert split_target(f"{prefix}/a%252Fb/../c", "a%2Fb/../c") == (prefix, "/a%252Fb/../c")
    assert split_target(f"{prefix}?q=1", "") == (prefix, "?q=1")


def test_a_path_is_cut_where_the_router_cuts_it() -> None:
    empty = "/api/v1/namespaces/shop/services//web/proxy"
    assert split_target(f"{empty}/x", "x") == (empty, "/x")
    watched = "//api/v1/watch/namespaces/shop/pods/web/proxy"
    assert split_target(f"{watched}//x", "x") == (watched, "//x")


@pytest.mark.parametrize(
    "port", ["\N{SUPERSCRIPT TWO}", "9" * 5000, "0", "65536", "\N{ARABIC-INDIC DIGIT TWO}"]
)
def test_what_is_no_port_is_refused_in_words(port: str) -> None:
    with pytest.raises(BadRequestError, match="invalid pod request"):
        pod_location(POD, Wanted("http", "p", port))
    reader: Any = Reader(("10.0.0.7", TARGET), a=pod("10.0.0.7"))
    with pytest.raises(ServiceUnavailableError, match=r"no (service port|endpoints)"):
        Proxy(reader).service_location("shop", Wanted("http", "web", port))


def test_redirections_stay_below_the_proxy_unless_they_lead_elsewhere() -> None:
    here = Location("http", "10.0.0.7", 8080)
    assert redirected("/login?x=1", here, "/p/proxy") == "/p/proxy/login?x=1"
    assert redirected("http://10.0.0.7:8080/a", here, "/p/proxy") == "/p/proxy/a"
    assert redirected("https://example.com/a", here, "/p/proxy") == "https://example.com/a"
    assert redirected("next", here, "/p/proxy") == "next"
