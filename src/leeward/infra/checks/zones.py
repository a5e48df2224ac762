"""That a zone may go: nodes in all of them, ways out, and room for everything in those that remain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leeward.base.diagnostics import Severity
from leeward.infra.checks.rule import Case, Finding, Rule
from leeward.infra.fitting import may_run, nodes
from leeward.infra.grouprules import keeps_away
from leeward.infra.spec import ClusterSpec


def _available(case: Case) -> Iterator[Finding]:
    if not case.spec.highly_available:
        yield Finding(
            ("highly_available",),
            "Losing a zone may be noticed: the cluster is not meant to survive it.",
            "Remove highly_available: false where that matters.",
        )


def _nodes_in_zones(case: Case) -> Iterator[Finding]:
    if not case.spec.highly_available:
        return
    groups = case.spec.node_groups
    usual = [node for node in nodes(case.spec, "min") if not keeps_away(groups[node.group])]
    for zone in case.spec.zone_names:
        if not any(node.zone == zone for node in usual):
            yield Finding(
                ("node_groups",),
                f"At min there may be no untainted node in {zone}, so losing another zone takes more "
                "than a third.",
                "Give a group without taints min: 1 with per_zone: true in every zone.",
            )


def _two_remain(case: Case) -> Iterator[Finding]:
    if not case.spec.highly_available:
        return
    for zone in case.spec.zone_names:
        left = nodes(case.spec, "min", zone)
        zones = {node.zone for node in left}
        if len(zones) < 2 or len(left) < 2:
            yield Finding(
                ("node_groups",),
                f"Without {zone}, {len(left)} nodes in {len(zones)} zones remain at min; two in two are "
                "the least.",
                "Raise min, or add a zone.",
            )


def _services(case: Case) -> Iterator[Finding]:
    if not case.spec.highly_available:
        return
    there = nodes(case.spec, "first")
    remaining = {zone: nodes(case.spec, "first", zone) for zone in case.spec.zone_names}
    for environment, workload in case.workloads:
        if workload.kind in ("DaemonSet", "Job", "CronJob", "Pod") or workload.pods < 2:
            continue
        fit = [node for node in there if may_run(workload, node)]
        for zone, without in remaining.items():
            left = [node for node in without if may_run(workload, node)]
            if len(left) < 2 or len({node.zone for node in left}) < 2:
                zones = len({node.zone for node in left})
                yield Finding(
                    ("node_groups",),
                    f"{environment}: {workload.title} may run on {len(fit)} nodes; without {zone}, "
                    f"{len(left)} in {zones} zones remain.",
                    "Put the groups it may run on into three zones, or relax its node selection.",
                )
                break


def _single(case: Case) -> Iterator[Finding]:
    for environment, workload in case.workloads:
        if workload.kind in ("Deployment", "StatefulSet") and workload.pods == 1:
            until = (
                "the zone is back: its volume stays there" if workload.volumes else "it has started elsewhere"
            )
            yield Finding(
                ("environments",),
                f"{environment}: {workload.title} is one Pod; with its zone it is away until {until}.",
                "Give it two replicas or more, if losing a zone must not be noticed.",
            )


def _room(case: Case) -> Iterator[Finding]:
    for zones, pods in _without_room({loss.zone: loss.homeless_at_max for loss in case.losses}):
        yield Finding(
            ("node_groups",),
            f"Without {zones}, {pods} find no room, even with every group at max.",
            "Raise max, use larger types, or ask for less.",
        )


def _room_at_once(case: Case) -> Iterator[Finding]:
    soon = {loss.zone: {} if loss.homeless_at_max else loss.homeless for loss in case.losses}
    for zones, pods in _without_room(soon):
        yield Finding(
            ("node_groups",),
            f"Without {zones}, {pods} wait for new nodes, some minutes.",
            "Raise desired (and min) for room that is there at once.",
        )


def _without_room(homeless: Mapping[str, Mapping[str, int]]) -> Iterator[tuple[str, str]]:
    """Yield the zones without which the same Pods have no room, and those Pods, in words."""
    alike: dict[str, list[str]] = {}
    for zone, pods in homeless.items():
        if pods:
            alike.setdefault(_pods(pods), []).append(zone)
    for words, zones in alike.items():
        yield f"{', '.join(zones[:-1])} or {zones[-1]}" if zones[1:] else zones[0], words


def _pods(homeless: Mapping[str, int]) -> str:
    count = sum(homeless.values())
    names = ", ".join(sorted(homeless)[:3])
    return f"{count} Pod{'' if count == 1 else 's'} ({names}{', …' if len(homeless) > 3 else ''})"


def _unschedulable(case: Case) -> Iterator[Finding]:
    there = nodes(case.spec, "max")
    for environment, workload in case.workloads:
        if workload.kind == "DaemonSet":
            continue
        fit = [node for node in there if may_run(workload, node)]
        if not fit:
            yield Finding(
                ("node_groups",),
                f"{environment}: no node group takes {workload.title}: labels or taints are against it.",
                "Add a group with the labels it selects, or tolerate a taint.",
            )
        elif all(
            node.room.cpu_millis < workload.cpu_millis or node.room.memory_mib < workload.memory_mib
            for node in fit
        ):
            yield Finding(
                ("node_groups",),
                f"{environment}: one Pod of {workload.title} asks for {workload.cpu_millis}m CPU and "
                f"{workload.memory_mib} MiB, more than any node has.",
                "Use larger instance types, or ask for less.",
            )


def _nat(case: Case) -> Iterator[Finding]:
    if case.spec.network.nat == "single" and case.spec.highly_available:
        yield Finding(
            ("network", "nat"),
            "All zones go out through one NAT gateway, and with its zone none does.",
            "Write nat: per_zone; leeward infra cost says for how much.",
        )


def _volumes(case: Case) -> Iterator[Finding]:
    spanning = [name for name, group in case.spec.node_groups.items() if not group.per_zone]
    if not _spans_only(case.spec) or not spanning:
        return
    for environment, workload in case.workloads:
        if workload.volumes:
            yield Finding(
                ("node_groups", spanning[0], "per_zone"),
                f"{environment}: {workload.title} has volumes that stay in a "
                "zone, but no group is sure to have a node there.",
                "Remove per_zone: false, so that the autoscaler can add one in the right zone.",
            )


def _spans_only(spec: ClusterSpec) -> bool:
    return not any(group.per_zone for group in spec.node_groups.values())


RULES = (
    Rule(
        "highly-available", Severity.NOTE, "The cluster is meant to survive the loss of a zone.", _available
    ),
    Rule(
        "nodes-in-every-zone",
        Severity.ERROR,
        "Every zone has a node for any Pod, even at min.",
        _nodes_in_zones,
    ),
    Rule(
        "two-remain",
        Severity.ERROR,
        "Without any one zone, two nodes in two zones remain at min.",
        _two_remain,
    ),
    Rule(
        "two-nodes-a-service",
        Severity.ERROR,
        "Without any one zone, two nodes in two zones remain for every service of several Pods.",
        _services,
    ),
    Rule("single-pod", Severity.WARNING, "Services have two Pods or more.", _single),
    Rule(
        "zone-loss-room", Severity.ERROR, "Without any one zone, everything fits with groups at max.", _room
    ),
    Rule(
        "zone-loss-room-at-once",
        Severity.WARNING,
        "Without any one zone, everything fits on the nodes that are there at first.",
        _room_at_once,
    ),
    Rule("unschedulable", Severity.ERROR, "Every service finds a node group that takes it.", _unschedulable),
    Rule("single-nat", Severity.WARNING, "No zone needs another one for its way out.", _nat),
    Rule("zonal-volumes", Severity.WARNING, "Volumes that stay in a zone have a node group there.", _volumes),
)
