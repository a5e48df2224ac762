"""All rules, in the order of the report."""

from __future__ import annotations

from collections.abc import Iterator

from leeward.infra.checks import groups, needs, platform, zones
from leeward.infra.checks.rule import Case, Finding, Rule

RULES: tuple[Rule, ...] = (*zones.RULES, *groups.RULES, *needs.RULES, *platform.RULES)


def broken(case: Case) -> Iterator[tuple[Rule, Finding]]:
    """Yield everything that the rules find, in their order."""
    for rule in RULES:
        for finding in rule.find(case):
            yield rule, finding
