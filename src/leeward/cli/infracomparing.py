"""Specs of clusters compared: with another cluster, or with themselves as version control has them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cli import output
from leeward.cli.infrarepository import here, today
from leeward.compose.findings import Findings
from leeward.compose.source import Sources
from leeward.delivery.releases.files import ReleaseReader
from leeward.infra.places import Places, good_spec
from leeward.infra.spec import ClusterSpec
from leeward.infra.specdiff import Difference, differences, replica_differences
from leeward.infra.specfile import read_spec


def spec_at(places: Places, name: str, revision: str) -> ClusterSpec:
    """Return a cluster's spec as a revision of version control has it.

    Raises:
        UserInputError: git does not have it.
        DiagnosticsError: it has mistakes.
    """
    path = places.spec_path(name)
    command = ["git", "show", "--end-of-options", f"{revision}:./{path.name}"]
    try:
        shown = subprocess.run(command, cwd=path.parent, capture_output=True, check=False)
    except FileNotFoundError:
        raise UserInputError("git is not installed", remedy="Name another cluster to compare with.") from None
    if shown.returncode:
        lines = shown.stderr.decode(errors="replace").strip().splitlines()
        raise UserInputError(
            f"git has no {path} at {revision!r}: {lines[-1] if lines else 'no reason given'}",
            remedy="Commit it first, or name another revision with --against, or another cluster.",
        )
    findings = Findings()
    sources = Sources(Path.cwd(), findings, reader=ReleaseReader({str(path): shown.stdout}))
    return good_spec(read_spec(str(path), sources, findings, today()))


def compare(name: str, other: str | None, against: str, form: output.Format) -> None:
    """Print what differs between a cluster's spec now and before, or between two clusters.

    Raises:
        UserInputError: one of them is not there, or has mistakes.
    """
    places = here()
    spec = good_spec(places.read(name, Path.cwd(), today()))
    if other is not None:
        with_other = good_spec(places.read(other, Path.cwd(), today()))
        found = list(replica_differences(spec, with_other))
        nothing = f"{other} is like {name}, but for its name, place and addresses"
    else:
        found = list(differences(_before(places, name, against), spec))
        nothing = f"{name} is as at {against}"
    _show(found, form, nothing, names=None if other is None else (name, other))


def _before(places: Places, name: str, against: str) -> ClusterSpec:
    try:
        return spec_at(places, name, against)
    except DiagnosticsError as error:
        raise UserInputError(f"at {against}: {error}") from None


def _show(
    found: Sequence[Difference], form: output.Format, nothing: str, *, names: tuple[str, str] | None
) -> None:
    """Print differences; `names`: of the clusters, when it is not one cluster that changed."""
    before, after = names if names and form is output.Format.TABLE else ("there", "here")
    is_change = names is None
    rows: list[dict[str, Any]] = [
        {
            "setting": each.path,
            "before" if is_change else before: _words(each.before, form),
            "after" if is_change else after: _words(each.after, form),
            **({"effect": each.effect} if is_change else {}),
        }
        for each in found
    ]
    output.show_rows(list(rows[0]) if rows else [], rows, form, empty=nothing)


def _words(value: Any, form: output.Format) -> Any:
    if form is output.Format.JSON:
        return value
    if value is None:
        return "(default)"
    return value if isinstance(value, str) else json.dumps(value)
