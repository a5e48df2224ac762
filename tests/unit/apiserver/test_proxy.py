"""Where a request to a proxy goes."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.apiserver.streaming.passing import Location, redirected
from leeward.cluster.apiserver.streaming.proxy import (
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
    def piece(port: str, ready: bool, address: str) -> dict[str, Any]:
        return {
            "ports": [{"name": port, "port": 8080}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": ready}}],
        }

    slices = [
        piece("http", True, "10.0.0.1"),
        piece("http", False, "10.0.0.2"),
        piece("admin", True, "10.0.0.3"),
    ]
    assert list(endpoints(slices, "http")) == [("10.0.0.1", 8080)]


def test_a_path_passes_as_it_was_sent() -> None:
    prefix = "/api/v1/namespaces/shop/pods/web:80/proxy"
    assert split_target(f"{prefix}/a%2Fb//c/?q=1&r=%20") == (prefix, "/a%2Fb//c/?q=1&r=%20")
    assert split_target(f"{prefix}?q=1") == (prefix, "?q=1")


def test_redirections_stay_below_the_proxy_unless_they_lead_elsewhere() -> None:
    here = Location("http", "10.0.0.7", 8080)
    assert redirected("/login?x=1", here, "/p/proxy") == "/p/proxy/login?x=1"
    assert redirected("http://10.0.0.7:8080/a", here, "/p/proxy") == "/p/proxy/a"
    assert redirected("https://example.com/a", here, "/p/proxy") == "https://example.com/a"
    assert redirected("next", here, "/p/proxy") == "next"
