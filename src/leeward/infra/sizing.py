"""Sizes of node groups that AWS wants changed before Terraform may, and upgrades that it refuses.

Terraform leaves the number of nodes that is wanted (`desired`) to the autoscaler, and sends it along as it
was when it changes `min` and `max`; EKS refuses a `min` above it and a `max` below it. So it is moved first,
by one call, and the plan is made again.

Source: "UpdateNodegroupConfig" of the Amazon EKS API; "Update existing cluster to new Kubernetes version" of
the Amazon EKS user guide: one minor version at a time, never back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from leeward.infra.aws.nodegroups import Size
from leeward.infra.plans import Action, PlanSummary
from leeward.infra.spec import ClusterSpec
from leeward.settings.check import Problem


@dataclass(frozen=True, slots=True)
class Move:
    """A node group whose size has to change first."""

    key: str  # as the plan calls the group: "general-a"
    name: str  # in EKS
    now: Size
    first: Size  # before Terraform
    least: int  # min and max that Terraform then sets
    most: int

    def command(self, cluster: str, region: str) -> str:
        """Return the command of AWS's own tool that does it."""
        size = f"minSize={self.first.min},desiredSize={self.first.desired},maxSize={self.first.max}"
        return (
            f"aws eks update-nodegroup-config --region {region} --cluster-name {cluster} "
            f"--nodegroup-name {self.name} --scaling-config {size}"
        )

    @property
    def words(self) -> str:
        """Say it in one sentence."""
        count = abs(self.first.desired - self.now.desired)
        has, nodes = f"{self.key} has {self.now.desired} now", f"{count} node{'' if count == 1 else 's'}"
        if self.first.desired > self.now.desired:
            return f"{has}, fewer than its new min {self.least}: {nodes} more, first."
        return f"{has}, more than its new max {self.most}: {nodes} drained, first."


class NodeGroupScaler(Protocol):
    """Changes sizes of a cluster's node groups at AWS."""

    def resize(self, group: str, size: Size) -> None:
        """Give a group, by its name in EKS, another size.

        Raises:
            LeewardError: AWS does not let us.
        """

    def settle(self, groups: Sequence[str]) -> None:
        """Wait until EKS has done it.

        Raises:
            LeewardError: it failed, or takes too long.
        """


def moves(summary: PlanSummary) -> Iterator[Move]:
    """Yield the node groups of a plan whose desired size is outside of their new limits."""
    for change in summary.of_type("aws_eks_node_group"):
        before, after = _scaling(change.before), _scaling(change.after)
        if change.action is not Action.UPDATE or before is None or after is None:
            continue
        desired = min(max(before.desired, after.min), after.max)
        if desired != before.desired:
            first = Size(min(before.min, desired), desired, max(before.max, desired))
            name = str(change.before.get("node_group_name") or change.key)
            yield Move(change.key, name, before, first, after.min, after.max)


def _scaling(values: Any) -> Size | None:
    block = (values.get("scaling_config") or [None])[0]
    try:
        return Size(*(int(block[key]) for key in ("min_size", "desired_size", "max_size")))
    except (TypeError, KeyError, ValueError):
        return None


def refused_upgrades(summary: PlanSummary, spec: ClusterSpec) -> Iterator[Problem]:
    """Yield what is wrong with the version that a cluster is to get, from the one that it has."""
    for change in summary.of_type("aws_eks_cluster"):
        was, will = _minor(change.before.get("version")), _minor(spec.kubernetes)
        if was is None or will is None or change.action is Action.DESTROY:
            continue
        if will < was:
            yield Problem(
                ("kubernetes",), "version-downgrade",
                f"The cluster runs 1.{was}, and EKS never goes back to 1.{will}.",
                f"Write kubernetes: {json.dumps(f'1.{was}')}, or clone the cluster with the older version.",
            )  # fmt: skip
        elif will > was + 1:
            yield Problem(
                ("kubernetes",), "version-skip",
                f"The cluster runs 1.{was}, and EKS upgrades one minor version at a time; 1.{will} skips "
                f"{will - was - 1}.",
                f"Write kubernetes: {json.dumps(f'1.{was + 1}')}, apply it, and go on from there.",
            )  # fmt: skip


def _minor(version: Any) -> int | None:
    major, _, minor = str(version or "").partition(".")
    return int(minor) if major == "1" and minor.isdigit() else None
