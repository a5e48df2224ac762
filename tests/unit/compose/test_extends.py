from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.unit.compose.conftest import Workspace


def test_a_service_extends_another_of_the_same_file(workspace: Workspace) -> None:
    project = workspace.project(
        """
        services:
          web: {extends: base, environment: {B: 2}, command: web}
          base: {extends: {service: root}, environment: {A: 1}, ports: [80]}
          root: {image: x, command: root}
        """
    )
    web = project.services["web"]
    assert (web.image, web.command, web.environment) == ("x", ("web",), {"A": "1", "B": "2"})
    assert [port.target for port in web.ports] == [80]
    assert project.services["root"].command == ("root",)


def test_a_service_extends_one_of_another_file_whose_paths_are_its_own(workspace: Workspace) -> None:
    workspace.write(
        {
            "common/base.yaml": """
                services:
                  app:
                    extends: {file: deep/root.yaml, service: root}
                    env_file: app.env
                    volumes: [./data:/data]
                  broken: {unknown: key}
            """,
            "common/deep/root.yaml": "services: {root: {build: ./src, image: $TAG}}",
            "common/app.env": "FROM=file",
        }
    )
    workspace.environment["TAG"] = "v1"
    web = workspace.project(
        "services: {web: {extends: {file: common/base.yaml, service: app}, volumes: [./mine:/mine]}}"
    ).services["web"]
    assert web.image == "v1"
    assert web.build is not None
    assert web.build.context == str(workspace.root / "common/deep/src")
    assert web.environment == {"FROM": "file"}
    assert [mount.source for mount in web.volumes] == [
        str(workspace.root / "common/data"),
        str(workspace.root / "mine"),
    ]


def test_reset_and_override_apply_to_what_is_extended(workspace: Workspace) -> None:
    project = workspace.project(
        """
        services:
          base: {image: x, ports: [80], command: a, environment: {A: 1}}
          web: {extends: base, ports: !reset [], environment: !override {B: 2}}
        """
    )
    web = project.services["web"]
    assert (web.ports, web.environment, web.command) == ((), {"B": "2"}, ("a",))
    assert project.services["base"].environment == {"A": "1"}


def test_extending_in_a_ring_is_refused(workspace: Workspace) -> None:
    error = workspace.error(
        """
        services:
          a: {image: x, extends: b}
          b: {extends: a}
        """
    )
    assert error.startswith(
        "compose.yaml:3: error: services.b.extends: Services extend one another: a → b → a."
    )


def test_extending_in_a_ring_over_two_files_is_refused(workspace: Workspace) -> None:
    workspace.write({"other.yaml": "services: {b: {extends: {file: compose.yaml, service: a}}}"})
    found = workspace.errors("services: {a: {extends: {file: other.yaml, service: b}}}")
    assert [each.code for each in found] == ["extends-cycle"]


def test_a_service_that_extends_itself_is_refused(workspace: Workspace) -> None:
    assert "extend one another: a → a" in workspace.error("services: {a: {image: x, extends: a}}")


def test_extending_what_does_not_exist_is_reported_where_it_is_written(workspace: Workspace) -> None:
    missing = workspace.error("services:\n  web:\n    extends: bse\n  base: {image: x}")
    assert missing == (
        'compose.yaml:3: error: services.web.extends: There is no service "bse" in compose.yaml. '
        'Did you mean "base"?'
    )
    no_file = workspace.error("services:\n  web:\n    extends: {file: nope.yaml, service: a}")
    assert no_file.startswith('compose.yaml:3: error: The extended file "nope.yaml" does not exist.')
    remote = workspace.error("services:\n  web:\n    extends: {file: 'https://x/y.yaml', service: a}")
    assert "is not a file on this machine" in remote
