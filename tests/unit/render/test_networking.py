from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]


def test_a_service_listens_on_container_ports_not_published_ones(render_text: Render) -> None:
    service = render_text("services: {web: {image: x, ports: ['8000:80'], expose: ['9000']}}").find(
        "Service", "web"
    )
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [
        (80, 80),
        (9000, 9000),
    ]
    assert json.loads(service["metadata"]["annotations"]["leeward.dev/published-ports"]) == [
        {"hostIP": "127.0.0.1", "published": 8000, "target": 80, "protocol": "TCP"}
    ]


def test_a_service_without_ports_still_has_a_name(render_text: Render) -> None:
    spec = render_text("services: {db: {image: x}}").find("Service", "db")["spec"]
    assert spec["clusterIP"] == "None"
    assert "ports" not in spec


def test_one_port_number_may_be_both_tcp_and_udp(render_text: Render) -> None:
    service = render_text("services: {dns: {image: x, expose: ['53', '53/udp']}}").find("Service", "dns")
    assert [port["protocol"] for port in service["spec"]["ports"]] == ["TCP", "UDP"]


def test_a_stateful_service_has_its_name_and_names_for_its_pods(render_text: Render) -> None:
    result = render_text("services: {db: {image: x, expose: ['1'], volumes: ['data:/d']}}\nvolumes: {data: }")
    assert result.names("Service") == ["db", "db-pods"]
    assert result.find("StatefulSet", "db")["spec"]["serviceName"] == "db-pods"
    assert result.find("Service", "db-pods")["spec"]["publishNotReadyAddresses"] is True


def test_an_alias_of_two_services_reaches_both(render_text: Render) -> None:
    result = render_text("""
        services:
          a: {image: x, networks: {n: {aliases: [both]}}}
          b: {image: x, networks: {n: {aliases: [both]}}}
        networks: {n: }
    """)
    selector = result.find("Service", "both")["spec"]["selector"]
    for name in ("a", "b"):
        labels = result.find("Deployment", name)["spec"]["template"]["metadata"]["labels"]
        assert selector.items() <= labels.items()


@pytest.mark.parametrize(("target", "has_ingress"), [(80, True), (3000, True), (5432, False), (443, False)])
def test_a_published_port_that_looks_like_http_has_an_ingress(
    target: int, has_ingress: bool, render_text: Render
) -> None:
    result = render_text(f"services: {{web: {{image: x, ports: ['8000:{target}']}}}}")
    assert result.names("Ingress") == (["web"] if has_ingress else [])


def test_away_from_local_an_ingress_needs_a_host_and_says_so(render_text: Render) -> None:
    text = "services: {web: {image: x, ports: ['80:80'], x-leeward: {hosts: [%s]}}}"
    without = render_text(text % "", environment="production")
    assert (without.names("Ingress"), "no-host" in without.codes()) == ([], True)
    with_host = render_text(text % "shop.example", environment="production").find("Ingress", "web")
    assert [rule["host"] for rule in with_host["spec"]["rules"]] == ["shop.example"]


def test_an_internal_network_has_no_way_out(render_text: Render) -> None:
    result = render_text("""
        services: {a: {image: x, networks: [inside]}, b: {image: x, networks: [outside]}}
        networks: {inside: {internal: true}, outside: }
    """)
    ways = {
        name: len(result.find("NetworkPolicy", f"network-{name}")["spec"]["egress"])
        for name in ("inside", "outside")
    }
    assert ways == {"inside": 1, "outside": 2}


def test_everything_is_closed_but_dns_by_default(render_text: Render) -> None:
    spec = render_text("services: {a: {image: x}}").find("NetworkPolicy", "default-deny")["spec"]
    assert spec["podSelector"] == {}
    assert "ingress" not in spec
    assert [port["port"] for rule in spec["egress"] for port in rule["ports"]] == [53, 53]


def test_a_volume_of_two_services_is_one_claim(render_text: Render) -> None:
    result = render_text("""
        services: {a: {image: x, volumes: ["data:/d"]}, b: {image: x, volumes: ["data:/d"]}}
        volumes: {data: }
    """)
    assert result.find("PersistentVolumeClaim", "data")["spec"]["accessModes"] == ["ReadWriteMany"]
    claims = {
        result.pod("Deployment", name)["volumes"][0]["persistentVolumeClaim"]["claimName"] for name in "ab"
    }
    assert claims == {"data"}


def test_an_external_volume_is_used_and_never_made(render_text: Render) -> None:
    result = render_text("""
        services: {a: {image: x, volumes: ["data:/d"]}}
        volumes: {data: {external: true, name: theirs}}
    """)
    assert result.names("PersistentVolumeClaim") == []
    assert result.pod("Deployment", "a")["volumes"][0]["persistentVolumeClaim"]["claimName"] == "theirs"


def test_a_single_stateful_pod_finds_itself_by_its_service_name_before_it_is_ready(
    render_text: Render,
) -> None:
    service = "{{image: x, expose: [9092], volumes: ['data:/d'], scale: {}}}"
    text = f"services: {{{{kafka: {service}}}}}\nvolumes: {{{{data: }}}}"
    one = render_text(text.format(1)).find("Service", "kafka")["spec"]
    assert (one["clusterIP"], one["publishNotReadyAddresses"]) == ("None", True)
    assert "clusterIP" not in render_text(text.format(3)).find("Service", "kafka")["spec"]


def test_a_protocol_that_kubernetes_cannot_name_is_an_error(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, ports: [{target: 80, app_protocol: foo bar}]}}")
    assert "Kubernetes has no protocol called 'foo bar'." in str(result.diagnostics)


def test_a_constraint_that_no_label_can_meet_is_an_error(render_text: Render) -> None:
    text = "services: {a: {image: x, deploy: {placement: {constraints: [node.labels.zone == a/b]}}}}"
    assert "No node has the label zone=a/b" in str(render_text(text).diagnostics)


@pytest.mark.parametrize(("name", "claim"), [("Bad Name", "bad-name"), ("app_data", "app-data")])
def test_an_external_volume_that_no_claim_can_be_called_like_is_told(
    name: str, claim: str, render_text: Render
) -> None:
    text = (
        "services: {a: {image: x, volumes: ['old:/d']}}\n"
        f"volumes: {{old: {{external: true, name: {name}}}}}"
    )
    result = render_text(text)
    assert f"It is the claim '{claim}': no claim can be called '{name}'." in str(result.diagnostics)
