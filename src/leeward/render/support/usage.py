"""Which keys of the table a project uses, and the findings about those that are not kept exactly.

What a person wrote is known from the places of values: implied values have none. Of a key that is ignored or
refused as a whole nothing inside is told. Services that no profile enables are left out. What a renderer says
about a value goes before what the table says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.base.diagnostics import Diagnostic
from leeward.compose.findings import path_text
from leeward.compose.project import Deploy, Project
from leeward.render.support.levels import Level, Row, Support
from leeward.render.support.table import Node, Path, support_table

_CLOSED = (Level.IGNORED, Level.REFUSED)


@dataclass(frozen=True, slots=True)
class Use:
    """A key of the table where a project uses it."""

    path: Path
    row: Row
    support: Support  # for the value it has there

    @property
    def key(self) -> str:
        """The last word of the path."""
        return next((str(part) for part in reversed(self.path) if isinstance(part, str)), "")


def value_at(project: Project, path: Path) -> Any:
    """Return the value at a path of the Compose file; None where the model has it elsewhere."""
    here: Any = project
    for part in path:
        if isinstance(here, Mapping):
            here = here.get(str(part))
        elif isinstance(here, (tuple, list)):
            here = here[part] if isinstance(part, int) and part < len(here) else None
        elif not (isinstance(here, Deploy) and part == "resources"):
            here = getattr(here, str(part), None)
    return here


def _tree(project: Project) -> dict[str | int, Any]:
    """Return the paths of all values as nested dictionaries."""
    root: dict[str | int, Any] = {}
    for path in project.locations.paths():
        here = root
        for part in path:
            here = here.setdefault(part, {})
    return root


def uses(project: Project) -> list[Use]:
    """Return every key in use, in the order of the files; of nested keys the innermost, if all are exact."""
    tree = _tree(project)
    disabled = set(project.disabled)
    services = tree.get("services") or {}
    tree["services"] = {name: below for name, below in services.items() if name not in disabled}
    found: list[Use] = []
    _collect(project, tree, (), support_table().root, found)
    return found


def _collect(
    project: Project, tree: Mapping[str | int, Any], path: Path, node: Node, found: list[Use]
) -> None:
    """Add to `found` what is used in `tree`, which is at `path`, where the table has `node`."""
    for part, inner in tree.items():
        following = node.step(part)
        if following is None:
            continue
        place = (*path, part)
        row = following.row
        if row is None:
            _collect(project, inner, place, following, found)
            continue
        support = row.of(value_at(project, place) if row.variants else None)
        index = len(found)
        if inner and following.below and support.level not in _CLOSED:
            _collect(project, inner, place, following, found)
        if len(found) == index or support.level is not Level.EXACT:
            found.insert(index, Use(place, row, support))


def code_of(support: Support) -> str:
    """Return the code of findings about such keys."""
    return f"key-{support.level}"


def finding(project: Project, use: Use) -> Diagnostic:
    """Return what to tell about a key that is not kept exactly."""
    support = use.support
    return Diagnostic(
        path=path_text(use.path),
        location=project.locations.find(*use.path),
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
    found = (finding(project, use) for use in uses(project) if use.support.level is not Level.EXACT)
    return [item for item in found if not places.intersection(_values_of(item.path))]


def _values_of(path: str) -> list[str]:
    """Return `path` and the elements of lists that it is inside of."""
    ends = (index + 1 for index, letter in enumerate(path) if letter == "]")
    return [path, *(path[:end] for end in ends)]
