"""Making Terraform's plan for a cluster: only of what its spec says now, and only what EKS will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cli import output
from leeward.cli.infraplans import Shown
from leeward.cli.infrarepository import here, stale, today
from leeward.cli.progress import Steps
from leeward.infra.blastradius import consequences
from leeward.infra.checks.catalog import broken
from leeward.infra.checks.rule import Case
from leeward.infra.places import Places, good_spec
from leeward.infra.plans import summary_of
from leeward.infra.repository import member
from leeward.infra.sizing import moves, refused_upgrades
from leeward.infra.spec import ClusterSpec
from leeward.infra.specfile import SpecFile
from leeward.infra.terraform import Terraform


@dataclass(frozen=True, slots=True)
class Home:
    """A cluster whose Terraform is as its spec says."""

    places: Places
    read: SpecFile
    spec: ClusterSpec

    @property
    def directory(self) -> Path:
        """Return its directory."""
        return self.places.directory(self.spec.name)


def home_of(name: str, *, as_rendered: bool = True) -> Home:
    """Return a cluster of the repository that we are in.

    Args:
        name: of the cluster.
        as_rendered: refuse what was not rendered from its spec, and what the check calls an error.

    Raises:
        UserInputError: there is none, its spec has mistakes or was not rendered.
        DiagnosticsError: an error of the check.
    """
    places = here()
    read = places.read(name, Path.cwd(), today())
    home = Home(places, read, good_spec(read))
    if as_rendered:
        _require_promises(home)
        _require_rendered(home)
    return home


def _require_promises(home: Home) -> None:
    """Refuse what the rules call an error, as far as they need nothing but files."""
    places, read, spec = home.places, home.read, home.spec
    others = {name: places.read(name, Path.cwd(), today()).spec for name in places.names if name != spec.name}
    case = Case(
        spec=spec,
        lock=places.lock(spec.name),
        today=today(),
        others={name: other for name, other in others.items() if other is not None},
    )
    found = [
        read.problem(each.path, rule.id, each.message, each.remedy)
        for rule, each in broken(case)
        if rule.severity is Severity.ERROR
    ]
    if found:
        raise DiagnosticsError(list(dict.fromkeys(found)))


def _require_rendered(home: Home) -> None:
    known, _ = member(home.spec, home.places.lock(home.spec.name))
    found = stale(home.places, {home.spec.name: known})
    if found:
        raise UserInputError(
            f"the Terraform of {home.spec.name} is not as its spec says: {', '.join(found[:3])}"
            f"{f' and {len(found) - 3} more' if len(found) > 3 else ''}",
            remedy="Run leeward infra render, and look at what it changes.",
        )


def make_plan(home: Home, terraform: Terraform, file: Path, *, destroy: bool = False) -> Shown:
    """Make a plan, kept in a file; returns it with all that is said about it.

    Raises:
        DiagnosticsError: Terraform finds a mistake, or EKS refuses the version.
    """
    name = home.spec.name
    with Steps() as steps:
        steps.show(f"planning {'the end of ' if destroy else ''}{name}")
        plan, warnings = terraform.plan(file, destroy=destroy)
    output.show_diagnostics(warnings)
    return understood(home, plan)


def understood(home: Home, plan: Mapping[str, Any]) -> Shown:
    """Return a plan, as Terraform's JSON has it, with all that is said about it.

    Raises:
        DiagnosticsError: EKS refuses the version.
    """
    summary = summary_of(plan)
    refused = [
        home.read.problem(each.path, each.code, each.message, each.remedy)
        for each in refused_upgrades(summary, home.spec)
    ]
    if refused:
        raise DiagnosticsError(refused)
    return Shown(home.spec.name, summary, consequences(summary, home.spec), tuple(moves(summary)))
