from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from leeward.compose.load import LoadOptions, load_project

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace

ONE = "services: {one: {image: x}}"
TWO = "services: {two: {image: x}}"


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (("compose.yaml", "compose.yml", "docker-compose.yml"), "compose.yaml"),
        (("compose.yml", "docker-compose.yml", "docker-compose.yaml"), "compose.yml"),
        (("docker-compose.yml", "docker-compose.yaml"), "docker-compose.yml"),
        (("docker-compose.yaml",), "docker-compose.yaml"),
    ],
)
def test_default_names_are_tried_in_dockers_order(
    workspace: Workspace, present: tuple[str, ...], chosen: str
) -> None:
    workspace.write(dict.fromkeys(present, ONE))
    result = workspace.load()
    assert result.project.files == (chosen,)
    assert ("several-files" in [found.code for found in result.diagnostics]) == (len(present) > 1)


def test_the_override_file_next_to_it_is_merged(workspace: Workspace) -> None:
    workspace.write({"compose.yaml": ONE, "docker-compose.override.yml": TWO})
    project = workspace.project()
    assert project.files == ("compose.yaml", "docker-compose.override.yml")
    assert list(project.services) == ["one", "two"]


def test_naming_files_leaves_the_override_file_out(workspace: Workspace) -> None:
    workspace.write({"compose.yaml": ONE, "compose.override.yaml": TWO})
    assert list(workspace.project(files=["compose.yaml"]).services) == ["one"]


def test_directories_above_are_searched(workspace: Workspace) -> None:
    workspace.write({"compose.yaml": ONE, "compose.override.yaml": TWO, "a/b/keep": ""})
    project = workspace.load(working_dir="a/b").project
    assert project.files == ("../../compose.yaml", "../../compose.override.yaml")
    assert project.working_dir == workspace.root


def test_standard_input_is_a_file_named_dash(workspace: Workspace) -> None:
    result = load_project(
        LoadOptions(working_dir=workspace.root, files=[Path("-")], stdin="services:\n  a: {build: x}\n")
    )
    service = result.project.services["a"]
    assert service.build is not None
    assert service.build.context == str(workspace.root / "x")
    assert str(result.project.locations.find("services", "a")) == "<stdin>:2"


def test_the_project_directory_can_be_given(workspace: Workspace) -> None:
    workspace.write({"deploy/a.yaml": "services: {a: {build: x, image: $I}}", ".env": "I=i"})
    options = LoadOptions(
        working_dir=workspace.root / "deploy", files=["a.yaml"], project_directory=workspace.root
    )
    service = load_project(options).project.services["a"]
    assert service.build is not None
    assert (service.build.context, service.image) == (str(workspace.root / "x"), "i")


def test_compose_file_names_files(workspace: Workspace) -> None:
    workspace.write({"a.yaml": ONE, "b.yaml": TWO, "compose.yaml": "services: {no: {image: x}}"})
    workspace.environment["COMPOSE_FILE"] = "a.yaml:b.yaml"
    assert list(workspace.project().services) == ["one", "two"]
    workspace.environment.update(COMPOSE_FILE="a.yaml,b.yaml", COMPOSE_PATH_SEPARATOR=",")
    assert list(workspace.project().services) == ["one", "two"]
    assert list(workspace.project(files=["b.yaml"]).services) == ["two"]


def test_dot_env_can_name_files_profiles_and_the_project(workspace: Workspace) -> None:
    workspace.write(
        {
            "a.yaml": "services: {one: {image: x}, two: {image: x, profiles: [p]}}",
            ".env": "COMPOSE_FILE=a.yaml\nCOMPOSE_PROFILES=p\nCOMPOSE_PROJECT_NAME=shop\n",
        }
    )
    project = workspace.project()
    assert (project.name, list(project.services)) == ("shop", ["one", "two"])


def test_no_compose_file_says_what_to_do(workspace: Workspace) -> None:
    error = workspace.error()
    assert error.startswith("error: There is no Compose file in ")
    assert "name a file with -f" in error


def test_a_named_file_that_is_missing_is_refused(workspace: Workspace) -> None:
    assert workspace.error(files=["nope.yaml"]) == (
        'error: The Compose file "nope.yaml" does not exist. Create it, or correct its name.'
    )
    assert "is a directory" in workspace.error(files=["."])


def test_an_empty_project_is_refused(workspace: Workspace) -> None:
    assert workspace.error("# nothing\n").startswith("compose.yaml: error: The files define no service.")
    assert workspace.error("services:\n").startswith("compose.yaml:1: error: services: The files define")


@pytest.mark.parametrize(
    ("option", "variable", "written", "name"),
    [
        ("option", "variable", "written", "option"),
        (None, "variable", "written", "variable"),
        (None, None, "written", "written"),
        (None, None, "${SUFFIX:-a}-b", "a-b"),
        (None, None, None, "myshop2_x"),
    ],
)
def test_the_project_name_comes_from_the_nearest_source(
    workspace: Workspace, option: str | None, variable: str | None, written: str | None, name: str
) -> None:
    workspace.write({"_My Shop2_x/compose.yaml": f"name: {written}\n{ONE}" if written else ONE})
    if variable:
        workspace.environment["COMPOSE_PROJECT_NAME"] = variable
    project = workspace.load(working_dir="_My Shop2_x", project_name=option).project
    assert project.name == name


def test_a_bad_project_name_is_refused_with_a_good_one(workspace: Workspace) -> None:
    assert workspace.error(f"name: My Shop\n{ONE}") == (
        'compose.yaml:1: error: name: The project name "My Shop" is not valid. '
        'Use lower-case letters, digits, "-" and "_", such as "myshop".'
    )


def test_files_may_mention_the_project_name(workspace: Workspace) -> None:
    project = workspace.project("name: shop\nservices: {a: {image: 'x/${COMPOSE_PROJECT_NAME}:1'}}")
    assert project.services["a"].image == "x/shop:1"
