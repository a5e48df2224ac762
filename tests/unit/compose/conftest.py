"""Writes Compose files into a directory and loads them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError
from leeward.compose.load import LoadOptions, LoadResult, load_project
from leeward.compose.project import Project, Service


@dataclass
class Workspace:
    """A directory with files, and the ways in which a test loads them."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def write(self, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")

    def load(
        self,
        compose: str | None = None,
        *,
        files: Sequence[str] = (),
        profiles: Sequence[str] = (),
        env_files: Sequence[str] = (),
        services: Sequence[str] = (),
        project_name: str | None = None,
        working_dir: str = ".",
    ) -> LoadResult:
        if compose is not None:
            self.write({"compose.yaml": compose})
        return load_project(
            LoadOptions(
                working_dir=(self.root / working_dir).resolve(),
                files=files,
                profiles=profiles,
                env_files=env_files,
                project_name=project_name,
                services=services,
                environment=self.environment,
            )
        )

    def project(self, compose: str | None = None, **options: Sequence[str]) -> Project:
        return self.load(compose, **options).project  # type: ignore[arg-type]

    def web(self, body: str, tail: str = "") -> Service:
        """Load a service ``web`` with `body` and return it."""
        return self.project(self.around(body, tail)).services["web"]

    def around(self, body: str, tail: str = "") -> str:
        body = textwrap.indent(textwrap.dedent(body).strip("\n"), "    ")
        return f"services:\n  web:\n    image: nginx\n{body}\n{tail}"

    def errors(self, compose: str | None = None, **options: Sequence[str]) -> tuple[Diagnostic, ...]:
        with pytest.raises(DiagnosticsError) as caught:
            self.load(compose, **options)  # type: ignore[arg-type]
        return caught.value.diagnostics

    def error(self, compose: str | None = None, **options: Sequence[str]) -> str:
        """Return the only error, as the user sees it."""
        found = self.errors(compose, **options)
        assert len(found) == 1, [str(each) for each in found]
        return str(found[0])


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def web(workspace: Workspace) -> Callable[..., Service]:
    return workspace.web
