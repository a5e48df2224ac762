"""Who has a published port."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from leeward.cli.ports import Address, Holder, holders_of_cluster, holders_of_projects, taken_ports
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Project


def project(*ports: str) -> Project:
    listed = "\n".join(f"    - '{port}'" for port in ports)
    Path("compose.yaml").write_text(f"name: shop\nservices:\n  web:\n    image: x\n    ports:\n{listed}\n")
    return load_project(LoadOptions(working_dir=Path.cwd())).project


def service(project: str, port: int) -> dict[str, Any]:
    published = json.dumps([{"published": str(port), "target": 80}])
    labels = {"app.kubernetes.io/part-of": project}
    return {"metadata": {"labels": labels, "annotations": {"leeward.dev/published-ports": published}}}


def findings(port: str, busy: set[Address], holders: dict[Address, Holder]) -> list[tuple[str, str]]:
    return [(item.message, item.remedy) for item in taken_ports(project(port), "local", busy, holders)]


BUSY = {("127.0.0.1", 8080)}


def test_the_ingress_is_named_with_the_way_to_move_it() -> None:
    holders = holders_of_cluster("dev", {"ingressPort": 8080, "apiPort": 6443})

    ((message, remedy),) = findings("8080:80", BUSY, holders)

    assert message == "port 8080 on 127.0.0.1 is the ingress of cluster dev"
    assert "leeward cluster stop --name dev" in remedy
    assert "leeward cluster start --name dev --ingress-port" in remedy


def test_the_ingress_is_named_for_another_address_too() -> None:
    holders = holders_of_cluster("local", {"ingressPort": 8080, "apiPort": 6443})

    ((message, _),) = findings("0.0.0.0:8080:80", {("0.0.0.0", 8080)}, holders)

    assert message == "port 8080 on 0.0.0.0 is the ingress of cluster local"


def test_another_project_is_named_with_the_way_to_take_it_down() -> None:
    ((message, remedy),) = findings("8080:80", BUSY, holders_of_projects("dev", [service("blog", 8080)]))

    assert message == "port 8080 on 127.0.0.1 is published by project blog on cluster dev"
    assert "`leeward down -p blog --cluster dev`" in remedy


def test_its_own_ports_are_no_hindrance_but_those_of_its_like_elsewhere_are() -> None:
    own, other = (holders_of_projects(name, [service("shop", 8080)]) for name in ("local", "dev"))

    assert findings("8080:80", BUSY, own) == []
    assert len(findings("8080:80", BUSY, other)) == 1


def test_another_program_is_told_as_before() -> None:
    ((message, remedy),) = findings("8080:80", BUSY, {})

    assert message == "port 8080 on 127.0.0.1 is already taken"
    assert remedy.startswith("Stop the program")


def test_a_port_that_only_the_ingress_may_have_is_free_when_nothing_listens() -> None:
    assert findings("8080:80", set(), holders_of_cluster("dev", {"ingressPort": 8080, "apiPort": 1})) == []


def test_a_cluster_leaves_the_published_ports_to_the_project(home: Path) -> None:
    from leeward.cli.clusters import StartOptions, prepare

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    prepare(StartOptions(runtime="simulated", ingress_port=port))

    state = prepare(StartOptions(reserved=frozenset([port])))

    assert state.load()["ingressPort"] != port


@pytest.mark.parametrize("port", ["80", "8000-8005:80", "53:53/udp"])
def test_what_is_not_one_tcp_port_is_not_checked(port: str) -> None:
    assert findings(port, {("127.0.0.1", 8000), ("127.0.0.1", 53)}, {}) == []
