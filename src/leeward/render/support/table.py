"""The whole table, and which row a value in a Compose file has.

Invariants: no key has two rows; a row whose last step is ``**`` is for every key below that has no row of
its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cache

from leeward.render.support.levels import Level, Row, Section
from leeward.render.support.rows import operation, project, service, surroundings

Path = tuple[str | int, ...]
ANY = "*"
REST = "**"
SECTIONS: tuple[Section, ...] = (
    project.TOP,
    *service.SECTIONS,
    *surroundings.SECTIONS,
    *operation.SECTIONS,
    *(section for section in project.SECTIONS if section is not project.TOP),
)
OUTSIDE_SCHEMA: Mapping[str, str] = {  # rows whose keys the published schema does not have, and why
    "x-*": "extensions have a pattern there, not a name",
    "services.*.driver_opts": "older schemas have it",
    "jobs.*.**": "it stands for every key of a job",
    "services.*.pre_start.*.**": "it stands for the keys of a container that have no row of their own",
}


class Step:
    """One step of a key: the row that ends here, and the steps below."""

    __slots__ = ("below", "exact", "row")

    def __init__(self) -> None:
        self.row: Row | None = None
        self.below: dict[str, Step] = {}
        self.exact = False  # every row from here on is, whatever the value

    def settle(self) -> bool:
        """Find out whether this step and those below are exact."""
        below = [step.settle() for step in self.below.values()]
        own = self.row is None or (self.row.support.level is Level.EXACT and not self.row.variants)
        self.exact = own and all(below)
        return self.exact

    def to(self, part: str | int) -> Step | None:
        """Return the step for the value at `part` of this one, or None when no row knows it."""
        if isinstance(part, str) and (part.startswith("x-") or part in self.below):
            return self.below.get(part)
        return self.below.get(ANY) or self.below.get(REST)


class Table:
    """The rows by key.

    Raises:
        ValueError: a key has two rows.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self.root = Step()
        self._rows: dict[str, Row] = {}
        for row in rows:
            if self._rows.setdefault(row.key, row) is not row:
                raise ValueError(f"{row.key!r} has two rows")
            node = self.root
            for part in row.key.split("."):
                node = node.below.setdefault(part, Step())
            node.row = row
        self.root.settle()

    def __iter__(self) -> Iterator[Row]:
        """Iterate over the rows, in the order of the sections."""
        return iter(self._rows.values())

    def find(self, key: str) -> Row | None:
        """Return the row of a key of the specification, such as ``services.*.image``, or None."""
        node: Step | None = self.root
        for part in key.split("."):
            node = (node.below.get(part) or node.below.get(REST)) if node is not None else None
            if node is not None and node.row is not None and node.row.key.endswith(REST):
                return node.row
        return node.row if node is not None else None


@cache
def support_table() -> Table:
    """Return the table; it never changes."""
    return Table(row for section in SECTIONS for row in section.rows())
