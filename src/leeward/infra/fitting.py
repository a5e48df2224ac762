"""Whether Pods find room on nodes, also when a zone is gone.

Pods are put on nodes largest first, each on the first node that may have it and has room, and where its own
strict spread and anti-affinity let it. When this finds room, there is; a cleverer order might find some where
this does not. Of a group across zones, the zone that goes has the nodes that are over.

Invariant: a node more in a zone that has some never leaves more Pods without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from leeward.infra.capacity import Allocatable, allocatable
from leeward.infra.cost import sizes
from leeward.infra.grouprules import known_types
from leeward.infra.spec import ClusterSpec, NodeGroup
from leeward.infra.workloads import Workload
from leeward.kube.selectors import matches_labels, matches_node_selector, matches_selector
from leeward.kube.tolerations import untolerated
from leeward.kube.wellknown import NODE_GROUP

Size = Literal["min", "first", "max"]
_ZONE, _TYPE, _ARCH = "topology.kubernetes.io/zone", "node.kubernetes.io/instance-type", "kubernetes.io/arch"
_HOST = "kubernetes.io/hostname"
# What EKS add-ons and leeward's platform run on every node: CPU millis, MiB, Pods. Requests as they ship.
SYSTEM = Allocatable(cpu_millis=260, memory_mib=460, pods=6)


@dataclass(frozen=True, slots=True)
class Node:
    """A node that a spec would have."""

    zone: str
    group: str
    labels: Mapping[str, str]
    taints: tuple[Mapping[str, str], ...]
    room: Allocatable  # less what the system takes


def taints_of(group: NodeGroup) -> tuple[Mapping[str, str], ...]:
    """Return a group's taints as a Node's spec has them."""
    found = []
    for text in group.taints:
        word, _, effect = text.rpartition(":")
        key, _, value = word.partition("=")
        found.append({"key": key, "value": value, "effect": effect})
    return tuple(found)


def node_labels(spec: ClusterSpec, name: str, group: NodeGroup, zone: str) -> dict[str, str]:
    """Return the labels that matter of a node of a group."""
    kind = known_types(group)[0]
    return {
        "kubernetes.io/os": "linux",
        _ARCH: {"x86_64": "amd64", "arm64": "arm64"}[kind.arch],
        _TYPE: kind.name,
        "topology.kubernetes.io/region": spec.region,
        _ZONE: zone,
        "eks.amazonaws.com/capacityType": "SPOT" if group.spot else "ON_DEMAND",
        **group.labels,
        NODE_GROUP: name,
    }


def nodes(spec: ClusterSpec, size: Size, without: str = "") -> list[Node]:
    """Return the nodes of a cluster, with all groups at min, at first or at max.

    Args:
        spec: without mistakes.
        size: of all groups.
        without: the zone that is gone. What a group across zones has more than an even share counts there,
            because nobody knows where Auto Scaling put it.
    """
    index = {"min": 0, "first": 1, "max": 2}[size]
    found = []
    for name, group in sorted(spec.node_groups.items()):
        zones = sorted(spec.zones_of(group), key=lambda zone: (zone != without, zone))
        total = sizes(group, len(zones))[index]
        room, taints = _room_of(group), taints_of(group)
        kinds = [Node(zone, name, node_labels(spec, name, group, zone), taints, room) for zone in zones]
        found += [kinds[number % len(zones)] for number in range(total)]
    return [node for node in found if node.zone != without]


def _room_of(group: NodeGroup) -> Allocatable:
    """Return what a node of a group has for Pods, whatever its type, less what the system takes."""
    each = [allocatable(kind) for kind in known_types(group)]
    return Allocatable(
        max(0, min(kind.cpu_millis for kind in each) - SYSTEM.cpu_millis),
        max(0, min(kind.memory_mib for kind in each) - SYSTEM.memory_mib),
        max(0, min(kind.pods for kind in each) - SYSTEM.pods),
    )


def may_run(workload: Workload, node: Node) -> bool:
    """Tell whether a node's labels and taints let a workload's Pods on it, whatever room it has."""
    spec = workload.spec
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    return (
        matches_labels(spec.get("nodeSelector"), node.labels)
        and matches_node_selector(affinity, node.labels, "")
        and not untolerated(node.taints, spec.get("tolerations") or ())
    )


def homeless(there: Sequence[Node], running: Iterable[Workload], *, most: bool = False) -> dict[str, int]:
    """Return how many Pods of each workload find no room: title → count; empty when all do.

    Args:
        there: the nodes.
        running: what is to run; DaemonSets take their part of every node first.
        most: with as many Pods as autoscalers may make.
    """
    every = list(running)
    rooms = [_less_daemons(node, every) for node in there]
    found: dict[str, int] = {}
    pods = [each for each in every if each.kind != "DaemonSet"]
    for workload in sorted(pods, key=lambda each: (-each.memory_mib, -each.cpu_millis, each.title)):
        wanted = workload.most if most else workload.pods
        left = _place(workload, wanted, there, rooms)
        if left:
            found[workload.title] = found.get(workload.title, 0) + left
    return found


def _less_daemons(node: Node, every: Iterable[Workload]) -> list[int]:
    room = [node.room.cpu_millis, node.room.memory_mib, node.room.pods]
    for workload in every:
        if workload.kind == "DaemonSet" and may_run(workload, node):
            _take(room, workload)
    return room


def _place(workload: Workload, wanted: int, there: Sequence[Node], rooms: list[list[int]]) -> int:
    may = {id(node): may_run(workload, node) for node in {id(node): node for node in there}.values()}
    fit = [index for index, node in enumerate(there) if may[id(node)]]
    apart = _apart(workload)
    if apart:
        return _place_apart(workload, wanted, [(there[index], rooms[index]) for index in fit], apart)
    left = wanted
    for index in fit:
        while left and _has_room(rooms[index], workload):
            _take(rooms[index], workload)
            left -= 1
    return left


def _apart(workload: Workload) -> Mapping[str, int | None]:
    """Return by what a workload's own Pods must be apart: topology key → skew at most; None: one in each."""
    found: dict[str, int | None] = {}
    for each in workload.spec.get("topologySpreadConstraints") or ():
        strict = each.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"
        if strict and matches_selector(each.get("labelSelector"), workload.labels):
            found[str(each.get("topologyKey"))] = int(each.get("maxSkew", 1))
    affinity = (workload.spec.get("affinity") or {}).get("podAntiAffinity") or {}
    for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or ():
        if matches_selector(term.get("labelSelector"), workload.labels):
            found[str(term.get("topologyKey"))] = None
    return {key: skew for key, skew in found.items() if key in (_ZONE, _HOST)}


