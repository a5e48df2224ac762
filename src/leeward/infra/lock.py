"""``cluster.lock.json``: what a cluster keeps for life, whatever order or subset of it a spec has.

A zone's slot decides its addresses, so slots are only ever added: a zone that left keeps its own. EKS fixes
the zones of the control plane when it makes a cluster, and its name, region and addresses too.

Invariant: a lock that was extended has everything that it had.
Source: "View Amazon EKS networking requirements for VPC and subnets" of the Amazon EKS user guide.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from leeward.base.errors import UserInputError
from leeward.infra.spec import ClusterSpec
from leeward.settings.check import Problem

FILE_NAME = "cluster.lock.json"
_VERSION = 1
MOST_ZONES = 6  # an eighth of the addresses is a zone's, two are for public and control-plane subnets


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """What is fixed of one cluster."""

    name: str
    region: str
    cidr: str
    zones: Mapping[str, int]  # zone → slot, 0 to 5
    control_plane_zones: tuple[str, ...]  # by name
    addons: Mapping[str, str] = field(default_factory=dict)  # add-on → version that was found at AWS

    def text(self) -> str:
        """Return the file."""
        content = {
            "comment": "Written by leeward; belongs into version control. Do not edit.",
            "version": _VERSION,
            "name": self.name,
            "region": self.region,
            "cidr": self.cidr,
            "zones": dict(sorted(self.zones.items(), key=lambda item: item[1])),
            "control_plane_zones": list(self.control_plane_zones),
            "addons": dict(sorted(self.addons.items())),
        }
        return json.dumps(content, indent=2) + "\n"


def new_lock(spec: ClusterSpec) -> Lock:
    """Return the lock of a cluster that was not rendered before."""
    zones = spec.zone_names
    slots = {zone: slot for slot, zone in enumerate(zones[:MOST_ZONES])}
    return Lock(
        name=spec.name, region=spec.region, cidr=spec.network.cidr, zones=slots, control_plane_zones=zones[:3]
    )


def extended(lock: Lock, spec: ClusterSpec) -> Lock:
    """Return a lock with slots for the zones of `spec` too, by name."""
    free = iter(sorted(set(range(MOST_ZONES)) - set(lock.zones.values())))
    added = [zone for zone in spec.zone_names if zone not in lock.zones]
    return replace(lock, zones={**lock.zones, **dict(zip(added, free, strict=False))})


def broken_lock_rules(lock: Lock, spec: ClusterSpec) -> Iterator[Problem]:
    """Yield what a spec wants otherwise than its cluster was made."""
    fixed = (("name", lock.name, spec.name), ("region", lock.region, spec.region))
    copied = (
        f"; in a directory that was copied, remove its {FILE_NAME} and cluster.auto.tfvars.json"
        if lock.name != spec.name
        else ""
    )
    remedy = f"Make a new one: leeward infra clone {lock.name} NAME, or undo this{copied}."
    for key, was, wanted in fixed:
        if was != wanted:
            yield Problem(
                (key,), "fixed-setting", f"The {key} of this cluster is {was}, and cannot become {wanted}.",
                remedy,
            )  # fmt: skip
    if lock.cidr != spec.network.cidr:
        yield Problem(
            ("network", "cidr"), "fixed-setting",
            f"The addresses of this cluster's VPC are {lock.cidr}, and cannot become {spec.network.cidr}.",
            remedy,
        )  # fmt: skip
    gone = [zone for zone in lock.control_plane_zones if zone not in spec.zone_names]
    if gone:
        yield Problem(
            ("zones",), "fixed-setting",
            f"The control plane of this cluster is in {', '.join(lock.control_plane_zones)}, and "
            "stays there; "
            f"{', '.join(gone)} cannot leave the list.",
            "Keep it; node groups may leave a zone by their own zones.",
        )  # fmt: skip
    if len(set(lock.zones) | set(spec.zone_names)) > MOST_ZONES:
        yield Problem(
            ("zones",), "too-many-zones",
            f"A cluster has had {MOST_ZONES} zones at most, those that left among them: "
            f"{', '.join(sorted(lock.zones))}.",
            "Use those, or make a new cluster.",
        )  # fmt: skip


def parse_lock(text: str, shown: str) -> Lock:
    """Return the lock that a file holds.

    Args:
        text: of the file.
        shown: its name, for people.

    Raises:
        UserInputError: it is not one that leeward wrote.
    """
    if "<<<<<<<" in text:
        raise UserInputError(
            f"{shown}: this has a merge conflict",
            remedy="Keep the zones of both sides, each with its own slot; what was applied keeps its slot.",
        )
    try:
        return _lock(json.loads(text, object_pairs_hook=_each_once))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserInputError(
            f"{shown}: this is no lock file of leeward's ({error})",
            remedy="Restore it from version control: only it knows the addresses and zones of the cluster.",
        ) from None


def _each_once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return a mapping; what a merge left twice must not be decided by chance."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def _lock(content: Mapping[str, Any]) -> Lock:
    if content["version"] != _VERSION:
        raise ValueError(f"version {content['version']}; this leeward knows {_VERSION}")
    slots = {str(zone): int(slot) for zone, slot in content["zones"].items()}
    if len(set(slots.values())) < len(slots) or not all(0 <= slot < MOST_ZONES for slot in slots.values()):
        raise ValueError("the slots of zones are not numbers of their own from 0 to 5")
    control_plane = tuple(str(zone) for zone in content["control_plane_zones"])
    if isinstance(content["control_plane_zones"], str) or not {*control_plane} <= {*slots}:
        raise ValueError("a zone of the control plane has no slot")
    return Lock(
        name=str(content["name"]),
        region=str(content["region"]),
        cidr=str(content["cidr"]),
        zones=slots,
        control_plane_zones=control_plane,
        addons={str(addon): str(version) for addon, version in content.get("addons", {}).items()},
    )
