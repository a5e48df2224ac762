"""Compose files → :class:`Project`, in eight phases; the entry point of this package.

1. find the files and the variables (``source``);
2. syntax: YAML to nodes that know their lines (``syntax``, ``scalars``);
3. interpolate variables (``interpolate``, ``dotenv``);
4. canonical: long forms and types, by ``schema`` (``conform``, ``shortforms``);
5. include, extends, merge (``layers``, ``include``, ``extends``, ``merge``);
6. resolve paths and environment files (``paths``, ``envfiles``);
7. normalise: what everybody leaves out (``build``);
8. validate: rules between keys (``validate``).

``docs/compose-pipeline.md`` shows each with what goes in and comes out.

Everything wrong is collected and raised together; what is only worth knowing is returned. The
environment is an argument; nothing here reads the process's own.

Source: Compose Specification; Docker Compose documentation, "Environment variables precedence".
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leeward.base.diagnostics import Diagnostic
from leeward.compose.build import build_project
from leeward.compose.conform import check_required
from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings
from leeward.compose.include import Stack
from leeward.compose.layers import LayerLoader
from leeward.compose.node import Node
from leeward.compose.project import Project
from leeward.compose.schema import COMPOSE
from leeward.compose.source import ProjectFiles, Reader, Sources, find_files
from leeward.compose.validate import check_project, check_tree

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """What the user asked for."""

    working_dir: Path  # absolute; where relative names start
    files: Sequence[str | Path] = ()  # -f; () means COMPOSE_FILE, else the default names
    project_directory: str | Path | None = None  # --project-directory
    project_name: str | None = None  # -p
    env_files: Sequence[str | Path] = ()  # --env-file; () means .env in the project directory
    profiles: Sequence[str] = ()  # --profile; () means COMPOSE_PROFILES; "*" means all
    services: Sequence[str] = ()  # named by the user: enabled whatever their profiles
    environment: Mapping[str, str] = field(default_factory=dict)  # the user's environment variables
    stdin: str | None = None  # what the file "-" contains
    reader: Reader | None = None  # where files are; None: on disk


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """A project and what is worth knowing about it."""

    project: Project
    diagnostics: tuple[Diagnostic, ...]  # warnings and notes
    environment: Mapping[str, str]  # what variables were substituted with


def load_project(options: LoadOptions) -> LoadResult:
    """Load a Compose project.

    Raises:
        DiagnosticsError: the files cannot be used; it has every error found.
    """
    findings = Findings()
    sources, files, environment = _begin(options, findings)  # 1
    loader = LayerLoader(sources, findings, environment)
    stack = Stack(files.files, files.directory, environment)
    name = _project_name(options, environment, loader.written_name(stack), files, findings)
    environment["COMPOSE_PROJECT_NAME"] = name  # files may mention it
    tree = loader.load(stack)  # 2 to 6
    if not findings.damaged:
        check_required(tree, COMPOSE, (), findings)
        check_tree(tree, findings)
    if findings.damaged:
        findings.raise_errors()  # checks from here on would repeat them in other words
    project = build_project(  # 7
        tree,
        name=name,
        directory=files.directory,
        files=tuple(sources.shown(path) for path in files.files),
        profiles=_profiles(options, environment),
        named=frozenset(options.services),
        environment=environment,
        sources=sources,
        findings=findings,
    )
    check_project(project, tree, findings)  # 8
    findings.raise_errors()
    return LoadResult(project=project, diagnostics=findings.diagnostics, environment=environment)


def find_project_name(options: LoadOptions) -> str:
    """Return the name that :func:`load_project` gives, reading no more of the files than it takes.

    Raises:
        DiagnosticsError: the files cannot be found or parsed, or the name is wrong.
    """
    findings = Findings()
    sources, files, environment = _begin(options, findings)
    stack = Stack(files.files, files.directory, environment)
    written = LayerLoader(sources, findings, environment).written_name(stack)
    name = _project_name(options, environment, written, files, findings)
    findings.raise_errors()
    return name


def _begin(options: LoadOptions, findings: Findings) -> tuple[Sources, ProjectFiles, dict[str, str]]:
    """Find the files and the variables of a project.

    Raises:
        DiagnosticsError: there are no files.
    """
    sources = Sources(options.working_dir, findings, options.stdin, options.reader)
    directory = None if options.project_directory is None else str(options.project_directory)
    early = _environment(options, sources, sources.absolute(directory or "."), Findings())
    files = find_files([str(file) for file in options.files], directory, early, sources, findings)
    findings.raise_errors()
    return sources, files, _environment(options, sources, files.directory, findings)


def _environment(
    options: LoadOptions, sources: Sources, directory: str, findings: Findings
) -> dict[str, str]:
    """Return the variables for substitution: the user's environment over the environment files."""
    named = [str(file) for file in options.env_files]
    if not named and options.environment.get("COMPOSE_ENV_FILES"):
        named = [name for name in options.environment["COMPOSE_ENV_FILES"].split(",") if name]
    files = [sources.absolute(name) for name in named]
    default = os.path.join(directory, ".env")
    if not named and sources.is_file(default):
        files = [default]
    values: dict[str, str] = {}
    files_of = Sources(options.working_dir, findings, reader=options.reader)
    for path in files:
        text = files_of.read(path, "environment file", remedy="Correct --env-file, or create the file.")
        if text is not None:
            known = {**values, **options.environment}
            values.update(parse_dotenv(text, known, sources.shown(path), findings))
    return {**values, **options.environment}


def _profiles(options: LoadOptions, environment: Mapping[str, str]) -> frozenset[str]:
    if options.profiles:
        return frozenset(options.profiles)
    return frozenset(
        part.strip() for part in environment.get("COMPOSE_PROFILES", "").split(",") if part.strip()
    )


def _project_name(
    options: LoadOptions,
    environment: Mapping[str, str],
    written: Node | None,
    files: ProjectFiles,
    findings: Findings,
) -> str:
    text = written.value if written is not None and isinstance(written.value, str) else None
    chosen = options.project_name or environment.get("COMPOSE_PROJECT_NAME") or text
    if not chosen:
        return _normal_name(os.path.basename(files.directory)) or "default"
    if not _NAME.match(chosen):
        explicit = options.project_name or environment.get("COMPOSE_PROJECT_NAME")
        findings.error(
            "invalid-name",
            f'The project name "{chosen}" is not valid.',
            path=() if explicit or written is None else ("name",),
            at=None if explicit or written is None else written.location,
            remedy=f'Use lower-case letters, digits, "-" and "_", such as "{_normal_name(chosen) or "app"}".',
        )
    return chosen


def _normal_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]", "", name.lower()).lstrip("_-")
