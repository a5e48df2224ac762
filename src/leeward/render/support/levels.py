"""How faithfully a key is kept, and the plain text that rows are written in.

A row is one line: ``key | level | result | reason | remedy``; cells may be missing at the end.
``key = pattern`` is a row for values that fit the shell-style pattern; the first row that fits counts, the
one without a pattern is for every other value. ``"`` as level repeats the row of the key above it in the file
(``a`` for ``a.b``). ``harmless`` is the level ignored, where nothing the service does for others changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from leeward.base.diagnostics import Severity

_HARMLESS = "harmless"
_SAME = '"'
_MOST_CELLS = 4  # after the key


class Level(StrEnum):
    """How well a key is honoured."""

    EXACT = "exact"
    APPROXIMATED = "approximated"
    IGNORED = "ignored"
    REFUSED = "refused"


_SEVERITY = {
    Level.EXACT: Severity.NOTE,
    Level.APPROXIMATED: Severity.NOTE,
    Level.IGNORED: Severity.WARNING,
    Level.REFUSED: Severity.ERROR,
}


@dataclass(frozen=True, slots=True)
class Support:
    """What becomes of a key, or of some of its values."""

    level: Level
    result: str = ""  # in Kubernetes' words; "" for nothing
    reason: str = ""  # sentences; "" for exact ones
    remedy: str = ""  # one imperative sentence; "" when there is nothing to do
    harmless: bool = False  # ignored without any effect on what the service does for others

    @property
    def severity(self) -> Severity:
        """How bad it is to use the key."""
        return Severity.NOTE if self.harmless else _SEVERITY[self.level]


@dataclass(frozen=True, slots=True)
class Row:
    """One key of the specification: ``*`` in it stands for an index or a name."""

    key: str  # such as "services.*.ports.*.mode"
    support: Support
    variants: tuple[tuple[str, Support], ...] = ()  # pattern of values → instead

    def of(self, value: Any) -> Support:
        """Return what becomes of the key when it has that value."""
        if not self.variants:
            return self.support
        text = str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)
        return next((other for pattern, other in self.variants if fnmatchcase(text, pattern)), self.support)


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the table, as the documentation shows it."""

    title: str
    prefix: str  # of the keys in `text`; "" at the top level
    text: str

    def rows(self) -> list[Row]:
        """Return the rows of the section.

        Raises:
            ValueError: a line is no row; this is a mistake in leeward.
        """
        supports: dict[str, Support] = {}
        variants: dict[str, list[tuple[str, Support]]] = {}
        for name, pattern, cells in self._lines():
            support = _support(cells, supports, name)
            if pattern:
                variants.setdefault(name, []).append((pattern, support))
            elif supports.setdefault(name, support) is not support:
                raise ValueError(f"{name!r} has two rows in section {self.title!r}")
        if stray := variants.keys() - supports.keys():
            raise ValueError(f"{sorted(stray)} have rows for some values only")
        return [
            Row(f"{self.prefix}.{name}".lstrip("."), support, tuple(variants.get(name, ())))
            for name, support in supports.items()
        ]

    def _lines(self) -> Iterator[tuple[str, str, list[str]]]:
        for line in filter(None, map(str.strip, self.text.splitlines())):
            key, *cells = (cell.strip() for cell in line.split("|"))
            name, _, pattern = (part.strip() for part in key.partition(" = "))
            if not 1 <= len(cells) <= _MOST_CELLS:
                raise ValueError(f"no row: {line!r}")
            yield name, pattern, cells


def _support(cells: list[str], supports: dict[str, Support], name: str) -> Support:
    word, *texts = cells
    if word == _SAME:
        return supports[name.rpartition(".")[0].removesuffix(".*")]
    harmless = word == _HARMLESS
    level = Level.IGNORED if harmless else Level(word)
    result, reason, remedy = (*texts, "", "", "")[:3]
    return Support(level, result, reason, remedy, harmless)
