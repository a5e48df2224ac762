"""Which zone each endpoint is for, so that zones have endpoints as they have CPUs. Pure.

No zone gets so few that its endpoints would be loaded more than 20 % above the average; where that cannot
be, there are no hints, and an Event says why.

Source: ``k8s.io/endpointslice/topologycache`` (topologycache.go, sliceinfo.go, utils.go; Kubernetes 1.36).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from leeward.cluster.controllers.endpointslice.hints import is_ready, with_hints
from leeward.cluster.controllers.endpointslice.packing import Changes
from leeward.kube.objects import Obj, is_condition_true, labels_of
from leeward.kube.quantity import parse_quantity
from leeward.kube.wellknown import ZONE

OVERLOAD = 0.2
NO_NODE_INFO = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
TOO_FEW = "Insufficient number of endpoints"
OVER_THRESHOLD = (
    "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
)
NO_ZONE = "One or more endpoints do not have a zone specified"
NONE_ALLOCATED = "No hints allocated for zones"
ENABLED = "Topology Aware Hints has been enabled"
DISABLED = "Topology Aware Hints has been disabled"
_CONTROL_PLANE = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many endpoints a zone is to have."""

    minimum: int
    maximum: int
    desired: float


def cpu_shares(nodes: Iterable[Obj]) -> dict[str, float]:
    """Return which part of all CPUs each zone has; {} when it is not known or there is but one zone."""
    by_zone: Counter[str] = Counter()
    for node in nodes:
        if any(label in labels_of(node) for label in _CONTROL_PLANE) or not is_condition_true(node, "Ready"):
            continue
        allocatable = (node.get("status") or {}).get("allocatable") or {}
        millis = math.ceil(parse_quantity(allocatable.get("cpu") or "0") * 1000)
        zone = labels_of(node).get(ZONE)
        if not zone or millis <= 0:
            return {}
        by_zone[zone] += millis
    total = by_zone.total()
    return {zone: cpus / total for zone, cpus in by_zone.items()} if len(by_zone) >= 2 else {}


def allocate(shares: Mapping[str, float], endpoints: int) -> dict[str, Allocation] | str:
    """Return how many of so many endpoints each zone is to have, or why that cannot be."""
    if not shares:
        return NO_NODE_INFO
    counts = f"({endpoints} endpoints, {len(shares)} zones)"
    if len(shares) > endpoints:
        return f"{TOO_FEW} {counts}"
    desired = {zone: share * endpoints for zone, share in shares.items()}
    least = {zone: math.ceil(wanted / (1 + OVERLOAD)) for zone, wanted in desired.items()}
    spare = endpoints - sum(least.values())
    if spare < 0:
        return f"{OVER_THRESHOLD} {counts}"
    return {
        zone: Allocation(least[zone], least[zone] + spare, max(desired[zone], least[zone])) for zone in shares
    }


def spread(found: Changes, shares: Mapping[str, float]) -> Changes | str:
    """Return the changes with hints for zones, or why there can be none."""
    slices = [*found.create, *found.update, *found.unchanged]
    allocations = allocate(shares, sum(is_ready(each) for part in slices for each in part["endpoints"]))
    if isinstance(allocations, str):
        return allocations
    given: Counter[str] = Counter()
    update, unchanged = list(found.update), []
    for existing in found.unchanged:
        counts = _hints_of(existing, given, allocations)
        if counts is None:
            update.append(existing)
        else:
            given.update(counts)
            unchanged.append(existing)
    open_slices = [*found.create, *update]
    zones: list[list[str]] = []  # per open slice and endpoint; "" for none
    for part in open_slices:
        zones.append([each.get("zone") or "" if is_ready(each) else "" for each in part["endpoints"]])
        if any(is_ready(each) and not each.get("zone") for each in part["endpoints"]):
            return NO_ZONE
        given.update(zone for zone in zones[-1] if zone)
    _redistribute(zones, allocations, given)
    if not given:
        return NONE_ALLOCATED
    new = [_with_zones(part, wanted) for part, wanted in zip(open_slices, zones, strict=True)]
    return Changes(new[: len(found.create)], new[len(found.create) :], found.delete, unchanged)


def _hints_of(
    existing: Obj, given: Mapping[str, int], allocations: Mapping[str, Allocation]
) -> Counter[str] | None:
    """Count a slice's hints; None when they cannot stay."""
    counts: Counter[str] = Counter()
    for endpoint in existing["endpoints"]:
        if not is_ready(endpoint):
            continue
        zones = [each["name"] for each in (endpoint.get("hints") or {}).get("forZones") or ()]
        if not zones or any(zone not in allocations for zone in zones):
            return None
        counts.update(zones)
    if any(count + given.get(zone, 0) > allocations[zone].maximum for zone, count in counts.items()):
        return None
    return counts


def _redistribute(zones: list[list[str]], allocations: Mapping[str, Allocation], given: Counter[str]) -> None:
    """Move endpoints from zones with too many to zones with too few."""
    over = {z: given[z] - a.desired for z, a in allocations.items() if given[z] > a.desired}
    under = {z: a.desired - given[z] for z, a in allocations.items() if given[z] < a.desired}
    while over and under:
        giver, taker = (max(each, key=lambda zone: (each[zone], zone)) for each in (over, under))
        most = over[giver], under[taker]
        if min(most) < 0.5 or max(most) < 1.0:
            return
        if not _move(zones, giver, taker):
            return
        over[giver] -= 1
        under[taker] -= 1
        given[giver] -= 1
        given[taker] += 1


def _move(zones: list[list[str]], giver: str, taker: str) -> bool:
    for part in zones:
        if giver in part:
            part[part.index(giver)] = taker
            return True
    return False


def _with_zones(part: Obj, zones: list[str]) -> Obj:
    endpoints = [
        with_hints(each, {"forZones": [{"name": zone}]} if zone else None)
        for each, zone in zip(part["endpoints"], zones, strict=True)
    ]
    return {**part, "endpoints": endpoints}
