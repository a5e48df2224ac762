"""From the options of a verb to a loaded and rendered project, as ``leeward.yaml`` has it where there is one.

What is named on the command line wins over ``leeward.yaml``: files take the place of its files, a project
name that of ``app``, profiles are added. Variables of the shell win over those of an environment.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.collector import collection_paused
from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.base.errors import DiagnosticsError
from leeward.cli import output
from leeward.cli.waivers import sort_by_waivers
from leeward.compose.findings import Findings
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.project import Project
from leeward.compose.source import Sources
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render
from leeward.settings.applied import (
    LOCAL,
    Inputs,
    application_files,
    apply_environment,
    environment_error,
    inputs_of,
)
from leeward.settings.configfile import ConfigFile, find_config, read_config
from leeward.settings.read import is_external

if TYPE_CHECKING:
    from leeward.settings.config import Config

BASE = ""  # no environment: what all of them have
USUAL_ENVIRONMENTS = (LOCAL, "ci", "qa", "uat", "staging", "production", "demo")  # where no file names them


@dataclass(frozen=True, slots=True)
class Source:
    """Where a project comes from, as given on the command line."""

    files: Sequence[Path] = ()
    profiles: Sequence[str] = ()
    env_files: Sequence[Path] = ()
    project_name: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)  # that win over the shell's

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
class Opened:
    """A project of one environment, ready to render."""

    project: Project
    diagnostics: tuple[Diagnostic, ...]  # of loading; an error among them is one of the environment
    options: RenderOptions
    config: Config | None  # what leeward.yaml says


@dataclass(frozen=True, slots=True)
class Rendered:
    """A project and its Kubernetes objects."""

    project: Project  # with the services that run here
    objects: list[Obj]
    namespace: str
    config: Config | None = None  # what leeward.yaml says
    origins: Mapping[tuple[str, str], Location] = field(default_factory=dict)  # of objects, by kind and name


def load_options(source: Source, environment: str = LOCAL) -> LoadOptions:
    """Return what the loader is asked for, as far as ``leeward.yaml`` can be read."""
    file = _config_file(source)
    known = file is not None and environment_error(file, environment) is None
    return _load_options(source, environment, inputs_of(file, environment) if file and known else Inputs())


def base_options(source: Source, name: str) -> tuple[LoadOptions, str]:
    """Return what the loader is asked for without an environment, and the directory of ``leeward.yaml``.

    Args:
        source: whose files take the place of the application's.
        name: of the project.

    Raises:
        DiagnosticsError: ``leeward.yaml`` cannot be used.
    """
    file = _config_file(source)
    stop_at_errors(file.diagnostics if file is not None else (), strict=False)
    inputs = Inputs(app=name, files=application_files(file, with_override=False) if file is not None else ())
    options = _load_options(source, BASE, inputs)
    return replace(options, project_name=name), file.directory if file is not None else str(Path.cwd())


def open_project(source: Source, environment: str = LOCAL, *, strict: bool = False) -> Opened:
    """Load a project as `environment` has it.

    Raises:
        DiagnosticsError: leeward.yaml or the Compose files cannot be used, or leeward.yaml does not name the
            environment; or `strict` and loading gives warnings.
    """
    file = _config_file(source)
    if file is None:
        if environment not in USUAL_ENVIRONMENTS:
            usual = ", ".join(USUAL_ENVIRONMENTS)
            output.note(f"note: environment {environment!r} is not a usual name; usual are {usual}")
        loaded = load_project(_load_options(source, environment, Inputs()))
        stop_at_errors(sort_by_waivers(loaded.project, loaded.diagnostics).open, strict=strict)
        return Opened(loaded.project, loaded.diagnostics, RenderOptions(environment=environment), None)
    unknown = environment_error(file, environment)
    stop_at_errors([*file.diagnostics, *([unknown] if unknown else [])], strict=strict)
    inputs = inputs_of(file, environment)
    loaded = load_project(_load_options(source, environment, inputs))
    stop_at_errors(sort_by_waivers(loaded.project, loaded.diagnostics).open, strict=strict)
    project, found = apply_environment(file, environment, loaded.project)
    options = RenderOptions(environment=environment, namespace=inputs.namespace, embedded=inputs.embedded)
    return Opened(project, (*loaded.diagnostics, *found), options, file.config)


def render_project(
    source: Source,
    *,
    strict: bool = False,
    environment: str = LOCAL,
    build: Callable[[Project], Mapping[str, str]] | None = None,
    adapt: Callable[[Opened], Opened] | None = None,
    notes: bool = False,
) -> Rendered:
    """Load and render a project and print what was found, once.

    Args:
        source: where it comes from.
        strict: warnings are errors.
        environment: production defaults differ from local ones; leeward.yaml may say more of it.
        build: makes images of the services to build that run here; service → reference.
        adapt: changes what is rendered.
        notes: print notes, not only their number.

    Raises:
        DiagnosticsError: it cannot be used; or `strict` and there are warnings.
    """
    rendered, found = _rendered(source, environment, strict=strict, build=build, adapt=adapt)
    show_findings(found, notes=notes)
    return rendered


def render_environments(
    source: Source, names: Iterable[str], *, strict: bool = False, notes: bool = False
) -> dict[str, Rendered]:
    """Load and render a project for several environments and print each finding once.

    Raises:
        DiagnosticsError: it cannot be used in one of them; or `strict` and there are warnings.
    """
    results: dict[str, Rendered] = {}
    found: dict[Diagnostic, None] = {}
    for name in names:
        try:
            results[name], more = _rendered(source, name, strict=strict)
        except DiagnosticsError:
            output.note(f"environment {name} cannot be rendered:")
            raise
        found |= dict.fromkeys(more)
    show_findings(list(found), notes=notes)
    return results


def _rendered(
    source: Source,
    environment: str,
    *,
    strict: bool,
    build: Callable[[Project], Mapping[str, str]] | None = None,
    adapt: Callable[[Opened], Opened] | None = None,
) -> tuple[Rendered, list[Diagnostic]]:
    with collection_paused():
        opened = open_project(source, environment, strict=strict)
        opened = adapt(opened) if adapt else opened
        here = _running_here(opened.project)
    images = build(here) if build else {}
    with collection_paused():
        result = render(opened.project, replace(opened.options, images=images))
    waived = sort_by_waivers(opened.project, dict.fromkeys([*opened.diagnostics, *result.diagnostics]))
    found = [*waived.open, *waived.expired]
    stop_at_errors(found, strict=strict)
    namespace = namespace_of(result.objects)
    return Rendered(here, list(result.objects), namespace, opened.config, result.origins), found


def environments_of(source: Source) -> tuple[str, ...]:
    """Return the environments that ``leeward.yaml`` names, none where there is no such file.

    Raises:
        DiagnosticsError: the file cannot be used.
    """
    config = config_of(source)
    return () if config is None else tuple(config.environments)


def config_of(source: Source) -> Config | None:
    """Return what ``leeward.yaml`` says; None where there is no such file.

    Raises:
        DiagnosticsError: the file cannot be used.
    """
    file = config_file_of(source)
    return None if file is None else file.config


def config_file_of(source: Source) -> ConfigFile | None:
    """Return ``leeward.yaml`` with the lines of what it says; None where there is no such file.

    Raises:
        DiagnosticsError: the file cannot be used.
    """
    file = _config_file(source)
    if file is not None:
        stop_at_errors(file.diagnostics, strict=False)
    return file


def _config_file(source: Source) -> ConfigFile | None:
    """Return the ``leeward.yaml`` that holds for the files on the command line, else for this directory."""
    named = [str(file) for file in source.files if str(file) != "-"]
    path = find_config(os.path.dirname(named[0]) if named else ".")
    if path is None:
        return None
    findings = Findings()
    return read_config(path, Sources(Path.cwd(), findings), findings)


def _load_options(source: Source, environment: str, inputs: Inputs) -> LoadOptions:
    variables = dict(os.environ)
    given = source.files or (environment == LOCAL and variables.get("COMPOSE_FILE"))
    app = None if variables.get("COMPOSE_PROJECT_NAME") else inputs.app
    return LoadOptions(
        files=source.files if given else inputs.files,
        project_name=source.project_name or app,
        env_files=source.env_files or inputs.env_files,
        profiles=(*source.profiles, *inputs.profiles),
        environment={**(inputs.variables or {}), **variables, **source.variables},
        working_dir=Path.cwd(),
        stdin=_standard_input() if "-" in map(str, source.files) else None,
    )


@functools.cache
def _standard_input() -> str:
    """Return what is on standard input, which can be read only once."""
    return sys.stdin.read()


def _running_here(project: Project) -> Project:
    """Return `project` less the services that somebody else runs."""
    here = {name: service for name, service in project.services.items() if not is_external(service)}
    return project if len(here) == len(project.services) else replace(project, services=here)


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
