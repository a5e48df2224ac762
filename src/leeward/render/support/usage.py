"""Which keys of the table a project uses, and the findings about those that are not kept exactly.

What a person wrote is in the tree that places of values come from; implied values are not. Of a key that is
ignored or refused as a whole nothing inside is told. Services that no profile enables are left out. What a
renderer says about a value goes before what the table says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from leeward.base.diagnostics import Diagnostic, Location
from leeward.compose.findings import path_text
from leeward.compose.node import Node
from leeward.compose.project import Project
from leeward.render.support.levels import Level, Row, Support
from leeward.render.support.table import Path, Step, support_table

_COLLECTIONS = frozenset((dict, list))
_CLOSED = (Level.IGNORED, Level.REFUSED)


@dataclass(frozen=True, slots=True)
class Use:
    """A key of the table where a project uses it."""

    path: Path
    row: Row
    support: Support  # for the value it has there
    location: Location

    @property
    def key(self) -> str:
        """The last word of the path."""
        return next((str(part) for part in reversed(self.path) if isinstance(part, str)), "")


def uses(project: Project, *, exact: bool = True) -> list[Use]:
    """Return every key in use, in the order of the files; of nested keys the innermost, if all are exact.

    Args:
        project: what the files say.
        exact: tell of keys that are kept exactly too.
    """
    found: list[Use] = []
    tree = project.locations.tree
    if tree is not None:
        services = tree.get("services")
        enabled = services.without(*project.disabled) if services is not None else None
        whole = tree.having({**tree.items(), "services": enabled}) if enabled is not None else tree
        _collect(whole, (), support_table().root, found, exact)
    return found


def _collect(node: Node, path: Path, step: Step, found: list[Use], exact: bool) -> None:
    """Add to `found` what is used in `node`, which is at `path`, where the table has `step`."""
    entries: Iterable[tuple[str | int, Node]] = (
        enumerate(node.value) if isinstance(node.value, list) else node.items().items()
    )
    for part, inner in entries:
        following = step.to(part)
        if following is None or (following.exact and not exact):
            continue
        row = following.row
        if row is None:
            _collect(inner, (*path, part), following, found, exact)
            continue
        support = row.of(inner.value) if row.variants else row.support
        index = len(found)
        if following.below and inner.value.__class__ in _COLLECTIONS and support.level not in _CLOSED:
            _collect(inner, (*path, part), following, found, exact)
        if support.level is not Level.EXACT or (exact and len(found) == index):
            found.insert(index, Use((*path, part), row, support, inner.location))


def code_of(support: Support) -> str:
    """Return the code of findings about such keys."""
    return f"key-{support.level}"


def finding(use: Use) -> Diagnostic:
    """Return what to tell about a key that is not kept exactly."""
    support = use.support
    return Diagnostic(
        path=path_text(use.path),
        location=use.location,
        code=code_of(support),
        severity=support.severity,
        message=" ".join(filter(None, (f"{use.key} is {support.level}.", support.reason))),
        remedy=support.remedy,
    )


def unsupported(project: Project, told: Iterable[Diagnostic] = ()) -> list[Diagnostic]:
    """Return a finding for every key of `project` that is present and not exact.

    Args:
        project: what the files say.
        told: what renderers found; where one of them is about the same value, or about the element of a
            list that the key is in, it says more and the table keeps silent.
    """
    places = {found.path for found in told}
    found = (finding(use) for use in uses(project, exact=False))
    return [item for item in found if not places.intersection(_values_of(item.path))]


def _values_of(path: str) -> list[str]:
    """Return `path` and the elements of lists that it is inside of."""
    ends = (index + 1 for index, letter in enumerate(path) if letter == "]")
    return [path, *(path[:end] for end in ends)]
