"""From the file ``cluster.yaml`` to a cluster spec, with the line of everything that is wrong."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import date

from leeward.base.diagnostics import Diagnostic
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node, plain
from leeward.compose.source import Sources
from leeward.infra.spec import ClusterSpec
from leeward.settings.configfile import diagnostic_at, read_tree


@dataclass(frozen=True, slots=True)
class SpecFile:
    """A cluster spec, or what is wrong with its file."""

    path: str  # absolute
    spec: ClusterSpec | None  # None: too little of it could be read
    tree: Node = field(repr=False)  # what was written, with its lines
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def directory(self) -> str:
        """Return the directory of the cluster, absolute."""
        return os.path.dirname(self.path)

    def problem(self, path: ValuePath, code: str, message: str, remedy: str = "") -> Diagnostic:
        """Return an error about the value at `path`."""
        return diagnostic_at(self.tree, path, code, message, remedy)


def read_spec(path: str, sources: Sources, findings: Findings, today: date) -> SpecFile:
    """Return what the file at `path`, absolute, says.

    Args:
        path: absolute.
        sources: reads files.
        findings: takes what is wrong with the text; what is wrong with the spec is in the result too.
        today: decides which versions are retired.
    """
    from leeward.infra.specrules import broken_rules
    from leeward.settings.check import check

    tree, found = read_tree(path, sources, findings, "cluster spec")
    if found:
        return SpecFile(path, None, tree, tuple(found))
    checked = check(ClusterSpec, plain(tree))
    problems = [*checked.problems, *(broken_rules(checked.settings, today) if checked.settings else ())]
    found = [diagnostic_at(tree, each.path, each.code, each.message, each.remedy) for each in problems]
    return SpecFile(path, checked.settings, tree, tuple(dict.fromkeys(found)))
