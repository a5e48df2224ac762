"""The files of ``leeward render --output-dir``: manifests of one environment, Kustomize or Helm of several.

Kustomize and Helm have the environments that ``leeward.yaml`` names. Where no file names them, they have the
one asked for and those that the directory already has: rendering for another one keeps what is there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import UserInputError
from leeward.cli.output import RenderFormat
from leeward.cli.projects import environments_of, open_project, render_environments
from leeward.render.writers.index import read_index
from leeward.settings.applied import LOCAL

if TYPE_CHECKING:
    from leeward.cli.projects import Rendered, Source


_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*").fullmatch
_MARKS = {  # the file that each environment has
    RenderFormat.KUSTOMIZE: re.compile(r"overlays/([^/]+)/kustomization\.yaml"),
    RenderFormat.HELM: re.compile(r"values-([^/]+)\.yaml"),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """The files of a directory."""

    files: Mapping[str, str]  # path with "/" → content
    of: Mapping[str, str]  # what they are of; see write_directory


def plain_tree(rendered: Rendered, environment: str) -> Tree:
    """Return plain manifests."""
    from leeward.render.writers.yaml import layout

    of = {"project": rendered.project.name, "format": RenderFormat.YAML.value, "environment": environment}
    return Tree(layout(rendered.objects, rendered.origins), of)


def shared_tree(
    form: RenderFormat, source: Source, environment: str, directory: Path, *, strict: bool, notes: bool
) -> Tree:
    """Return the Kustomize or Helm files of all environments.

    Args:
        form: which of the two.
        source: the project.
        environment: the one asked for.
        directory: where they go; it may have other environments.
        strict: warnings are errors.
        notes: print notes, too.

    Raises:
        DiagnosticsError: the project cannot be used in one of the environments.
        UserInputError: an environment has a name that no file can have.
        OperationError: the directory's index is damaged.
    """
    names = environments_of(source)
    if names and environment not in (LOCAL, *names):
        open_project(source, environment)  # tells that there is no such environment
    if not names:
        names = tuple(sorted({environment, *_written(form, directory)}))
    for name in names:
        if not _FILE_NAME(name):
            raise UserInputError(
                f"environment {name!r} cannot name a file",
                remedy="Use letters, digits, hyphens and underscores.",
            )
    renderings = render_environments(source, names, strict=strict, notes=notes)
    project = next(iter(renderings.values())).project.name
    objects = {name: each.objects for name, each in renderings.items()}
    origins = {key: place for each in renderings.values() for key, place in each.origins.items()}
    of = {"project": project, "format": form.value}
    if form is RenderFormat.HELM:
        from leeward.render.naming import dns_label
        from leeward.render.writers.helm import helm

        return Tree(helm(dns_label(project), objects, origins), of)
    from leeward.render.writers.kustomize import kustomize

    return Tree(kustomize(objects, origins), of)


def _written(form: RenderFormat, directory: Path) -> list[str]:
    index = read_index(directory)
    found = [(name, _MARKS[form].fullmatch(name)) for name in (index.files if index else ())]
    return [match[1] for name, match in found if match and (directory / name).is_file()]
