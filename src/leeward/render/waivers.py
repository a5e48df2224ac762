"""Which findings are waived today: pure, the date is an argument.

Invariants: a waiver that has expired waives nothing and is an error of its own; a finding without a path
is never waived.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:  # read with pydantic, which only projects with waivers load
    from leeward.settings.waivers import PlacedWaiver, Waiver

FILE_NAME = "leeward.waivers.yaml"


@dataclass(frozen=True, slots=True)
class Waived:
    """Findings, sorted by whether somebody has accepted them."""

    open: tuple[Diagnostic, ...]
    accepted: Mapping[Diagnostic, Waiver] = field(default_factory=dict)
    expired: tuple[Diagnostic, ...] = ()  # errors about waivers
    unused: tuple[Diagnostic, ...] = ()  # warnings about waivers


def _matcher(waiver: Waiver) -> re.Pattern[str]:
    return re.compile(re.escape(waiver.path).replace(r"\*", r"[^.\[\]]+") + r"(?=[.\[]|\Z)")


def _expired(placed: PlacedWaiver) -> Diagnostic:
    waiver = placed.waiver
    return Diagnostic(
        path=waiver.path,
        location=placed.location,
        code="waiver-expired",
        severity=Severity.ERROR,
        message=f"The waiver of {waiver.owner} ended on {waiver.until.isoformat()}.",
        remedy=f"Repair what it is about, or let {waiver.owner} set a new date.",
    )


def _unused(placed: PlacedWaiver) -> Diagnostic:
    return Diagnostic(
        path=placed.waiver.path,
        location=placed.location,
        code="waiver-unused",
        severity=Severity.WARNING,
        message="The waiver matches no finding.",
        remedy="Remove it, or correct its path and code.",
    )


def apply_waivers(found: Iterable[Diagnostic], waivers: Sequence[PlacedWaiver], today: date) -> Waived:
    """Sort `found` by the waivers that hold `today`; of several for one finding the first counts."""
    valid = [(placed, _matcher(placed.waiver)) for placed in waivers if placed.waiver.until >= today]
    left: list[Diagnostic] = []
    accepted: dict[Diagnostic, Waiver] = {}
    used: set[int] = set()
    for item in found:
        fitting = [
            index
            for index, (placed, pattern) in enumerate(valid)
            if pattern.match(item.path) and placed.waiver.code in (None, item.code)
        ]
        used.update(fitting)
        if fitting:
            accepted[item] = valid[fitting[0]][0].waiver
        else:
            left.append(item)
    return Waived(
        open=tuple(left),
        accepted=accepted,
        expired=tuple(_expired(placed) for placed in waivers if placed.waiver.until < today),
        unused=tuple(_unused(placed) for index, (placed, _) in enumerate(valid) if index not in used),
    )
