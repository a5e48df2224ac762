"""What must hold of the node groups of a cluster spec: sizes, types, names, and room for Pods' addresses.

Source: "Managed node groups" and "Choose an optimal Amazon EC2 node instance type" of the Amazon EKS user
guide; its CreateNodegroup API; the FAQ of Cluster Autoscaler for groups of several types; the VPC CNI's
``WARM_ENI_TARGET`` of 1; the provider's schema of ``node_group_name_prefix``.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping

from leeward.compose.findings import did_you_mean
from leeward.infra.catalogue import InstanceType, catalogue
from leeward.infra.endpoints import interface_endpoints
from leeward.infra.spec import ClusterSpec, NodeGroup
from leeward.settings.check import Problem

_LEAST_MIB = 2048  # below, the system's own Pods leave nothing
_LEAST_PODS = 11
_KEPT_ADDRESSES = 5  # of each subnet, by AWS
_RESERVED_LABELS = ("kubernetes.io", "k8s.io", "eks.amazonaws.com", "leeward.dev")
_LONGEST_NAME = 36  # of an EKS node group's 63, less a hyphen and 26 that Terraform adds
_MOST_TYPES = 20  # that EKS takes
_MOST_TAINTS = 50
_TOO_OLD = ("a1", "c1", "m1", "m2", "t1")  # no LSE atomics, or paravirtual only: the AMIs do not boot


def known_types(group: NodeGroup) -> list[InstanceType]:
    """Return what is known of a group's instance types, the preferred first."""
    types = catalogue().types
    return [types[name] for name in group.types if name in types]


def instances(spec: ClusterSpec) -> Iterator[tuple[str, str, NodeGroup, tuple[str, ...]]]:
    """Yield every EKS node group: its name in EKS, the spec's name of it, its settings, its zones."""
    for name, group in sorted(spec.node_groups.items()):
        zones = spec.zones_of(group)
        if group.per_zone:
            for zone in zones:
                yield f"{name}-{zone.removeprefix(spec.region)}", name, group, (zone,)
        else:
            yield name, name, group, zones


