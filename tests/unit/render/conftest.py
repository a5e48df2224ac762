"""Projects written in the test itself."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Project
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, RenderResult, render


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Load a Compose text from ``<tmp_path>/compose.yaml`` under the project name "shop"."""

    def make(text: str) -> Project:
        (tmp_path / "compose.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        return load_project(LoadOptions(working_dir=tmp_path, project_name="shop")).project

    return make


class Rendered:
    """A result with the look-ups that tests need."""

    def __init__(self, result: RenderResult) -> None:
        self.objects = result.objects
        self.diagnostics = result.diagnostics
        self.origins = result.origins

    def find(self, kind: str, name: str) -> Obj:
        found = [obj for obj in self.objects if (obj["kind"], obj["metadata"]["name"]) == (kind, name)]
        assert len(found) == 1, f"{len(found)} of {kind} {name} among {self.names()}"
        return found[0]

    def names(self, kind: str = "") -> list[str]:
        return [obj["metadata"]["name"] for obj in self.objects if kind in ("", obj["kind"])]

    def container(self, kind: str, name: str) -> dict[str, Any]:
        containers: list[dict[str, Any]] = self.pod(kind, name)["containers"]
        return containers[0]

    def pod(self, kind: str, name: str) -> dict[str, Any]:
        spec: dict[str, Any] = self.find(kind, name)["spec"]["template"]["spec"]
        return spec

    def codes(self) -> set[str]:
        return {found.code for found in self.diagnostics}


@pytest.fixture
def render_text(make_project: Callable[[str], Project]) -> Callable[..., Rendered]:
    """Render a Compose text; keyword arguments are those of RenderOptions."""

    def make(text: str, **options: Any) -> Rendered:
        return Rendered(render(make_project(text), RenderOptions(**options)))

    return make
