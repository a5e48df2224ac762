"""Prices: a dated table that comes with leeward, or a file that takes its place.

A file of prices is JSON with the same keys: ``date``, ``region``, ``prices`` and ``instances`` (USD an hour).
It needs only those that it changes. A table without a region of its own is that of us-east-1.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import Any

from leeward.base.errors import UserInputError
from leeward.compose.findings import did_you_mean
from leeward.infra.catalogue import catalogue

FILE_NAME = "prices.json"  # in the root of a repository
HOURS = 730  # of a month


@dataclass(frozen=True, slots=True)
class Rates:
    """What things cost, USD."""

    control_plane_hour: float
    control_plane_extended_hour: float
    disk_gb_month: float
    nat_hour: float
    nat_gb: float
    endpoint_hour: float  # in one zone
    endpoint_gb: float
    cross_zone_gb: float  # in each direction
    egress_gb: float
    egress_free_gb: float
    load_balancer_hour: float
    lcu_hour: float
    ipv4_hour: float
    log_gb: float
    log_gb_month: float
    kms_key_month: float


@dataclass(frozen=True, slots=True)
class Prices:
    """A table of prices."""

    date: date
    region: str
    rates: Rates
    instances: Mapping[str, float]  # instance type → USD an hour, instead of those of the catalogue

    def hourly(self, kind: str) -> float | None:
        """Return what an instance type costs an hour on demand, or None when nobody knows."""
        if kind in self.instances:
            return self.instances[kind]
        known = catalogue().types.get(kind)
        return known.hourly if known else None


@cache
def own_prices() -> Prices:
    """Return the table that comes with leeward."""
    text = (resources.files("leeward.infra") / "tables" / "prices.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return Prices(
        date=date.fromisoformat(table["date"]),
        region=table["region"],
        rates=Rates(**table["prices"]),
        instances=table["instances"],
    )


def parse_prices(text: str, shown: str) -> Prices:
    """Return leeward's table with what a file changes.

    Args:
        text: of the file.
        shown: its name, for people.

    Raises:
        UserInputError: it is no table of prices.
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise UserInputError(f"{shown}: this is no JSON: {error}") from None
    if not isinstance(table, dict):
        raise UserInputError(f"{shown}: a table of prices is a mapping with date, region, prices, instances")
    known = ("source", "date", "region", "prices", "instances")
    for key in table:
        if key not in known:
            remedy = did_you_mean(key, known) or f"Known: {', '.join(known)}."
            raise UserInputError(f"{shown}: {key!r} is not known here", remedy=remedy)
    own = own_prices()
    return Prices(
        date=_date(table.get("date"), shown),
        region=str(table.get("region", own.region)),
        rates=replace(
            own.rates, **_numbers(table.get("prices", {}), shown, [each.name for each in fields(Rates)])
        ),
        instances=_numbers(table.get("instances", {}), shown, None),
    )


def _date(written: Any, shown: str) -> date:
    try:
        return date.fromisoformat(written)
    except (TypeError, ValueError):
        remedy = 'Write "date": "2026-11-01", the day from which on these prices are right.'
        raise UserInputError(f"{shown}: date: a day is needed, not {written!r}", remedy=remedy) from None


def _numbers(written: Any, shown: str, known: list[str] | None) -> dict[str, float]:
    if not isinstance(written, dict):
        raise UserInputError(f"{shown}: prices and instances are mappings of names to USD")
    found = {}
    for name, price in written.items():
        if known is not None and name not in known:
            remedy = did_you_mean(name, known) or f"Known: {', '.join(known)}."
            raise UserInputError(f"{shown}: prices: there is no price {name!r}", remedy=remedy)
        if isinstance(price, bool) or not isinstance(price, (int, float)) or not 0 <= price < 1e9:
            raise UserInputError(f"{shown}: {name}: a price is a number of USD, not {price!r}")
        found[name] = float(price)
    return found
