"""Which project a verb is about, when its files cannot be used and when it is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.cli.projects import Source
from leeward.cli.target import (
    Target,
    find_running,
    find_target,
    read_names,
    require_project,
    require_services,
)
from leeward.cluster.statedir import StateDir

NEEDY = "services: {web: {image: '${TAG:?which?}'}, api: {image: x, profiles: [debug]}}\n"


def target(*services: str, project: str = "shop") -> Target:
    return Target("local", StateDir(Path("nowhere")), project, project, services, here=True)


def test_the_services_of_inactive_profiles_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAG", "x")
    Path("compose.yaml").write_text(f"name: shop\n{NEEDY}")

    assert read_names(Source()) == ("shop", ("web", "api"))


@pytest.mark.parametrize(
    ("head", "option", "expected"),
    [("name: shop\n", None, "shop"), ("name: shop\n", "other", "other"), ("", None, "work")],
)
def test_a_missing_variable_leaves_the_name(
    head: str, option: str | None, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("compose.yaml").write_text(head + NEEDY)

    assert read_names(Source(project_name=option)) == (expected, ())
    said = capsys.readouterr().err
    assert "note: compose.yaml:" in said
    assert "TAG is not set" in said
    assert expected in said


def test_an_environment_file_brings_the_variable() -> None:
    Path("compose.yaml").write_text(NEEDY)
    Path("qa.env").write_text("TAG=1\n")

    assert read_names(Source(env_files=[Path("qa.env")])) == ("work", ("web", "api"))


@pytest.mark.parametrize("text", ["services: [\n", "name: ${NAME:?which}\nservices: {web: {image: x}}\n"])
def test_without_a_name_the_files_are_refused(text: str) -> None:
    Path("compose.yaml").write_text(text)

    with pytest.raises(DiagnosticsError):
        read_names(Source())


def test_a_name_alone_needs_no_files(cluster: Any) -> None:
    cluster("local")

    found = find_target("local", None, "My_Shop")

    assert (found.project, found.namespace, found.here) == ("My_Shop", "my-shop", False)


class OneDeployment:
    async def list(self, resource: str, namespace: str, *, label_selector: str) -> list[Any]:
        assert (namespace, label_selector) == ("", "app.kubernetes.io/managed-by=leeward")
        labels = {"app.kubernetes.io/part-of": "shop", "app.kubernetes.io/name": "web"}
        return [{"metadata": {"name": "w", "labels": labels}}] if resource == "deployments.apps" else []


def test_what_runs_is_asked_of_the_workloads() -> None:
    assert asyncio.run(find_running(cast("Any", OneDeployment()))) == {"shop": {"web"}}


def test_a_missing_project_is_refused_with_those_that_are_there() -> None:
    with pytest.raises(OperationError, match="project nope is not on cluster local") as caught:
        require_project(target(project="nope"), {"shop": ["web"], "blog": ["web"]})

    assert caught.value.remedy.startswith("On it: blog, shop.")


def test_an_empty_cluster_is_told_as_such() -> None:
    with pytest.raises(OperationError) as caught:
        require_project(target(), {})

    assert caught.value.remedy.startswith("Nothing is on it.")


def test_a_service_that_runs_but_is_no_longer_in_the_file_is_accepted() -> None:
    assert require_services(target("web"), ["front"], {"shop": ["front"]}) == ["front"]


def test_a_service_of_the_file_is_called_as_the_cluster_calls_it() -> None:
    assert require_services(target("my_web"), ["my_web"], {"shop": ["my-web"]}) == ["my-web"]


def test_an_unknown_service_is_refused_with_those_of_file_and_cluster() -> None:
    with pytest.raises(UserInputError, match="shop has no service 'x'") as caught:
        require_services(target("web"), ["x"], {"shop": ["front"]})

    assert caught.value.remedy == "It has: front, web."
