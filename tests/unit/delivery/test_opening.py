"""From a release and an overlay to a project that can be rendered."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from leeward.base.errors import DiagnosticsError
from leeward.delivery.environments.environment import Overlay
from leeward.delivery.releases.bundle import Bundle
from leeward.delivery.releases.opening import open_bundle
from leeward.kube.objects import Obj
from leeward.render.render import render
from tests.unit.delivery.releasing import made, write

COMPOSE = """
services:
  web:
    image: web:${TAG:-1}
    ports: ["80:80"]
    environment: {DB_PASSWORD: abc, LEVEL: "${LEVEL:-info}"}
    secrets: [token]
    configs: [settings]
    volumes: ["./certs:/certs"]
  debug: {image: debug, profiles: [debug], environment: {DEBUG_TOKEN: abc}}
configs: {settings: {file: ../settings.json}}
secrets: {token: {file: token.txt}}
"""
FILES: dict[str, str | bytes] = {
    "compose.yaml": COMPOSE,
    "../settings.json": "{}",
    "token.txt": "t",
    "certs/tls.key": "k",
    "certs/tls.crt": "c",
}
PIN = f"r.example.com/web@sha256:{'a' * 64}"
SECRETS = {"DB_PASSWORD": b"abc", "token": b"t", "certs__tls.key": b"k"}


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return made(write(tmp_path / "shop", FILES), {"web": PIN, "debug": "debug"}).bundle


def opened(
    bundle: Bundle, overlay: Overlay | None = None, secrets: Mapping[str, bytes] = SECRETS, **variables: str
) -> dict[tuple[str, str], Obj]:
    project, options = open_bundle(bundle, overlay or Overlay(), variables, secrets, "qa", "shop-qa")
    result = render(project, options)
    assert [str(each) for each in result.diagnostics if each.severity == "error"] == []
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in result.objects}


def container(objects: Mapping[tuple[str, str], Obj]) -> Any:
    return objects["Deployment", "web"]["spec"]["template"]["spec"]["containers"][0]


def refusals(bundle: Bundle, overlay: Overlay, secrets: Mapping[str, bytes] = SECRETS) -> list[str]:
    with pytest.raises(DiagnosticsError) as refused:
        opened(bundle, overlay, secrets)
    return [str(each) for each in refused.value.diagnostics]


def test_a_release_renders_as_its_project_does_with_the_images_of_the_release(
    bundle: Bundle, tmp_path: Path
) -> None:
    from leeward.compose.load import LoadOptions, load_project
    from leeward.render.render import RenderOptions

    loaded = load_project(
        LoadOptions(working_dir=tmp_path / "shop", files=("compose.yaml",), project_name="shop")
    )
    options = RenderOptions(environment="qa", namespace="shop-qa", embedded=False, images={"web": PIN})
    expected = render(loaded.project, options).objects

    assert [*opened(bundle).values()] == expected
    assert container(opened(bundle))["image"] == PIN


def test_an_overlay_adds_files_profiles_variables_sizes_and_replicas(bundle: Bundle) -> None:
    overlay = Overlay(
        files={
            "compose.qa.yaml": "services: {web: {environment: {WHERE: '${WHERE}'}}, mail: {image: mail}}\n",
            "qa.env": "WHERE=file\nLEVEL=file\n",
        },
        compose=("compose.qa.yaml",),
        env_files=("qa.env",),
        variables={"LEVEL": "debug"},
        profiles=("debug",),
        size="small",
        replicas={"web": 4},
    )
    found = opened(bundle, overlay, {**SECRETS, "DEBUG_TOKEN": b"d"})
    values = {each["name"]: each.get("value") for each in container(found)["env"]}

    assert (values["WHERE"], values["LEVEL"]) == ("file", "debug")
    assert found["Deployment", "web"]["spec"]["replicas"] == 4
    assert container(found)["resources"]["requests"] == {"cpu": "250m", "memory": "512Mi"}
    assert {("Deployment", "debug"), ("Deployment", "mail")} <= found.keys()


def test_variables_of_the_environment_win_over_those_of_its_files(bundle: Bundle) -> None:
    overlay = Overlay(files={"qa.env": "LEVEL=file\n"}, env_files=("qa.env",))
    entries = container(opened(bundle, overlay, LEVEL="set"))["env"]

    assert {"name": "LEVEL", "value": "set"} in entries


def test_a_secret_without_a_value_is_told_with_its_line_and_what_to_do(bundle: Bundle) -> None:
    assert refusals(bundle, Overlay(), {}) == [
        "compose.yaml:6: error: DB_PASSWORD is secret and has no value in qa. "
        "Give it one: leeward env set DB_PASSWORD --env qa",
        "compose.yaml:12: error: token is secret and has no value in qa. "
        "Give it one: leeward env set token=@FILE --env qa",
        "compose.yaml:9: error: certs__tls.key is secret and has no value in qa. "
        "Give it one: leeward env set certs__tls.key=@FILE --env qa",
    ]


def test_secrets_of_services_that_do_not_run_are_not_needed(bundle: Bundle) -> None:
    assert ("Deployment", "debug") not in opened(bundle)
    assert "DEBUG_TOKEN" in refusals(bundle, Overlay(profiles=("debug",)))[0]


@pytest.mark.parametrize(
    ("service", "key"),
    [
        ("image: web:2", "image"),
        ("image: !reset null\n    build: .", "image"),
        ("build: .", "build"),
        ("build: {dockerfile_inline: FROM x}", "build"),
    ],
)
def test_an_overlay_cannot_change_an_image(bundle: Bundle, service: str, key: str) -> None:
    overlay = Overlay(
        files={"compose.qa.yaml": f"services:\n  web:\n    {service}\n"}, compose=("compose.qa.yaml",)
    )
    found = refusals(bundle, overlay)

    assert f"compose.qa.yaml:3: error: services.web.{key}: An environment cannot say" in found[0]
    assert PIN in found[0]


def test_an_overlay_may_repeat_an_image(bundle: Bundle) -> None:
    overlay = Overlay(
        files={"qa.yaml": "services: {web: {image: 'web:${TAG:-1}'}}\n"},
        compose=("qa.yaml",),
        variables={"TAG": "2"},
    )

    assert container(opened(bundle, overlay))["image"] == PIN


def test_an_overlay_cannot_take_the_place_of_a_file_of_the_release(bundle: Bundle) -> None:
    overlay = Overlay(files={"compose.yaml": "services: {evil: {image: evil}}\n"})

    assert ("Deployment", "evil") not in opened(bundle, overlay)


def test_what_an_overlay_names_has_to_be_there(bundle: Bundle) -> None:
    found = refusals(bundle, Overlay(replicas={"wbe": 2}, size="hueg"))

    assert 'There is no service "wbe". Did you mean "web"?' in found[0]
    assert 'There is no size "hueg".' in found[1]


def test_a_mistake_in_an_overlay_is_told_with_its_line(bundle: Bundle) -> None:
    overlay = Overlay(files={"qa.yaml": "services: {web: {imag: x}}\n"}, compose=("qa.yaml",))

    assert refusals(bundle, overlay)[0].startswith("qa.yaml:1: error: services.web.imag")


def test_a_missing_file_is_told_without_the_imagined_directory(bundle: Bundle) -> None:
    overlay = Overlay(files={"qa.yaml": "services: {web: {env_file: gone.env}}\n"}, compose=("qa.yaml",))

    assert '"gone.env" does not exist' in refusals(bundle, overlay)[0]


def test_places_of_origin_are_those_of_the_files(bundle: Bundle) -> None:
    project, options = open_bundle(bundle, Overlay(), {}, SECRETS, "qa", None)

    assert str(render(project, options).origins["Deployment", "web"]) == "compose.yaml:3"


def test_a_value_that_is_no_text_is_refused(bundle: Bundle) -> None:
    assert (
        "DB_PASSWORD is secret and is no text"
        in refusals(bundle, Overlay(), {**SECRETS, "DB_PASSWORD": b"\xff"})[0]
    )


def test_paths_of_an_environment_start_at_leeward_yaml(tmp_path: Path) -> None:
    from leeward.delivery.releases.making import make_bundle
    from tests.unit.delivery.releasing import recorded

    directory = write(tmp_path / "deploy", {"compose.yaml": "services: {web: {image: x}}\n"})
    bundle = make_bundle(recorded(directory), {}, root="..").bundle
    overlay = Overlay(
        files={"qa/compose.yaml": "services: {web: {env_file: ../qa/web.env}}\n", "qa/web.env": "A=1\n"},
        compose=("qa/compose.yaml",),
    )

    assert container(opened(bundle, overlay, {}))["env"] == [{"name": "A", "value": "1"}]
