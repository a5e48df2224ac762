"""What differs between two cluster specs, in the words of ``cluster.yaml``, and what AWS makes of it.

Pure. The effects are those of EKS: what it changes in place, what needs new nodes, and what is for life.

Tags and the key of disks are in the launch template of nodes, so that new ones make new nodes.

Source: "UpdateNodegroupConfig" and "UpdateClusterConfig" of the Amazon EKS API, "ForceNew" of the provider.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leeward.infra.proposal import zones_in
from leeward.infra.spec import ClusterSpec
from leeward.settings.check import written

FOR_LIFE = "cannot be changed: make another cluster"
NEW_NODES = "new nodes take the place of the old ones"
IN_PLACE = "in place"
NOT_AWS = "nothing at AWS changes"
_NODES = ("types", "disk", "ami", "os", "spot", "per_zone", "zones", "taints", "labels")
_IN_PLACE_OF_NODES = ("labels", "taints")
_ZONES_OF_GROUP = "nodes in the zones that came; those in zones that left go"
_TOP: Mapping[str, str] = {
    "name": FOR_LIFE,
    "region": FOR_LIFE,
    "kubernetes": "the control plane, then every node, is upgraded",
    "zones": "subnets and nodes in the zones that came; the control plane stays",
    "estimate": NOT_AWS,
    "environments": NOT_AWS,
    "highly_available": NOT_AWS,
    "account": NOT_AWS,
    "state": "Terraform must move its state: terraform init -migrate-state",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that is not the same."""

    path: str  # such as "node_groups.general.max"
    before: Any  # None: not there, and there is no one value that it then has
    after: Any
    effect: str


def differences(before: ClusterSpec, after: ClusterSpec) -> Iterator[Difference]:
    """Yield what `after` has otherwise than `before`, by path. Order within lists of zones means nothing."""
    old, new = _flat(before), _flat(after)
    for path in sorted({*old, *new}):
        if old.get(path) != new.get(path):
            effect = _effect_of_zones(path, after) or _effect(path, old, new)
            was, now = old.get(path, _default(before, path)), new.get(path, _default(after, path))
            yield Difference(".".join(path), was, now, effect)


def replica_differences(origin: ClusterSpec, other: ClusterSpec) -> Iterator[Difference]:
    """Yield what a cluster has otherwise than one it should be like, but for name, place and addresses."""
    if origin.region == other.region or len(other.zone_names) != len(origin.zone_names):
        places: Mapping[str, str] = {}
    else:
        places = zones_in(other.region, origin)
    groups = {
        name: replace(group, zones=tuple(places.get(zone, zone) for zone in group.zones))
        for name, group in origin.node_groups.items()
    }
    moved = replace(
        origin,
        name=other.name,
        region=other.region,
        zones=tuple(places.get(zone, zone) for zone in origin.zones),
        network=replace(origin.network, cidr=other.network.cidr),
        node_groups=groups,
        state=other.state,
    )
    yield from differences(moved, other)


def _flat(spec: ClusterSpec) -> dict[tuple[str, ...], Any]:
    """Return every setting that is not the default, by its path."""
    plain = written(replace(spec, zones=spec.zone_names))
    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                walk((*path, str(key)), inner)
        else:
            found[path] = sorted(value) if path[-1] == "zones" else value

    walk((), plain)
    for name in spec.node_groups:
        found.setdefault(("node_groups", name, "types"), list(spec.node_groups[name].types))
    return found


def _default(spec: ClusterSpec, path: tuple[str, ...]) -> Any:
    """Return what a setting is that is not written, when that is a number, a word, true or false."""
    value: Any = spec
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else getattr(value, step, None)
    return value if isinstance(value, (str, int, float)) else None


def _effect_of_zones(path: tuple[str, ...], after: ClusterSpec) -> str:
    """Return what zones that come or go do, "" for another path. Subnets of a node group are for life."""
    if path == ("zones",):
        spanning = [
            name for name, group in sorted(after.node_groups.items()) if not (group.per_zone or group.zones)
        ]
        also = f"; {NEW_NODES} in {', '.join(spanning)}" if spanning else ""
        return f"{_TOP['zones']}{also}"
    if path[0] == "node_groups" and path[2] == "zones" and path[1] in after.node_groups:
        return _ZONES_OF_GROUP if after.node_groups[path[1]].per_zone else NEW_NODES
    return ""


def _effect(
    path: tuple[str, ...], old: Mapping[tuple[str, ...], Any], new: Mapping[tuple[str, ...], Any]
) -> str:
    if path == ("network", "cidr"):
        return FOR_LIFE
    if path == ("encryption", "secrets"):
        return FOR_LIFE if new.get(path) == "aws" else "in place, and for good"
    if path == ("kubernetes",) and _minor(new[path]) < _minor(old[path]):
        return "EKS takes no version back: make another cluster"
    if path[0] == "tags" or path == ("encryption", "disks"):
        return NEW_NODES
    if path[0] != "node_groups":
        return _TOP.get(path[0], IN_PLACE)
    types = (*path[:2], "types")
    if types not in old:
        return "a new group of nodes"
    if types not in new:
        return "its nodes go, what runs there moves"
    if path[2] == "desired":
        return "only when the group is made; the autoscaler decides later"
    return NEW_NODES if path[2] in _NODES and path[2] not in _IN_PLACE_OF_NODES else IN_PLACE


def _minor(version: str) -> int:
    return int(version.partition(".")[2])
