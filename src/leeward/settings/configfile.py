"""From the file ``leeward.yaml`` to its settings, with the line of everything that is wrong.

The file is looked for where Compose files are: in the directory given and those above, as far as the first
that has either. A project below another one's ``leeward.yaml`` is thus not part of it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.findings import Findings, ValuePath, path_text
from leeward.compose.node import Node, plain
from leeward.compose.source import FILE_NAMES, Sources
from leeward.compose.syntax import parse_documents
from leeward.settings.config import FILE_NAME, Config

if TYPE_CHECKING:
    from leeward.settings.check import Problem

_OF_WHOLES = ("bad-cluster", "bad-verification")  # what is told of a mapping by the keys that it has


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The settings of one ``leeward.yaml``, as far as they could be read."""

    config: Config
    directory: str  # absolute; names in the file are relative to it
    tree: Node = field(repr=False)  # what was written, with its lines
    diagnostics: tuple[Diagnostic, ...] = ()

    def problem(self, path: ValuePath, code: str, message: str, remedy: str = "") -> Diagnostic:
        """Return an error about the value at `path`."""
        return diagnostic_at(self.tree, path, code, message, remedy)


def find_config(start: str) -> str | None:
    """Return the path of the ``leeward.yaml`` that holds in the directory `start`, or None."""
    directory = os.path.abspath(start)
    while True:
        path = os.path.join(directory, FILE_NAME)
        if os.path.isfile(path):
            return path
        parent = os.path.dirname(directory)
        has_project = any(os.path.isfile(os.path.join(directory, name)) for name in FILE_NAMES)
        if has_project or parent == directory:
            return None
        directory = parent


def read_config(path: str, sources: Sources, findings: Findings) -> ConfigFile:
    """Return what the file at `path` says.

    Args:
        path: absolute.
        sources: reads files.
        findings: takes what is wrong with the text; what is wrong with the settings is in the result.
    """
    tree, found = read_tree(path, sources, findings, "configuration file")
    return _checked(tree, os.path.dirname(path), found)


def read_tree(path: str, sources: Sources, findings: Findings, what: str) -> tuple[Node, list[Diagnostic]]:
    """Return the one document of a YAML file, and what is wrong with its text.

    Args:
        path: absolute.
        sources: reads files.
        findings: takes what is wrong with the text.
        what: the file is taken for, such as "configuration file".
    """
    shown = sources.shown(path)
    text = sources.read(path, what)
    documents = parse_documents(text, shown, findings) if text is not None else []
    tree = documents[0] if documents else Node({}, Location(shown, 1))
    found = list(findings.diagnostics)
    if len(documents) > 1:
        found.append(several_documents(documents[1]))
    return tree, found


def _checked(tree: Node, directory: str, found: list[Diagnostic]) -> ConfigFile:
    from leeward.settings.check import check
    from leeward.settings.configrules import broken_config_rules

    checked = check(Config, plain(tree))
    config = checked.settings or Config()
    broken = [
        problem
        for problem in broken_config_rules(config, _Exists(directory))
        if problem.code not in _OF_WHOLES or not _is_told_inside(problem.path, checked.problems)
    ]
    found.extend(
        diagnostic_at(tree, problem.path, problem.code, problem.message, problem.remedy)
        for problem in (*checked.problems, *broken)
    )
    return ConfigFile(_located(config, directory), directory, tree, tuple(dict.fromkeys(found)))


def _located(config: Config, directory: str) -> Config:
    """Return `config` with the absolute paths of cluster specs, so that they can be found from anywhere."""
    clusters = {
        name: replace(each, spec=os.path.join(directory, each.spec)) if each.spec else each
        for name, each in config.clusters.items()
    }
    return replace(config, clusters=clusters)


def _is_told_inside(path: ValuePath, problems: Sequence[Problem]) -> bool:
    """Tell whether something is known to be wrong below `path`, so that what is left there is not all."""
    return any(problem.path[: len(path)] == path for problem in problems)


@dataclass(frozen=True, slots=True)
class _Exists:
    """Tells whether a file named in the configuration is there."""

    directory: str

    def __call__(self, name: str) -> bool:
        return os.path.isfile(os.path.join(self.directory, name))


def several_documents(second: Node) -> Diagnostic:
    """Return the error about a second document in a file."""
    return diagnostic_at(
        second, (), "several-documents", "There may be only one document.", "Remove the others."
    )


def diagnostic_at(tree: Node, path: ValuePath, code: str, message: str, remedy: str) -> Diagnostic:
    """Return an error about the value at `path` of a file, with its line."""
    return Diagnostic(
        path=path_text(path),
        location=_locate(tree, path),
        code=code,
        severity=Severity.ERROR,
        message=message,
        remedy=remedy,
    )


def _locate(tree: Node, path: ValuePath) -> Location:
    """Return the place of the value at `path`, else of the nearest value around it."""
    node = tree
    for step in path:
        elements = node.elements()
        if isinstance(step, int):
            inner = elements[step] if step < len(elements) else None
        else:
            inner = node.get(step)
        if inner is None:
            break
        node = inner
    return node.location
