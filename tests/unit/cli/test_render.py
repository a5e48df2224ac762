"""``leeward render`` with its directories and diffs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.base.errors import OperationError
from leeward.cli.clusterdiff import as_built

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


def test_a_directory_of_another_environment_is_not_overwritten_by_mistake(tool: Tool) -> None:
    tool("render", "--env", "production", "--output-dir", "out")
    code, _, err = tool("render", "--output-dir", "out")
    assert code == 1
    assert "out holds environment production, not local" in err
    assert "production" in Path("out/00-namespace.yaml").read_text()


def test_a_service_that_is_renamed_leaves_no_file(tool: Tool) -> None:
    tool("render", "--output-dir", "out")
    Path("out/notes.txt").write_text("mine")
    Path("compose.yaml").write_text(COMPOSE.replace("db:", "database:"))
    assert tool("render", "--output-dir", "out")[0] == 0
    assert {path.name for path in Path("out").iterdir()} == {
        "00-namespace.yaml", "01-shared.yaml", "database.yaml", "web.yaml", "notes.txt", ".leeward.json",
    }  # fmt: skip


def test_services_that_are_alike_but_for_capitals_have_files_that_are_not(tool: Tool) -> None:
    names = ("Web", "web", "WEB", "kustomization", "nul", "00-namespace")
    Path("compose.yaml").write_text("services:\n" + "".join(f"  {name}: {{image: x}}\n" for name in names))
    assert tool("render", "--output-dir", "out")[0] == 0
    files = [path.name for path in Path("out").glob("*.yaml")]
    assert len({name.lower() for name in files}) == len(files) == len(names) + 2
    assert {"service-kustomization.yaml", "service-nul.yaml"} <= set(files)


@pytest.mark.parametrize(
    ("form", "mark"), [("kustomize", "overlays/{}/kustomization.yaml"), ("helm", "values-{}.yaml")]
)
def test_kustomize_and_helm_have_every_environment(form: str, mark: str, tool: Tool) -> None:
    Path("leeward.yaml").write_text("environments:\n  qa: {}\n  production: {from: qa}\n")
    code, _, err = tool("render", "--format", form, "--output-dir", "out")
    assert code == 0, err
    before = {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()}
    assert all(Path("out", mark.format(name)) in before for name in ("qa", "production"))
    assert tool("render", "--format", form, "--output-dir", "out", "--env", "production")[0] == 0
    assert {path: path.read_bytes() for path in Path("out").rglob("*") if path.is_file()} == before
    code, _, err = tool("render", "--format", form, "--output-dir", "out", "--env", "prodution")
    assert code == 2
    assert "production" in err
    Path("leeward.yaml").write_text("environments:\n  qa: {}\n")
    assert tool("render", "--format", form, "--output-dir", "out")[0] == 0
    assert not Path("out", mark.format("production")).exists()


@pytest.mark.parametrize(
    ("form", "mark"), [("kustomize", "overlays/{}/kustomization.yaml"), ("helm", "values-{}.yaml")]
)
def test_rendering_for_another_environment_keeps_those_that_are_there(
    form: str, mark: str, tool: Tool
) -> None:
    for name in ("production", "qa"):
        assert tool("render", "--format", form, "--output-dir", "out", "--env", name)[0] == 0
    assert all(Path("out", mark.format(name)).is_file() for name in ("qa", "production"))
    Path("out", mark.format("qa")).unlink()
    assert tool("render", "--format", form, "--output-dir", "out", "--env", "production")[0] == 0
    assert not Path("out", mark.format("qa")).exists()


def test_what_is_wrong_in_one_environment_says_in_which_and_writes_nothing(tool: Tool) -> None:
    Path("compose.yaml").write_text("name: shop\nservices: {web: {image: 'x:${TAG:?no tag}'}}\n")
    Path("leeward.yaml").write_text("environments: {qa: {variables: {TAG: '1'}}, production: {from: qa}}\n")
    code, _, err = tool("render", "--format", "kustomize", "--output-dir", "out")
    assert code == 2
    assert "environment production cannot be rendered" in err
    assert "no tag" in err
    assert not Path("out").exists()


def test_findings_of_several_environments_are_told_once(tool: Tool) -> None:
    Path("compose.yaml").write_text(COMPOSE.replace("db:", "my_db:"))
    Path("leeward.yaml").write_text("environments: {qa: {}, uat: {from: qa}}\n")
    code, _, err = tool("render", "-o", "kustomize", "--output-dir", "out")
    assert code == 0
    assert err.count("'my_db' is no Kubernetes name") == 1


@pytest.mark.parametrize("form", ["kustomize", "helm"])
def test_a_diff_against_kustomize_or_a_chart_is_of_files(form: str, tool: Tool) -> None:
    tool("render", "--format", form, "--output-dir", "out")
    Path("compose.yaml").write_text("# moved\n" + COMPOSE)
    assert tool("render", "--format", form, "--diff", "out")[:2] == (0, "")
    Path("compose.yaml").write_text(COMPOSE.replace("x:1", "x:2").replace("db:", "base:"))
    code, out, _ = tool("render", "--format", form, "--diff", "out")
    assert code == 1
    assert "\n+++ /dev/null\n" in out
    code, _, err = tool("render", "--diff", "out")
    assert code == 2
    assert f"--format {form} --diff out" in err


def test_the_cluster_of_an_environment_is_never_another_one(tool: Tool) -> None:
    Path("leeward.yaml").write_text(
        "environments: {production: {cluster: prod}}\nclusters: {prod: {spec: prod/cluster.yaml}}\n"
    )
    Path("prod").mkdir()
    Path("prod/cluster.yaml").write_text("name: prod\n")
    code, _, err = tool("render", "--env", "production", "--diff", "cluster")
    assert code == 2
    assert 'prod/cluster.yaml:1: error: "region" is required here.' in err
    assert "Traceback" not in err


def test_images_that_are_built_here_are_no_difference() -> None:
    def pod(image: str) -> Any:
        return {"containers": [{"name": "proxy", "image": "x"}, {"name": "web", "image": image}]}

    live = {"containers": [{"name": "web", "image": "leeward.local/shop/web:12ab"}]}
    assert as_built(pod("acme/web"), live, {"acme/web"}) == pod("leeward.local/shop/web:12ab")
    assert as_built(pod("leeward.local/shop/web:latest"), live, ()) == pod("leeward.local/shop/web:12ab")
    assert as_built(pod("nginx"), live, {"acme/web"}) == pod("nginx")
    assert as_built(pod("acme/web"), None, {"acme/web"}) == pod("acme/web")


def test_files_of_others_are_no_difference(tool: Tool) -> None:
    tool("render", "--output-dir", "out")
    Path("out/kustomization.yaml").write_text("resources: [web.yaml]\n")
    assert tool("render", "--diff", "out")[:2] == (0, "")
    Path("out/web.yaml").unlink()
    code, out, _ = tool("render", "--diff", "out")
    assert code == 1
    assert "+++ rendered/shop/Deployment/web" in out


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
        (["--format", "json", "--diff", "out"], "YAML files"),
        (["--format", "helm", "--output-dir", "out", "--env", "../../x"], "cannot name a file"),
        (["--format", "helm", "--diff", "cluster"], "--output-dir"),
        (["--format", "helm", "--diff", "nowhere"], "there is no directory nowhere"),
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


def test_profiles_of_services_that_are_left_out_are_listed_too(tool: Tool) -> None:
    Path("compose.yaml").write_text("services: {web: {image: x, profiles: [dev, all]}, db: {image: y}}\n")
    assert tool("config", "--profiles")[:2] == (0, "all\ndev\n")


def test_a_file_can_come_from_standard_input(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leeward.cli.projects._standard_input", lambda: "services: {only: {image: x}}\n")
    assert tool("config", "-f", "-", "--services")[:2] == (0, "only\n")


def test_a_diff_that_fails_is_told_apart_from_one_that_differs(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> bool:
        raise OperationError("the cluster does not answer")

    monkeypatch.setattr("leeward.cli.clusterdiff.show_cluster_diff", unreachable)
    code, out, err = tool("render", "--diff", "cluster")
    assert (code, out) == (2, "")
    assert "the cluster does not answer" in err


def test_what_is_written_does_not_depend_on_where_leeward_is_run(
    tool: Tool, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep := Path("deploy/prod")).mkdir(parents=True)
    Path("deploy/more.yaml").write_text("services: {more: {image: z}}\n")
    (deep / "compose.yaml").write_text("name: shop\ninclude: [../more.yaml]\nservices: {web: {image: x}}\n")
    _, out, _ = tool("render", "-f", "deploy/prod/compose.yaml")
    assert "leeward.dev/origin: ../more.yaml services.more" in out
    monkeypatch.chdir(deep)
    assert tool("render")[1] == out
