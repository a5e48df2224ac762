"""The fidelity report of a project: for every key in use, and every other finding, what becomes of it.

Invariants: a key counts as exact only when nothing was found at it or around it; a key that is used many
times in one service counts once as exact, while everything else is listed where it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Diagnostic, Location, Severity
from leeward.compose.findings import path_text
from leeward.compose.project import Project
from leeward.render.support.levels import Level
from leeward.render.support.table import Path
from leeward.render.support.usage import Use, code_of, uses
from leeward.render.waivers import Waived

if TYPE_CHECKING:
    from leeward.settings.waivers import Waiver

PROJECT = ""  # the owner of what belongs to no service, network, volume, config or secret
_SECTIONS = ("services", "networks", "volumes", "configs", "secrets")
_LEVELS = {Severity.ERROR: Level.REFUSED, Severity.WARNING: Level.IGNORED, Severity.NOTE: Level.APPROXIMATED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the report."""

    owner: str  # "web" for a service, "volumes.data" and the like, or PROJECT
    path: str  # "services.web.ports[0].mode"
    rule: str  # the key of the table, else the code of the finding
    level: Level
    severity: Severity
    result: str = ""  # what Kubernetes has for it
    reason: str = ""
    remedy: str = ""
    location: Location | None = None
    waiver: Waiver | None = None
    apart: bool = False  # not about what becomes of a key: files that cannot be loaded, waivers

    @property
    def key(self) -> str:
        """The path inside its owner."""
        for prefix in (f"services.{self.owner}", self.owner):
            if self.owner and self.path.startswith(f"{prefix}."):
                return self.path[len(prefix) + 1 :]
        return self.path


@dataclass(frozen=True, slots=True)
class Report:
    """Everything about a project, in the order of its parts and of their lines."""

    entries: tuple[Entry, ...]

    def count(self, level: Level) -> int:
        """Return how many keys or findings of that level nobody has waived."""
        return sum(1 for each in self._open() if each.level is level and not each.apart)

    @property
    def waived(self) -> int:
        """How many findings are waived."""
        return sum(1 for each in self.entries if each.waiver is not None)

    def fails(self, *, strict: bool) -> bool:
        """Tell whether something is refused or, if `strict`, something makes a difference."""
        stopping = (Severity.ERROR, Severity.WARNING) if strict else (Severity.ERROR,)
        return any(each.severity in stopping and each.level is not Level.EXACT for each in self._open())

    def summary(self) -> str:
        """Return the counts as one line."""
        counts = [f"{self.count(level)} {level}" for level in Level]
        errors = sum(1 for each in self.entries if each.apart and each.severity is Severity.ERROR)
        more = [f"{errors} error{'s' if errors > 1 else ''}"] if errors else []
        return ", ".join([*counts, f"{self.waived} waived", *more])

    def _open(self) -> Iterator[Entry]:
        return (each for each in self.entries if each.waiver is None)


def report_of(project: Project, waived: Waived) -> Report:
    """Return the report of a project.

    Args:
        project: what was rendered.
        waived: what loading and rendering found.
    """
    used = {path_text(use.path): use for use in uses(project)}
    owners = _Owners(project)
    accepted = waived.accepted
    found = [
        _entry(item, used.get(item.path), owners, accepted.get(item)) for item in (*waived.open, *accepted)
    ]
    exact = _exact(used, found, owners)
    apart = [_apart(item) for item in (*waived.expired, *waived.unused)]
    return Report((*sorted([*exact, *found], key=owners.order), *apart))


def report_of_failure(found: Sequence[Diagnostic]) -> Report:
    """Return the report of files that cannot be loaded."""
    return Report(tuple(_apart(item) for item in found))


def _apart(item: Diagnostic) -> Entry:
    return Entry(
        owner=PROJECT,
        path=item.path,
        rule=item.code,
        level=_LEVELS[item.severity],
        severity=item.severity,
        reason=item.message,
        remedy=item.remedy,
        location=item.location,
        apart=True,
    )


class _Owners:
    """Tells whose a path is, and in which order owners come: services first, as in the files."""

    def __init__(self, project: Project) -> None:
        self._names = {section: getattr(project, section).keys() for section in _SECTIONS}
        all_names = [(section, name) for section in _SECTIONS for name in self._names[section]]
        self._most_words = max((name.count(".") + 1 for _, name in all_names), default=1)
        self._ranks = {self._owner(*each): rank for rank, each in enumerate(all_names)}

    @staticmethod
    def _owner(section: str, name: str) -> str:
        return name if section == "services" else f"{section}.{name}"

    def of(self, path: Path) -> str:
        """Return the owner of a value."""
        section = str(path[0])
        return self._owner(section, str(path[1])) if section in self._names and len(path) > 1 else PROJECT

    def of_text(self, path: str) -> str:
        """Return the owner of the value at the path of a finding; a name may have dots in it."""
        section, _, rest = path.partition(".")
        names = self._names.get(section)
        if not names:
            return PROJECT
        words = rest.replace("[", ".").split(".")
        for length in range(min(self._most_words, len(words)), 0, -1):
            if (name := ".".join(words[:length])) in names:
                return self._owner(section, name)
        return PROJECT

    def order(self, entry: Entry) -> tuple[int, str, int, str]:
        """Return what entries are sorted by."""
        place = entry.location
        rank = self._ranks.get(entry.owner, len(self._ranks))
        return (rank, place.file if place else "", place.line if place else 0, entry.path)


def _exact(used: Mapping[str, Use], found: Iterable[Entry], owners: _Owners) -> Iterator[Entry]:
    near: dict[str, list[str]] = {}  # owner → where something was found, as beginnings of paths
    for entry in found:
        if entry.owner == PROJECT or entry.key != entry.path:  # one about a whole service is about no key
            near.setdefault(entry.owner, []).extend((f"{entry.path}.", f"{entry.path}["))
    told: set[tuple[str, str]] = set()
    for path, use in used.items():
        owner = owners.of(use.path)
        if use.support.level is not Level.EXACT or (owner, use.row.key) in told:
            continue
        if f"{path}.".startswith(tuple(near.get(owner, ()))):
            continue
        told.add((owner, use.row.key))
        yield Entry(
            owner=owner,
            path=path,
            rule=use.row.key,
            level=Level.EXACT,
            severity=Severity.NOTE,
            result=use.support.result,
            location=use.location,
        )


def _entry(item: Diagnostic, use: Use | None, owners: _Owners, waiver: Waiver | None) -> Entry:
    """Return the entry of a finding; `use` is the key at its place, if there is one."""
    said_by_table = use is not None and item.code == code_of(use.support)
    level = _LEVELS[item.severity]
    plain = item.code in tuple(Level)  # a renderer names the level and nothing more special
    if plain:
        level = Level(item.code)
    elif use is not None and said_by_table:
        level = use.support.level
    return Entry(
        owner=owners.of(use.path) if use else owners.of_text(item.path),
        path=item.path,
        rule=use.row.key if use is not None and (said_by_table or plain) else item.code,
        level=level,
        severity=item.severity,
        result=use.support.result if use is not None and use.support.level is level else "",
        reason=use.support.reason if use is not None and said_by_table else item.message,
        remedy=item.remedy,
        location=item.location,
        waiver=waiver,
    )
