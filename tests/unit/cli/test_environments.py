"""What ``leeward.yaml`` changes about loading and rendering."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.cli.projects import Source, load_options

Tool = Callable[..., tuple[int, str, str]]

COMPOSE = """
services:
  web: {image: "web:${TAG:-dev}", expose: ["80"]}
  debug: {image: x, profiles: [debug]}
"""
CONFIG = """
app: storefront
environments:
  ci: {cluster: local}
  production:
    cluster: eks
    from: ci
    compose: compose.prod.yaml
    variables: {TAG: "7"}
    profiles: debug
    size: large
    replicas: {web: 4}
clusters:
  eks: {context: eks}
"""


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a project with a leeward.yaml into the working directory."""
    for name in ("TAG", "COMPOSE_FILE", "COMPOSE_PROFILES"):
        monkeypatch.delenv(name, raising=False)
    Path("compose.yaml").write_text(COMPOSE)
    Path("compose.override.yaml").write_text("services: {web: {environment: {WHERE: here}}}\n")
    Path("compose.prod.yaml").write_text("services: {web: {x-leeward: {hosts: [shop.example]}}}\n")
    Path("leeward.yaml").write_text(CONFIG)


@pytest.fixture
def objects(tool: Tool) -> Callable[..., dict[tuple[str, str], Any]]:
    """Render with options; objects by kind and name."""

    def call(*options: str) -> dict[tuple[str, str], Any]:
        code, out, err = tool("render", "--format", "json", *options)
        assert code == 0, err
        found = json.loads(out)
        items = found["items"] if isinstance(found, dict) else found
        return {(obj["kind"], obj["metadata"]["name"]): obj for obj in items}

    return call


def test_an_environment_has_its_files_variables_profiles_and_sizes(objects: Any) -> None:
    found = objects("--env", "production")

    web = found["Deployment", "web"]
    container = web["spec"]["template"]["spec"]["containers"][0]
    assert web["metadata"]["namespace"] == "storefront-production"
    assert (web["spec"]["replicas"], container["image"]) == (4, "web:7")
    assert container["resources"]["requests"] == {"cpu": "1", "memory": "2Gi"}
    assert "env" not in container
    assert found["Ingress", "web"]["spec"]["rules"][0]["host"] == "shop.example"
    assert ("Deployment", "debug") in found


def test_the_shell_wins_over_the_variables_of_an_environment(
    objects: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAG", "8")

    web = objects("--env", "production")["Deployment", "web"]
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "web:8"


def test_local_has_the_override_file_and_the_name_of_the_application(objects: Any) -> None:
    web = objects()["Deployment", "web"]

    assert web["metadata"]["namespace"] == "storefront"
    assert web["spec"]["template"]["spec"]["containers"][0]["env"] == [{"name": "WHERE", "value": "here"}]


def test_an_environment_on_the_embedded_cluster_is_rendered_for_it(objects: Any) -> None:
    Path("compose.yaml").write_text("services: {web: {image: x, ports: ['80:80']}}\n")

    assert objects("--env", "ci")["Ingress", "web"]["spec"]["ingressClassName"] == "leeward"


def test_an_environment_that_is_not_there_is_an_error_that_lists_the_others(tool: Tool) -> None:
    code, _, err = tool("render", "--env", "productoin")

    assert code == 2
    assert 'There is no environment "productoin". It has ci, production.' in err
    assert 'Did you mean "production"?' in err
    assert "leeward.yaml:3" in err


def test_files_on_the_command_line_take_the_place_of_those_of_the_environment(objects: Any) -> None:
    assert ("Ingress", "web") not in objects("--env", "production", "-f", "compose.yaml")


def test_services_and_sizes_that_an_environment_names_must_exist(tool: Tool) -> None:
    text = CONFIG.replace("{web: 4}", "{wed: 4}").replace("large", "larg") + "\n"
    Path("leeward.yaml").write_text(text.replace("profiles: debug", "verify: [smoke]"))

    code, _, err = tool("render", "--env", "production")
    assert code == 2
    assert 'environments.production.replicas.wed: There is no service "wed".' in err
    assert 'environments.production.size: There is no size "larg".' in err
    assert 'environments.production.verify[0].run: There is no service "smoke".' in err


def test_every_mistake_in_leeward_yaml_stops_rendering(tool: Tool) -> None:
    Path("leeward.yaml").write_text("app: shop\nenvironments: {ci: {soak: soon}, qa: {from: cii}}\n")

    code, out, err = tool("render")
    assert (code, out) == (2, "")
    assert err.count("leeward.yaml:2: error:") == 2


def test_a_mistake_in_leeward_yaml_does_not_hide_the_name_from_other_verbs() -> None:
    Path("leeward.yaml").write_text("app: shop\nenvironments: {ci: {soak: soon}}\n")

    assert load_options(Source()).project_name == "shop"


def test_a_project_without_leeward_yaml_is_as_before(objects: Any) -> None:
    Path("leeward.yaml").unlink()

    found = objects("--env", "production")
    assert found["Deployment", "web"]["metadata"]["namespace"] == "work-production"


def test_an_external_service_needs_no_image_here(tool: Tool) -> None:
    from leeward.cli.projects import render_project
    from leeward.compose.project import Project

    Path("compose.yaml").write_text(
        "services: {web: {image: x}, db: {image: postgres, x-leeward: {external: db.example}}}\n"
    )
    Path("compose.override.yaml").unlink()
    built: list[str] = []

    def build(project: Project) -> dict[str, str]:
        built.extend(project.services)
        return {}

    rendered = render_project(Source(), build=build)
    assert built == ["web"]
    assert [*rendered.project.services] == ["web"]
    assert [obj["metadata"]["name"] for obj in rendered.objects if obj["kind"] == "Service"] == ["db", "web"]


def test_a_fresh_cluster_is_as_leeward_yaml_describes_it() -> None:
    from leeward.cli.commands.up import _start_options
    from leeward.cli.projects import render_project

    described = "clusters:\n  local: {embedded: {zones: 2, nodes_per_zone: 1}}\n"
    Path("leeward.yaml").write_text(CONFIG.replace("clusters:\n", described))
    rendered = render_project(Source())

    fresh, known = (_start_options("local", rendered, fresh=fresh) for fresh in (True, False))
    assert (fresh.zones, fresh.nodes_per_zone) == (2, 1)
    assert (known.zones, known.nodes_per_zone) == (None, None)
    assert _start_options("other", rendered, fresh=True).zones is None
