from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.diagnostics import Location
from leeward.compose.merge import merge_files, strip_tags
from leeward.compose.node import Node, plain
from leeward.compose.project import Service

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def merged(workspace: Workspace, base: str, over: str) -> Service:
    """Load a service ``web`` from two files."""
    workspace.write({"a.yaml": workspace.around(base), "b.yaml": f"services:\n  web: {over}\n"})
    return workspace.project(files=["a.yaml", "b.yaml"]).services["web"]


@pytest.mark.parametrize(
    ("base", "over", "attribute", "value"),
    [
        ("command: [a, b]", "{command: [c]}", "command", ("c",)),
        ("command: [a, b]", "{command: null}", "command", None),
        ("entrypoint: a b", "{entrypoint: c}", "entrypoint", ("c",)),
        ("hostname: a", "{hostname: b}", "hostname", "b"),
        ("hostname: a", "{hostname: }", "hostname", "a"),
        ("hostname: a", "{hostname: !reset null}", "hostname", None),
        (
            "environment: [A=1, B=2]",
            "{environment: {B: 3, C: 4}}",
            "environment",
            {"A": "1", "B": "3", "C": "4"},
        ),
        ("environment: {A: 1}", "{environment: {A: }}", "environment", {"A": None}),
        ("environment: {A: 1, B: 2}", "{environment: !override {C: 3}}", "environment", {"C": "3"}),
        ("environment: {A: 1, B: 2}", "{environment: {A: !reset null}}", "environment", {"B": "2"}),
        ("labels: {a: 1}", "{labels: [a=2, b=3]}", "labels", {"a": "2", "b": "3"}),
        ("dns: 1.1.1.1", "{dns: [1.1.1.1, 2.2.2.2]}", "dns", ("1.1.1.1", "2.2.2.2")),
        ("cap_add: [A]", "{cap_add: [B, A]}", "cap_add", ("A", "B")),
        ("security_opt: [a]", "{security_opt: [a]}", "security_opt", ("a", "a")),
        ("expose: [80, 80]", "{expose: ['80', 81]}", "expose", ("80", "81")),
        ("tmpfs: [/a:size=1m]", "{tmpfs: [/a:size=2m, /b]}", "tmpfs", ("/a:size=2m", "/b")),
        ("profiles: [a]", "{profiles: !reset []}", "profiles", ()),
    ],
)
def test_a_later_file_changes_an_earlier_one(
    workspace: Workspace, base: str, over: str, attribute: str, value: object
) -> None:
    assert getattr(merged(workspace, base, over), attribute) == value


def test_ports_are_the_same_when_address_published_target_and_protocol_are(workspace: Workspace) -> None:
    service = merged(
        workspace,
        "ports: ['8080:80', '53:53/udp']",
        "{ports: ['0.0.0.0:8080:80', {target: 80, published: 8081, name: n}, '53:53']}",
    )
    found = [(port.published, port.target, port.protocol) for port in service.ports]
    assert found == [("8080", 80, "tcp"), ("53", 53, "udp"), ("8081", 80, "tcp"), ("53", 53, "tcp")]


def test_mounts_are_the_same_when_their_target_is(workspace: Workspace) -> None:
    service = merged(workspace, "volumes: ['./a:/x', './b:/y']", "{volumes: ['./c:/x:ro']}")
    assert [(str(m.source)[-1], m.target, m.read_only) for m in service.volumes] == [
        ("c", "/x", True),
        ("b", "/y", False),
    ]


def test_mappings_merge_deeply(workspace: Workspace) -> None:
    service = merged(
        workspace,
        "healthcheck: {test: [CMD, a], interval: 5s}\nbuild: .\ndepends_on: [db]",
        "{healthcheck: {test: b, retries: 2}, build: {target: t},"
        " depends_on: {db: {condition: service_healthy}}}\n  db: {image: x}",
    )
    assert service.healthcheck is not None
    assert service.healthcheck.test == ("CMD-SHELL", "b")
    assert (service.healthcheck.interval, service.healthcheck.retries) == (5.0, 2)
    assert service.build is not None
    assert service.build.target == "t"
    assert service.build.context == str(workspace.root)
    assert service.depends_on["db"].condition == "service_healthy"


def test_logging_options_belong_to_their_driver(workspace: Workspace) -> None:
    base = "logging: {driver: a, options: {x: 1}}"
    same = merged(workspace, base, "{logging: {options: {y: 2}}}")
    assert same.logging is not None
    assert same.logging.options == {"x": "1", "y": "2"}
    other = merged(workspace, base, "{logging: {driver: b, options: {y: 2}}}")
    assert other.logging is not None
    assert (other.logging.driver, other.logging.options) == ("b", {"y": "2"})


def test_a_reset_service_is_gone(workspace: Workspace) -> None:
    workspace.write(
        {"a.yaml": "services: {a: {image: x}, b: {image: y}}", "b.yaml": "services: {b: !reset }"}
    )
    assert list(workspace.project(files=["a.yaml", "b.yaml"]).services) == ["a"]


def test_documents_of_one_file_merge_like_files(workspace: Workspace) -> None:
    project = workspace.project("services: {a: {image: x}}\n---\nservices: {a: {image: y}}\n---\n")
    assert project.services["a"].image == "y"


def test_a_file_with_only_comments_changes_nothing(workspace: Workspace) -> None:
    workspace.write({"a.yaml": "services: {a: {image: x}}", "b.yaml": "# nothing\n"})
    assert list(workspace.project(files=["a.yaml", "b.yaml"]).services) == ["a"]


def test_networks_pools_of_one_subnet_are_one(workspace: Workspace) -> None:
    workspace.write(
        {
            "a.yaml": "services: {a: {image: x}}\nnetworks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}",
            "b.yaml": "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24, gateway: 10.0.0.1}]}}}",
        }
    )
    ipam = workspace.project(files=["a.yaml", "b.yaml"]).networks["n"].ipam
    assert ipam is not None
    assert [(pool.subnet, pool.gateway) for pool in ipam.config] == [("10.0.0.0/24", "10.0.0.1")]


WORDS = st.text(alphabet="abcdef", min_size=1, max_size=3)
SERVICES = st.fixed_dictionaries(
    {},
    optional={
        "image": WORDS,
        "environment": st.dictionaries(WORDS, WORDS, max_size=3),
        "cap_add": st.lists(WORDS, max_size=3),
        "command": st.lists(WORDS, max_size=3),
        "deploy": st.fixed_dictionaries({}, optional={"replicas": st.integers(0, 5), "mode": WORDS}),
    },
)
FILES = st.dictionaries(WORDS, SERVICES, max_size=3).map(lambda services: {"services": services})


def node(value: object) -> Node:
    place = Location("f", 1)
    if isinstance(value, dict):
        return Node({key: node(entry) for key, entry in value.items()}, place)
    if isinstance(value, list):
        return Node([node(entry) for entry in value], place)
    assert value is None or isinstance(value, (str, int))
    return Node(value, place)


def merge(first: object, second: object) -> object:
    return plain(strip_tags(merge_files(node(first), node(second))))


@given(FILES)
def test_merging_a_file_over_nothing_or_nothing_over_a_file_keeps_it(file: object) -> None:
    alone = plain(strip_tags(node(file)))
    assert merge({}, file) == alone
    assert merge(file, {}) == alone


@given(FILES)
def test_merging_a_file_over_itself_changes_nothing(file: object) -> None:
    assert merge(file, file) == plain(strip_tags(node(file)))


@given(FILES, FILES, FILES)
def test_merging_is_associative(a: object, b: object, c: object) -> None:
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
