from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def test_an_included_project_brings_its_resources_and_its_own_directory(workspace: Workspace) -> None:
    workspace.write(
        {
            "db/compose.yaml": """
                services:
                  db: {image: "db:$VERSION", volumes: ["data:/data", "./init:/init"], networks: [back]}
                volumes: {data: }
                networks: {back: }
            """,
            "db/.env": "VERSION=15\nSHELL=file\n",
        }
    )
    workspace.environment["SHELL"] = "environment"
    project = workspace.project(
        """
        include: [db/compose.yaml]
        services:
          web: {image: x, depends_on: [db], networks: [back, default]}
        """
    )
    database = project.services["db"]
    assert database.image == "db:15"
    assert database.volumes[1].source == str(workspace.root / "db/init")
    assert list(project.volumes) == ["data"]
    assert project.volumes["data"].name == f"{project.name}_data"
    assert project.locations.find("services", "db", "image") is not None
    assert str(project.locations.find("services", "db", "image")) == "db/compose.yaml:2"


def test_an_include_can_name_overrides_a_directory_and_env_files(workspace: Workspace) -> None:
    workspace.write(
        {
            "a/x.yaml": "services: {s: {image: $I, build: src, command: a}}",
            "a/y.yaml": "services: {s: {command: b}}",
            "env/one": "I=one",
        }
    )
    service = workspace.project(
        "include: [{path: [a/x.yaml, a/y.yaml], project_directory: base, env_file: env/one}]"
    ).services["s"]
    assert (service.image, service.command) == ("one", ("b",))
    assert service.build is not None
    assert service.build.context == str(workspace.root / "base/src")


def test_what_includes_may_change_what_it_includes(workspace: Workspace) -> None:
    workspace.write({"a.yaml": "services: {s: {image: x, command: a, environment: {A: 1}}}"})
    service = workspace.project(
        "include: [a.yaml]\nservices: {s: {command: b, environment: {B: 2}}}"
    ).services["s"]
    assert (service.image, service.command, service.environment) == ("x", ("b",), {"A": "1", "B": "2"})


def test_an_included_service_can_be_extended(workspace: Workspace) -> None:
    workspace.write({"a.yaml": "services: {base: {image: x}}"})
    project = workspace.project("include: [a.yaml]\nservices: {web: {extends: base}}")
    assert project.services["web"].image == "x"


def test_including_in_a_ring_is_refused(workspace: Workspace) -> None:
    workspace.write({"a.yaml": "include:\n  - compose.yaml\nservices: {a: {image: x}}"})
    error = workspace.error("include: [a.yaml]\nservices: {b: {image: x}}")
    assert error.startswith(
        "a.yaml:2: error: include[0]: Files include one another: compose.yaml → a.yaml → compose.yaml."
    )


def test_an_include_that_is_missing_or_remote_is_reported_where_it_is_written(workspace: Workspace) -> None:
    services = "\nservices: {b: {image: x}}"
    missing = workspace.error(f"include:\n  - nope/compose.yaml{services}")
    assert missing.startswith(
        'compose.yaml:2: error: include[0]: The included file "nope/compose.yaml" does not exist.'
    )
    assert "is not a file on this machine" in workspace.error(f"include: ['oci://a/b']{services}")
    assert '"path" is required' in workspace.error(f"include: [{{env_file: a}}]{services}")
    no_env = workspace.errors(f"include: [{{path: compose2.yaml, env_file: no.env}}]{services}")
    assert "compose2.yaml" in str(no_env[0])
