"""From the options of a verb to a loaded and rendered project."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError
from leeward.cli import output
from leeward.cli.waivers import sort_by_waivers
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Project
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render


@dataclass(frozen=True, slots=True)
class Source:
    """Where a project comes from, as given on the command line."""

    files: Sequence[Path] = ()
    profiles: Sequence[str] = ()
    env_files: Sequence[Path] = ()
    project_name: str | None = None

    @classmethod
    def of(
        cls,
        files: Sequence[Path] | None,
        profiles: Sequence[str] | None,
        env_files: Sequence[Path] | None,
        project_name: str | None,
    ) -> Source:
        """Return the source that the options of a verb mean."""
        return cls(tuple(files or ()), tuple(profiles or ()), tuple(env_files or ()), project_name)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A project and its Kubernetes objects."""

    project: Project
    objects: list[Obj]
    namespace: str


def load_options(source: Source) -> LoadOptions:
    """Return what the loader is asked for: the source, this process's environment and directory."""
    return LoadOptions(
        files=source.files,
        project_name=source.project_name,
        env_files=source.env_files,
        profiles=source.profiles,
        environment=dict(os.environ),
        working_dir=Path.cwd(),
    )


def render_project(
    source: Source,
    *,
    strict: bool = False,
    environment: str = "local",
    build: Callable[[Project], Mapping[str, str]] | None = None,
    notes: bool = False,
) -> Rendered:
    """Load and render a project and print what was found, once.

    Args:
        source: where it comes from.
        strict: warnings are errors.
        environment: production defaults differ from local ones.
        build: makes images of the services to build; service → reference.
        notes: print notes, not only their number.

    Raises:
        DiagnosticsError: it cannot be used; or `strict` and there are warnings.
    """
    loaded = load_project(load_options(source))
    stop_at_errors(sort_by_waivers(loaded.project, loaded.diagnostics).open, strict=strict)
    images = build(loaded.project) if build else {}
    result = render(loaded.project, RenderOptions(environment=environment, images=images))
    waived = sort_by_waivers(loaded.project, dict.fromkeys([*loaded.diagnostics, *result.diagnostics]))
    found = [*waived.open, *waived.expired]
    stop_at_errors(found, strict=strict)
    show_findings(found, notes=notes)
    return Rendered(loaded.project, list(result.objects), namespace_of(result.objects))


def namespace_of(objects: Iterable[Obj]) -> str:
    """Return the namespace that rendered objects are in."""
    return str(next(obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"))


def stop_at_errors(found: Sequence[Diagnostic], *, strict: bool) -> None:
    """Stop when a finding is an error.

    Raises:
        DiagnosticsError: there is an error, or `strict` and there is a warning.
    """
    stopping = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    stops = [item for item in found if item.severity in stopping]
    if stops:
        raise DiagnosticsError(stops)


def show_findings(found: Sequence[Diagnostic], *, notes: bool = False) -> None:
    """Print warnings, and notes or how many there are."""
    output.show_diagnostics(item for item in found if notes or item.severity is not Severity.NOTE)
    hidden = 0 if notes else sum(1 for item in found if item.severity is Severity.NOTE)
    if hidden:
        them = "it" if hidden == 1 else "them"
        output.note(f"{output.count(hidden, 'note')}; `leeward render --notes` shows {them}")
