"""What AWS offers, as far as leeward knows it without asking: types, prices, versions, with dates.

The tables are files beside this module; ``scripts/generate_aws_tables.py`` makes that of instance types.
What they do not have is not wrong: it is not known.

Source: the generated tables of types, addresses and prices of ``aws/karpenter-provider-aws``; the release
calendar of Amazon EKS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import resources

from leeward.infra.spec import Architecture


@dataclass(frozen=True, slots=True)
class InstanceType:
    """One instance type."""

    name: str  # such as "m7i.large"
    arch: Architecture
    vcpus: int
    memory_mib: int
    interfaces: int  # network interfaces, at most
    addresses: int  # IPv4 addresses an interface
    hourly: float | None  # USD an hour on demand in us-east-1; None: not known

    @property
    def max_pods(self) -> int:
        """Return how many Pods EKS puts on a node, by the VPC CNI's addresses and its own limit."""
        limit = 110 if self.vcpus <= 30 else 250
        return min(self.interfaces * (self.addresses - 1) + 2, limit)


@dataclass(frozen=True, slots=True)
class Version:
    """A minor version of Kubernetes on EKS."""

    name: str  # such as "1.35"
    released: date
    standard_until: date  # afterwards support is extended, and dearer
    extended_until: date  # afterwards EKS upgrades it


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tables."""

    types: Mapping[str, InstanceType]
    types_from: date  # when the table of types and their prices was made
    versions: Mapping[str, Version]
    versions_from: date
    regions: Mapping[str, tuple[str, ...]]  # region → its zones
    zones_of_some: Mapping[str, tuple[str, ...]]  # region → zones that only some accounts see

    @property
    def recommended_version(self) -> str:
        """Return the newest minor version but one, which what runs beside it has caught up with."""
        return sorted(self.versions, key=lambda name: self.versions[name].released)[-2]


@cache
def catalogue() -> Catalogue:
    """Return what is known."""
    tables = resources.files("leeward.infra") / "tables"
    types = json.loads((tables / "instance-types.json").read_text(encoding="utf-8"))
    versions = json.loads((tables / "versions.json").read_text(encoding="utf-8"))
    regions = json.loads((tables / "regions.json").read_text(encoding="utf-8"))
    return Catalogue(
        types={name: InstanceType(name, *row) for name, row in types["types"].items()},
        types_from=date.fromisoformat(types["date"]),
        versions={
            name: Version(name, *(date.fromisoformat(day) for day in row))
            for name, row in versions["versions"].items()
        },
        versions_from=date.fromisoformat(versions["date"]),
        regions=_zones(regions["regions"]),
        zones_of_some=_zones(regions["of_some_accounts"]),
    )


def _zones(letters: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    return {region: tuple(f"{region}{letter}" for letter in each) for region, each in letters.items()}
