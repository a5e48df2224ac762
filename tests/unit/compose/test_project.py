from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import pytest

from leeward.base.diagnostics import Location
from leeward.compose import project as model
from leeward.compose import schema
from leeward.compose.node import Node
from leeward.compose.project import Dependency, Locations, NetworkAttachment
from leeward.compose.shapes import Record

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def test_services_without_networks_join_the_default_one(workspace: Workspace) -> None:
    project = workspace.project(
        """
        name: shop
        services:
          a: {image: x}
          b: {image: x, networks: [back]}
          c: {image: x, network_mode: host}
          d: {image: x, networks: {back: {aliases: [data]}, default: }}
        networks: {back: {internal: true}, out: {external: true}}
        """
    )
    assert {name: list(service.networks) for name, service in project.services.items()} == {
        "a": ["default"],
        "b": ["back"],
        "c": [],
        "d": ["back", "default"],
    }
    assert project.services["d"].networks["back"] == NetworkAttachment(aliases=("data",))
    assert {key: network.name for key, network in project.networks.items()} == {
        "back": "shop_back",
        "out": "out",
        "default": "shop_default",
    }
    assert project.networks["back"].internal


def test_the_default_network_is_absent_when_nobody_uses_it(workspace: Workspace) -> None:
    assert not workspace.project(workspace.around("network_mode: none")).networks


def test_links_namespaces_and_volumes_from_imply_dependencies(workspace: Workspace) -> None:
    project = workspace.project(
        """
        services:
          web:
            image: x
            links: ["db:data"]
            network_mode: "service:vpn"
            volumes_from: ["store:ro", "container:c"]
          db: {image: x}
          vpn: {image: x}
          store: {image: x}
        """
    )
    assert project.services["web"].depends_on == {
        "db": Dependency(restart=True),
        "vpn": Dependency(restart=True),
        "store": Dependency(),
    }


def test_an_external_resource_keeps_its_name(workspace: Workspace) -> None:
    project = workspace.project(
        workspace.around(
            "", "volumes: {a: {external: true}, b: {external: {name: real}}, c: {name: $N, external: true}}"
        )
    )
    assert [(volume.name, volume.external) for volume in project.volumes.values()] == [
        ("a", True),
        ("real", True),
        ("c", True),
    ]


def test_a_local_bind_volume_gets_an_absolute_device(workspace: Workspace) -> None:
    project = workspace.project(
        workspace.around("", "volumes: {a: {driver_opts: {type: none, o: bind, device: ./d}}}")
    )
    assert project.volumes["a"].driver_opts["device"] == str(workspace.root / "d")


def test_home_is_the_environments(workspace: Workspace) -> None:
    workspace.environment["HOME"] = "/home/me"
    assert workspace.web("volumes: ['~/x:/x']").volumes[0].source == "/home/me/x"


PROFILES = """
services:
  always: {image: x}
  debug: {image: x, profiles: [debug, dev]}
  test: {image: x, profiles: [test], depends_on: [debug]}
"""


@pytest.mark.parametrize(
    ("profiles", "enabled"),
    [
        ((), ["always"]),
        (("dev",), ["always", "debug"]),
        (("test", "debug"), ["always", "debug", "test"]),
        (("*",), ["always", "debug", "test"]),
    ],
)
def test_profiles_enable_services(
    workspace: Workspace, profiles: tuple[str, ...], enabled: list[str]
) -> None:
    project = workspace.project(PROFILES, profiles=profiles)
    assert list(project.services) == enabled
    assert set(project.disabled) == {"always", "debug", "test"} - set(enabled)
    workspace.environment["COMPOSE_PROFILES"] = ",".join(profiles)
    assert list(workspace.project(PROFILES).services) == enabled


def test_a_service_named_by_the_user_is_enabled_without_its_profile(workspace: Workspace) -> None:
    assert list(workspace.project(PROFILES, services=["debug"]).services) == ["always", "debug"]


def test_depending_on_a_disabled_service_names_the_remedy(workspace: Workspace) -> None:
    assert workspace.error(PROFILES, profiles=["test"]) == (
        'compose.yaml:4: error: services.test.depends_on.debug: The service "debug" belongs to a profile '
        "that is not active. Activate its profile with --profile, or write required: false."
    )


def test_when_every_service_is_disabled_it_says_so(workspace: Workspace) -> None:
    result = workspace.load("services: {a: {image: x, profiles: [p]}}")
    assert [found.code for found in result.diagnostics] == ["nothing-enabled"]


def test_every_value_has_its_line_in_its_file(workspace: Workspace) -> None:
    workspace.write(
        {
            "a.yaml": """
                services:
                  web:
                    image: x
                    ports:
                      - 80
                      - target: 81
                        name: n
                    environment:
                      A: 1
                    command: a
            """,
            "b.yaml": "services:\n  web:\n    command: b\n    environment:\n      - B=1\n    ports: [82]\n",
        }
    )
    find = workspace.project(files=["a.yaml", "b.yaml"]).locations.find
    web = ("services", "web")
    places = {
        (): "a.yaml",
        web: "a.yaml:2",
        (*web, "image"): "a.yaml:3",
        (*web, "ports"): "a.yaml:4",
        (*web, "ports", 0): "a.yaml:5",
        (*web, "ports", 0, "target"): "a.yaml:5",
        (*web, "ports", 1, "name"): "a.yaml:7",
        (*web, "ports", 2): "b.yaml:6",
        (*web, "environment", "A"): "a.yaml:9",
        (*web, "environment", "B"): "b.yaml:5",
        (*web, "environment", "absent"): "a.yaml:8",
        (*web, "command"): "b.yaml:3",
        (*web, "hostname"): "a.yaml:2",
    }
    assert {path: str(find(*path)) for path in places} == places | {(): str(find())}


def test_an_unknown_path_has_its_nearest_ancestors_place() -> None:
    place = Location("f", 1)
    tree = Node({"a": Node([Node("x", place)], place)}, Location("compose.yaml", 1))
    assert Locations(tree).find("a", 0, "b") == place
    assert Locations(tree).find("a", 7) == place
    assert Locations(tree).find("b") == Location("compose.yaml", 1)
    assert Locations().find() is None


@pytest.mark.parametrize(
    ("shape", "kind", "elsewhere"),
    [
        (schema.SERVICE, model.Service, {"extends"}),
        (schema.BUILD, model.Build, set()),
        (schema.PORT, model.Port, set()),
        (schema.MOUNT, model.Mount, {"image"}),
        (schema.ATTACHMENT, model.NetworkAttachment, set()),
        (schema.HEALTHCHECK, model.Healthcheck, set()),
        (schema.DEPLOY, model.Deploy, {"resources"}),
        (schema.UPDATE, model.UpdateConfig, set()),
        (schema.HOOK, model.Hook, set()),
        (schema.PRE_START, model.Hook, set()),
        (schema.NETWORK, model.Network, set()),
        (schema.VOLUME, model.Volume, set()),
        (schema.CONFIG, model.Config, set()),
        (schema.SECRET, model.Secret, set()),
        (schema.COMPOSE, model.Project, {"version", "include"}),
    ],
)
def test_no_key_of_the_schema_is_dropped(shape: Record, kind: type, elsewhere: set[str]) -> None:
    assert set(shape.keys) - {field.name for field in fields(kind)} == elsewhere
