"""``leeward init`` proposes what the files suggest, and what it writes is read back without a finding."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.settings.configfile import ConfigFile, read_config

Tool = Callable[..., tuple[int, str, str]]
PROJECT = "name: storefront\nservices: {web: {image: x, ports: ['80:80']}}\n"


def _read() -> ConfigFile:
    findings = Findings()
    return read_config(str(Path("leeward.yaml").resolve()), Sources(Path.cwd(), findings), findings)


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["compose.override.yaml"],
        ["compose.qa.yaml", "compose.prod.yaml", ".env.prod", "demo.env"],
        ["docker-compose.staging.yml", "docker-compose-production.yml", "compose.monitoring.yaml"],
        ["compose.it's, odd.yaml"],
    ],
    ids=lambda names: ",".join(names) or "alone",
)
def test_what_is_written_is_read_without_a_finding_and_renders(names: list[str], tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT)
    for name in names:
        Path(name).write_text("services: {}\n" if name.endswith("ml") else "A=1\n")

    code, out, _ = tool("init")
    assert (code, out) == (0, "leeward.yaml has the environments ci → qa → uat → production → demo\n")
    assert _read().diagnostics == ()
    for environment in ("ci", "qa", "uat", "production", "demo"):
        code, out, err = tool("render", "--env", environment)
        assert (code, f"namespace: storefront-{environment}\n" in out) == (0, True), err


def test_files_named_after_an_environment_become_its_own(tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT)
    for name in ("compose.qa.yaml", "compose.staging.yaml", "compose.prod.yml", "compose.debug.yaml"):
        Path(name).write_text("services: {}\n")
    Path(".env.prod").write_text("A=1\n")

    code, out, _ = tool("init")
    assert code == 0, out
    config = _read().config
    assert config.app == "storefront"
    assert config.compose == ("compose.yaml",)
    assert {name: each.compose for name, each in config.environments.items()} == {
        "ci": (),
        "qa": ("compose.qa.yaml",),
        "uat": ("compose.staging.yaml",),
        "production": ("compose.prod.yml",),
        "demo": (),
    }
    assert config.environments["production"].env_file == (".env.prod",)
    assert "# Not used by any environment yet: compose.debug.yaml" in Path("leeward.yaml").read_text()


def test_the_environments_are_the_way_of_a_release(tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT)
    tool("init")

    environments = _read().config.environments
    assert [(name, each.from_) for name, each in environments.items()] == [
        ("ci", None),
        ("qa", "ci"),
        ("uat", "qa"),
        ("production", "uat"),
        ("demo", "production"),
    ]
    assert environments["production"].approvals == 2
    assert environments["production"].soak == 7200.0


@pytest.mark.parametrize("name", ["123", "true", "0x1f"])
def test_a_name_that_looks_like_something_else_stays_a_name(name: str, tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT.replace("storefront", f"'{name}'"))

    assert tool("init")[0] == 0
    assert (_read().diagnostics, _read().config.app) == ((), name)


def test_an_existing_file_is_not_overwritten_unless_forced(tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT)
    Path("leeward.yaml").write_text("app: mine\n")

    code, _, err = tool("init")
    assert (code, "leeward.yaml exists already" in err, "--force" in err) == (2, True, True)
    assert Path("leeward.yaml").read_text() == "app: mine\n"
    assert tool("init", "--force")[0] == 0
    assert "app: storefront" in Path("leeward.yaml").read_text()


def test_print_writes_nothing(tool: Tool) -> None:
    Path("compose.yaml").write_text(PROJECT)

    code, out, _ = tool("init", "--print")
    assert (code, "app: storefront" in out) == (0, True)
    assert not Path("leeward.yaml").exists()


def test_without_a_compose_file_it_says_what_to_do(tool: Tool) -> None:
    code, _, err = tool("init")
    assert (code, "no Compose file" in err, "create compose.yaml" in err) == (2, True, True)

    Path("convox.yml").touch()
    code, _, err = tool("init")
    assert (code, "leeward import convox convox.yml" in err) == (2, True)


def test_the_file_is_written_where_the_compose_file_is(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("compose.yaml").write_text(PROJECT)
    inner = Path("web").resolve()
    inner.mkdir()
    monkeypatch.chdir(inner)

    assert tool("init")[0] == 0
    assert (inner.parent / "leeward.yaml").is_file()
