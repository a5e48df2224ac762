"""What ``leeward env`` says of names: services that are not there, variables that nothing uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.cli.hub import Application
from leeward.delivery.records import ENVIRONMENTS
from tests.unit.cli.test_release import Hub

Tool = Callable[..., tuple[int, str, str]]
CONFIG = """
app: shop
environments:
  ci: {}
  qa:
    from: ci
    compose: compose.qa.yaml
    variables: {LEVEL: info}
    replicas: {web: 2}
    verify: [smoke]
"""
COMPOSE = """
services:
  web:
    image: "web:${TAG:?}"
    environment: {DB_PASSWORD: abc, MODE: "${MODE:?say which}", LEVEL: "${LEVEL:-info}"}
    secrets: [token]
  smoke: {image: x, profiles: [test]}
secrets: {token: {file: token.txt}}
"""


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch) -> Hub:
    for name in ("COMPOSE_FILE", "COMPOSE_PROFILES", "TAG", "MODE"):
        monkeypatch.delenv(name, raising=False)
    Path("compose.yaml").write_text(COMPOSE)
    Path("compose.qa.yaml").write_text("services: {web: {environment: ['EXTRA', 'WHERE=${WHERE:-here}']}}\n")
    Path("leeward.yaml").write_text(CONFIG)
    made = Hub()
    monkeypatch.setattr(Application, "connect", lambda self, environment: made)
    return made


def test_applying_needs_no_values_of_required_variables(tool: Tool) -> None:
    code, out, err = tool("env", "apply", "--yes")
    assert (code, err) == (0, "")
    assert "qa is written" in out


def test_services_that_are_not_there_are_told_with_their_line_before_anything_is_written(
    tool: Tool, hub: Hub
) -> None:
    Path("leeward.yaml").write_text(CONFIG.replace("{web: 2}", "{wbe: 2}").replace("[smoke]", "[smok]"))
    code, _, err = tool("env", "apply", "--yes")
    assert code == 2
    assert 'leeward.yaml:9: error: environments.qa.replicas.wbe: There is no service "wbe".' in err
    assert 'Did you mean "web"?' in err
    assert 'leeward.yaml:10: error: environments.qa.verify[0].run: There is no service "smok".' in err
    assert hub.calls == []


def test_where_compose_files_do_not_load_that_is_told_and_the_rest_is_applied(tool: Tool) -> None:
    Path("compose.yaml").write_text("services: {web: {imag: x}}\n")
    code, _, err = tool("env", "apply", "--yes")
    assert code == 0
    assert "are not checked: the Compose files do not load" in err


@pytest.mark.parametrize("name", ["DB_PASSWORD", "MODE", "token", "EXTRA", "WHERE", "TAG"])
def test_a_name_that_the_files_use_is_set_without_a_warning(tool: Tool, monkeypatch: Any, name: str) -> None:
    monkeypatch.setenv("TAG", "1")
    tool("env", "apply", "--yes")
    code, out, err = tool("env", "set", f"{name}=1", "--env", "qa")
    assert code == 0
    assert f"version 1 has {name}" in out
    assert "warning" not in err


def test_a_name_that_nothing_uses_is_set_with_a_warning(tool: Tool) -> None:
    tool("env", "apply", "--yes")
    code, out, err = tool("env", "set", "DB_PASWORD=1", "--env", "qa")
    assert code == 0
    assert "version 1 has DB_PASWORD" in out
    assert 'warning: No Compose file uses DB_PASWORD.\n  fix: Did you mean "DB_PASSWORD"?' in err


def test_a_name_that_leeward_yaml_overrules_is_set_with_a_warning(tool: Tool) -> None:
    tool("env", "apply", "--yes")
    code, _, err = tool("env", "set", "LEVEL=debug", "--env", "qa")
    assert code == 0
    assert "warning: LEVEL is among `variables` in leeward.yaml, which win" in err


def test_the_cluster_is_called_as_it_is_reached(tool: Tool) -> None:
    assert "ci (cluster sim, new)" in tool("env", "apply", "ci", "--yes", "--cluster", "sim")[1]


def test_environments_that_left_leeward_yaml_are_told_although_nothing_changes(tool: Tool, hub: Hub) -> None:
    tool("env", "apply", "--yes")
    Path("leeward.yaml").write_text("app: shop\nenvironments:\n  ci: {}\n")
    code, out, err = tool("env", "apply", "--yes")
    assert (code, out) == (0, "ci\nci: nothing changes\n")
    assert "note: qa is on the cluster, but not in leeward.yaml: leeward env remove qa" in err
    assert (ENVIRONMENTS, "leeward-shop", "qa") in hub.objects