def _place_apart(
    workload: Workload, wanted: int, fit: Sequence[tuple[Node, list[int]]], apart: Mapping[str, int | None]
) -> int:
    domains = [
        {key: str(index) if key == _HOST else node.zone for key in apart}
        for index, (node, _) in enumerate(fit)
    ]
    counts = {key: dict.fromkeys((each[key] for each in domains), 0) for key in apart}

    def lets(where: Mapping[str, str]) -> bool:
        for key, skew in apart.items():
            count = counts[key][where[key]]
            if count > 0 if skew is None else count + 1 - min(counts[key].values()) > skew:
                return False
        return True

    for placed in range(wanted):
        chosen = next(
            (
                index
                for index, (_, room) in enumerate(fit)
                if _has_room(room, workload) and lets(domains[index])
            ),
            None,
        )
        if chosen is None:
            return wanted - placed
        _take(fit[chosen][1], workload)
        for key, domain in domains[chosen].items():
            counts[key][domain] += 1
    return 0


def _has_room(room: list[int], workload: Workload) -> bool:
    return room[0] >= workload.cpu_millis and room[1] >= workload.memory_mib and room[2] >= 1


def _take(room: list[int], workload: Workload) -> None:
    room[0] -= workload.cpu_millis
    room[1] -= workload.memory_mib
    room[2] -= 1


@dataclass(frozen=True, slots=True)
class ZoneLoss:
    """What is left when a zone is gone."""

    zone: str
    zones: int  # that remain with nodes
    nodes: int  # that remain at first
    requested: tuple[int, int]  # CPU millis and MiB of all Pods
    room: tuple[int, int]  # on the nodes that remain at first, for Pods
    room_at_max: tuple[int, int]
    homeless: Mapping[str, int]  # on the nodes that remain at first
    homeless_at_max: Mapping[str, int]  # after the autoscaler did all it may

    @property
    def verdict(self) -> str:
        """Return what becomes of it, in words."""
        if self.homeless_at_max:
            return "does not fit"
        return "fits after autoscaling" if self.homeless else "fits"


def zone_losses(spec: ClusterSpec, running: Sequence[Workload]) -> list[ZoneLoss]:
    """Return what is left for each zone that could go, by name.

    Args:
        spec: without mistakes.
        running: everything that the cluster hosts.
    """
    pods = [each for each in running if each.kind != "DaemonSet"]
    requested = (
        sum(each.pods * each.cpu_millis for each in pods), sum(each.pods * each.memory_mib for each in pods)
    )  # fmt: skip
    found = []
    for zone in spec.zone_names:
        left, grown = nodes(spec, "first", zone), nodes(spec, "max", zone)
        found.append(
            ZoneLoss(
                zone=zone,
                zones=len({node.zone for node in left}),
                nodes=len(left),
                requested=requested,
                room=_room(left),
                room_at_max=_room(grown),
                homeless=homeless(left, running),
                homeless_at_max=homeless(grown, running),
            )
        )
    return found


def _room(there: Iterable[Node]) -> tuple[int, int]:
    every = list(there)
    return sum(node.room.cpu_millis for node in every), sum(node.room.memory_mib for node in every)