def most_in_a_zone(group: NodeGroup, zones: int) -> int:
    """Return how many nodes of a group are in one of its zones at most, when they are spread evenly."""
    return group.max if group.per_zone else -(-group.max // max(zones, 1))


def keeps_away(group: NodeGroup) -> bool:
    """Tell whether Pods that tolerate nothing are kept off a group's nodes; a preference does not do that."""
    return any(not taint.endswith(":PreferNoSchedule") for taint in group.taints)


def _some(spec: ClusterSpec) -> Iterator[Problem]:
    if not spec.node_groups:
        yield Problem(
            ("node_groups",), "no-nodes", "A cluster without nodes runs nothing.", "Add a node group."
        )
    elif all(keeps_away(group) for group in spec.node_groups.values()):
        yield Problem(
            ("node_groups",), "all-tainted",
            "Every node group has taints, so that DNS and add-ons find no place.",
            "Leave one without.",
        )  # fmt: skip


def _sizes(spec: ClusterSpec) -> Iterator[Problem]:
    for name, group in spec.node_groups.items():
        path = ("node_groups", name)
        if group.min > group.max:
            yield Problem(
                (*path, "min"), "bad-size", f"min {group.min} is more than max {group.max}.", "Raise max."
            )
        elif group.desired is not None and not group.min <= group.desired <= group.max:
            yield Problem(
                (*path, "desired"), "bad-size",
                f"desired {group.desired} is not between min {group.min} and max {group.max}.",
                "Choose a number between them, or leave it out.",
            )  # fmt: skip


def _types(spec: ClusterSpec) -> Iterator[Problem]:
    types = catalogue().types
    for name, group in spec.node_groups.items():
        path = ("node_groups", name, "types")
        if not group.types:
            yield Problem(path, "no-types", "A group needs an instance type.", "Write types: [m7i.large].")
        for index, kind in enumerate(group.types):
            if kind not in types:
                family = [each for each in types if each.split(".")[0] == kind.split(".")[0]]
                yield Problem(
                    (*path, index), "unknown-type", f'There is no instance type "{kind}" in the table of '
                    f"{catalogue().types_from}.",
                    did_you_mean(kind, types) or f"Of this family: {', '.join(family[:8]) or 'none'}.",
                )  # fmt: skip
            elif group.types.index(kind) < index:
                yield Problem((*path, index), "duplicate-type", f"{kind} is listed twice.", "Remove one.")
        if len(group.types) > _MOST_TYPES:
            yield Problem(
                path, "too-many-types",
                f"EKS takes {_MOST_TYPES} types a group; here are {len(group.types)}.",
                "Keep those of the size you want.",
            )  # fmt: skip
        yield from _alike(name, group)


def _alike(name: str, group: NodeGroup) -> Iterator[Problem]:
    found = known_types(group)
    path = ("node_groups", name, "types")
    for kind in found:
        if (kind.vcpus, kind.memory_mib) != (found[0].vcpus, found[0].memory_mib):
            yield Problem(
                (*path, group.types.index(kind.name)), "unequal-types",
                f"{kind.name} has {_size(kind)}, but {found[0].name} has {_size(found[0])}: the "
                "autoscaler counts on "
                "nodes of one size.",
                "Give types of another size a group of their own.",
            )  # fmt: skip
        if kind.arch != (group.arch or found[0].arch):
            yield Problem(
                (*path, group.types.index(kind.name)), "wrong-arch",
                f"{kind.name} is {kind.arch}, not {group.arch or found[0].arch}.",
                "Give it a group of its own, or correct arch.",
            )  # fmt: skip
        if kind.name.split(".")[0] in _TOO_OLD:
            yield Problem(
                (*path, group.types.index(kind.name)), "old-type",
                f"The AMIs of EKS do not run on {kind.name}, which is too old.",
                f"Use a newer one, such as {'m7g.large' if kind.arch == 'arm64' else 'm7i.large'}.",
            )  # fmt: skip
        elif kind.memory_mib < _LEAST_MIB or kind.max_pods < _LEAST_PODS:
            yield Problem(
                (*path, group.types.index(kind.name)), "small-type",
                f"{kind.name} has {_size(kind)} and room for {kind.max_pods} Pods, which EKS' own take.",
                "Use t3.medium or a larger one.",
            )  # fmt: skip


def _size(kind: InstanceType) -> str:
    return f"{kind.vcpus} CPUs and {kind.memory_mib / 1024:g} GiB"


def _group_zones(spec: ClusterSpec) -> Iterator[Problem]:
    for name, group in spec.node_groups.items():
        for index, zone in enumerate(group.zones):
            path = ("node_groups", name, "zones", index)
            if zone not in spec.zone_names:
                remedy = did_you_mean(zone, spec.zone_names) or f"It has {', '.join(spec.zone_names)}."
                yield Problem(path, "unknown-zone", f"The cluster has no zone {zone}.", remedy)
            elif zone in group.zones[:index]:
                yield Problem(path, "duplicate-zone", f"{zone} is listed twice.", "Remove one.")


def _ami(spec: ClusterSpec) -> Iterator[Problem]:
    for name, group in spec.node_groups.items():
        if group.os == "al2023" and group.ami and not group.ami.startswith(f"{spec.kubernetes}."):
            yield Problem(
                ("node_groups", name, "ami"), "wrong-ami",
                f"The release {group.ami} is not for Kubernetes {spec.kubernetes}.",
                f"Use one that begins with {spec.kubernetes}., see leeward infra versions.",
            )  # fmt: skip


def _labels(spec: ClusterSpec) -> Iterator[Problem]:
    for name, group in spec.node_groups.items():
        for key in group.labels:
            prefix = key.partition("/")[0] if "/" in key else ""
            reserved = any(prefix == each or prefix.endswith(f".{each}") for each in _RESERVED_LABELS)
            if reserved:
                yield Problem(
                    ("node_groups", name, "labels", key), "reserved-label",
                    f"Nodes may not give themselves the label {key}: EKS refuses its prefix"
                    f"{', which leeward has' if prefix.endswith('leeward.dev') else ''}.",
                    "Use a prefix of your own.",
                )  # fmt: skip


def _taints(spec: ClusterSpec) -> Iterator[Problem]:
    for name, group in spec.node_groups.items():
        if len(group.taints) > _MOST_TAINTS:
            yield Problem(
                ("node_groups", name, "taints"), "too-many-taints",
                f"EKS takes {_MOST_TAINTS} taints a group; here are {len(group.taints)}.", "Keep fewer.",
            )  # fmt: skip
        seen: set[tuple[str, str]] = set()
        for index, taint in enumerate(group.taints):
            word, _, effect = taint.rpartition(":")
            same = (word.partition("=")[0], effect)
            if same in seen:
                yield Problem(
                    ("node_groups", name, "taints", index), "duplicate-taint",
                    f"The taint {same[0]}:{effect} is there already.", "Keep one of them.",
                )  # fmt: skip
            seen.add(same)


def _names(spec: ClusterSpec) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for full, name, _, _ in instances(spec):
        if seen.setdefault(full, name) != name:
            yield Problem(
                ("node_groups", name), "name-clash",
                f"Its EKS node group {full} would have the name of one of {seen[full]}.",
                "Rename one of them.",
            )  # fmt: skip
        if len(full) > _LONGEST_NAME:
            yield Problem(
                ("node_groups", name), "long-name",
                f"The name of its EKS node group, {full}, has more than the {_LONGEST_NAME} characters that "
                "Terraform can make one of.",
                "Choose a shorter name.",
            )  # fmt: skip


def addresses_needed(spec: ClusterSpec) -> Mapping[str, int]:
    """Return how many addresses nodes, Pods and endpoints take in each zone with every group at max."""
    needed = dict.fromkeys(spec.zone_names, len(interface_endpoints(spec)))
    for group in spec.node_groups.values():
        zones = [zone for zone in spec.zones_of(group) if zone in needed]
        most = max((_addresses_of(kind) for kind in known_types(group)), default=0)
        for zone in zones:
            needed[zone] += most_in_a_zone(group, len(zones)) * most
    return needed


def _addresses_of(kind: InstanceType) -> int:
    """Return how many addresses a full node takes: all of its interfaces, of which one is ahead of need."""
    pods_each = max(1, kind.addresses - 1)
    return min(kind.interfaces, -(-kind.max_pods // pods_each) + 1) * kind.addresses


def _room(spec: ClusterSpec) -> Iterator[Problem]:
    network = ipaddress.IPv4Network(spec.network.cidr)
    if not 16 <= network.prefixlen <= 19:
        return
    room = network.num_addresses // 8 - _KEPT_ADDRESSES
    needed = addresses_needed(spec)
    zone = max(needed, key=lambda each: needed[each], default=None)
    if zone is not None and needed[zone] > room:
        yield Problem(
            ("network", "cidr"), "subnet-too-small",
            f"With every group at max, nodes and Pods take {needed[zone]} addresses in {zone}, but "
            f"its subnet has {room}.",
            "Use a larger range, or lower max; a new range needs a new cluster."
            if network.prefixlen > 16 else "Lower max, or spread over more zones.",
        )  # fmt: skip


GROUP_RULES = (_some, _sizes, _types, _group_zones, _ami, _labels, _taints, _names, _room)
