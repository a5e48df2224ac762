"""``leeward render`` with its directories and diffs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Tool = Callable[..., tuple[int, str, str]]
COMPOSE = "name: shop\nservices:\n  web: {image: 'x:1', expose: ['80']}\n  db: {image: y}\n"


@pytest.fixture(autouse=True)
def project() -> None:
    """Write a project into the working directory."""
    Path("compose.yaml").write_text(COMPOSE)


def test_a_directory_is_rendered_into_again(tool: Tool) -> None:
    assert tool("render", "--output-dir", "out")[0] == 0
    assert {path.name for path in Path("out").glob("*.yaml")} == {
        "00-namespace.yaml",
        "01-shared.yaml",
        "db.yaml",
        "web.yaml",
    }
    Path("compose.yaml").write_text(COMPOSE.replace("  db: {image: y}\n", "").replace("x:1", "x:2"))
    code, _, err = tool("render", "--output-dir", "out")
    assert code == 0
    assert "3 files in out: 1 written, 2 unchanged, 1 removed" in err
    assert not Path("out/db.yaml").exists()


def test_what_was_edited_is_kept_until_it_is_forced(tool: Tool) -> None:
    tool("render", "--output-dir", "out")
    Path("out/web.yaml").write_text("edited\n")
    code, _, err = tool("render", "--output-dir", "out")
    assert code == 1
    assert "out/web.yaml was edited since it was rendered" in err
    assert "--force" in err
    assert tool("render", "--output-dir", "out", "--force")[0] == 0
    assert "x:1" in Path("out/web.yaml").read_text()


def test_a_diff_against_a_directory_is_empty_or_exits_with_1(tool: Tool) -> None:
    tool("render", "--output-dir", "out")
    assert tool("render", "--diff", "out")[:2] == (0, "")
    Path("compose.yaml").write_text("# moved\n" + COMPOSE)
    assert tool("render", "--diff", "out")[:2] == (0, "")
    Path("compose.yaml").write_text(COMPOSE.replace("x:1", "x:2"))
    code, out, _ = tool("render", "--diff", "out")
    assert code == 1
    assert "--- out/shop/Deployment/web\n" in out
    assert "-      - image: x:1\n+      - image: x:2\n" in out


def test_kustomize_has_an_overlay_for_every_environment(tool: Tool) -> None:
    Path("leeward.yaml").write_text("environments:\n  qa: {}\n  production: {from: qa}\n")
    code, _, err = tool("render", "--format", "kustomize", "--output-dir", "out", "--env", "qa")
    assert code == 0, err
    assert sorted(path.name for path in Path("out/overlays").iterdir()) == ["production", "qa"]


def test_a_chart_is_called_like_the_project(tool: Tool) -> None:
    assert tool("render", "--format", "helm", "--output-dir", "out")[0] == 0
    assert "name: shop\n" in Path("out/Chart.yaml").read_text()
    assert json.loads(Path("out/values.schema.json").read_text())["type"] == "object"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "kustomize"], "--output-dir"),
        (["--format", "helm"], "--output-dir"),
        (["--format", "json", "--output-dir", "out"], "YAML files"),
        (["--diff", "out", "--output-dir", "out"], "writes nothing"),
        (["--diff", "nowhere"], "there is no directory nowhere"),
        (["--context", "eks"], "--diff cluster"),
        (["--format", "xml"], "kustomize"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: list[str], message: str, tool: Tool) -> None:
    code, out, err = tool("render", *options)
    assert (code, out) == (2, "")
    assert message in err


@pytest.mark.parametrize("content", ["a: [", "- 1\n", "kind: X\n"])
def test_a_directory_with_something_else_in_it_is_told(content: str, tool: Tool) -> None:
    Path("out").mkdir()
    Path("out/x.yaml").write_text(content)
    code, _, err = tool("render", "--diff", "out")
    assert code == 2
    assert "out/x.yaml" in err
