"""Node groups: what the autoscaler, upgrades and spot need, and what an account may have.

Source: "View and manage Amazon EKS service quotas" of the Amazon EKS user guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from leeward.base.diagnostics import Severity
from leeward.infra.checks.rule import Case, Finding, Rule
from leeward.infra.grouprules import instances, keeps_away

_MOST_GROUPS, _MOST_NODES = 30, 450  # "Managed node groups per cluster", "Nodes per managed node group"
_ACCELERATED = re.compile(r"(p|g|gr|inf|trn|vt|dl|f)[0-9]")


def _live(case: Case) -> Iterator[Finding]:
    for full, name, group, _ in instances(case.spec):
        now = case.live.get(full)
        if now is not None and group.min > now:
            yield Finding(
                ("node_groups", name, "min"),
                f"EKS has {now} nodes in {full} and refuses a min of {group.min} above that.",
                "Run leeward infra apply, which raises the desired size first.",
            )


def _spot(case: Case) -> Iterator[Finding]:
    usual = [(name, group) for name, group in case.spec.node_groups.items() if not keeps_away(group)]
    if usual and all(group.spot for _, group in usual):
        yield Finding(
            ("node_groups", usual[0][0], "spot"),
            "DNS and all else may be on spot instances, which can all go at once.",
            "Add a small group without spot and without taints.",
        )


def _one_type(case: Case) -> Iterator[Finding]:
    for name, group in case.spec.node_groups.items():
        if group.spot and len(group.types) < 2:
            yield Finding(
                ("node_groups", name, "types"),
                f"Spot instances of one type only ({group.types[0]}) run out together.",
                "List two or more types of the same size.",
            )


def _autoscaler(case: Case) -> Iterator[Finding]:
    if case.spec.autoscaler != "none":
        return
    for name, group in case.spec.node_groups.items():
        if group.max > (group.desired or group.min):
            yield Finding(
                ("node_groups", name, "max"),
                f"Nothing adds nodes up to max {group.max}, because autoscaler is none.",
                "Write autoscaler: cluster-autoscaler, or max equal to desired.",
            )


def _fixed(case: Case) -> Iterator[Finding]:
    if case.spec.autoscaler == "none":
        return
    for name, group in case.spec.node_groups.items():
        if group.min == group.max:
            yield Finding(
                ("node_groups", name, "max"),
                f"min and max are both {group.max}: an upgrade adds nodes for its time, but load never does.",
                "Raise max, if load varies.",
            )


def _ami(case: Case) -> Iterator[Finding]:
    for name, group in case.spec.node_groups.items():
        if group.ami is None:
            yield Finding(
                ("node_groups", name),
                "A rebuilt cluster would get the AMI that is newest then.",
                "Pin it: ami: RELEASE, from leeward infra versions.",
            )


def _budgets(case: Case) -> Iterator[Finding]:
    for environment, workload in case.workloads:
        if workload.evictable == 0 and workload.pods > 0:
            yield Finding(
                ("environments",),
                f"{environment}: the disruption budget of {workload.title} lets no Pod go, so that "
                "upgrades of nodes hang.",
                "Let one go: maxUnavailable: 1.",
            )


def _quota(case: Case) -> Iterator[Finding]:
    count = sum(1 for _ in instances(case.spec))
    if count > _MOST_GROUPS:
        yield Finding(
            ("node_groups",),
            f"These are {count} EKS node groups, one a zone of each; an account may have {_MOST_GROUPS} a "
            "cluster, unless its quota was raised.",
            "Merge groups, write per_zone: false, or ask for more under Service Quotas.",
        )
    for name, group in case.spec.node_groups.items():
        if group.max > _MOST_NODES:
            yield Finding(
                ("node_groups", name, "max"),
                f"max {group.max} is more than the {_MOST_NODES} nodes that an EKS node group may have, "
                "unless the account's quota was raised.",
                "Lower max, or ask for more under Service Quotas.",
            )


def _drivers(case: Case) -> Iterator[Finding]:
    for name, group in case.spec.node_groups.items():
        found = [kind for kind in group.types if _ACCELERATED.match(kind)]
        if found:
            yield Finding(
                ("node_groups", name, "types"),
                f"{found[0]} has accelerators, for which the AMI of this group brings no driver.",
                "Run its vendor's operator, such as NVIDIA's GPU operator, or use types without.",
            )


RULES = (
    Rule("quota", Severity.WARNING, "EKS node groups and their nodes are within usual quotas.", _quota),
    Rule("accelerator", Severity.WARNING, "Accelerators have drivers.", _drivers),
    Rule("min-above-live", Severity.ERROR, "min is not above the size that a group has now.", _live),
    Rule("only-spot", Severity.WARNING, "What all need does not depend on spot instances.", _spot),
    Rule("one-spot-type", Severity.WARNING, "Spot groups have several types.", _one_type),
    Rule("no-autoscaler", Severity.WARNING, "Something makes use of max.", _autoscaler),
    Rule("no-room-to-grow", Severity.NOTE, "Groups can grow.", _fixed),
    Rule("unpinned-ami", Severity.NOTE, "AMIs are pinned, so that a rebuilt cluster is the same.", _ami),
    Rule("blocking-budget", Severity.ERROR, "Disruption budgets let nodes be drained.", _budgets),
)
