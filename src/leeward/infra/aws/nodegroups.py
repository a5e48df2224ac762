"""Node groups of a cluster: what they are now, and how many nodes they have.

EKS refuses a minimum above the number of nodes that is wanted now, and Terraform leaves that number to the
autoscaler: so it is raised here, first.

Source: DescribeNodegroup and UpdateNodegroupConfig of the Amazon EKS API reference.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leeward.base.clock import Clock
from leeward.base.errors import OperationError, UserInputError
from leeward.compose.findings import did_you_mean
from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws

_LOOK_SECONDS = 5.0
_CHANGING = frozenset(("CREATING", "UPDATING", "DELETING"))


@dataclass(frozen=True, slots=True)
class Size:
    """How many nodes."""

    min: int
    desired: int
    max: int

    def __str__(self) -> str:
        return f"{self.min}/{self.desired}/{self.max}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroupState:
    """A node group as EKS describes it."""

    name: str
    status: str  # "ACTIVE", "UPDATING", "DEGRADED", …
    size: Size
    types: tuple[str, ...]
    is_spot: bool
    version: str  # of Kubernetes
    release: str  # of the AMI
    issues: tuple[str, ...] = ()  # what EKS says is wrong with it


def node_groups(aws: Aws, cluster: str) -> list[NodeGroupState]:
    """Return the node groups of a cluster, by name.

    Raises:
        UserInputError: there is no such cluster.
    """
    names = [
        name
        for page in aws.pages("eks", "list_nodegroups", clusterName=cluster)
        for name in page["nodegroups"]
    ]
    return [node_group(aws, cluster, name) for name in sorted(names)]


def node_group(aws: Aws, cluster: str, name: str) -> NodeGroupState:
    """Return one node group.

    Raises:
        AwsNotFoundError: there is none of that name.
    """
    return _state(aws.ask("eks", "describe_nodegroup", clusterName=cluster, nodegroupName=name)["nodegroup"])


def _state(found: Mapping[str, Any]) -> NodeGroupState:
    scaling = found.get("scalingConfig") or {}
    issues = (found.get("health") or {}).get("issues") or ()
    return NodeGroupState(
        name=str(found["nodegroupName"]),
        status=str(found.get("status") or ""),
        size=Size(*(int(scaling.get(key, 0)) for key in ("minSize", "desiredSize", "maxSize"))),
        types=tuple(found.get("instanceTypes") or ()),
        is_spot=found.get("capacityType") == "SPOT",
        version=str(found.get("version") or ""),
        release=str(found.get("releaseVersion") or ""),
        issues=tuple(f"{each.get('code')}: {each.get('message')}" for each in issues),
    )


def resized(
    now: Size, *, least: int | None = None, desired: int | None = None, most: int | None = None
) -> Size:
    """Return a size with what is given changed; the desired number stays between the limits.

    Raises:
        UserInputError: the limits, or what is given of the three, contradict each other.
    """
    low, high = now.min if least is None else least, now.max if most is None else most
    wanted = min(max(now.desired, low), high) if desired is None else desired
    if not 0 <= low <= wanted <= high or high < 1:
        raise UserInputError(
            f"min {low}, desired {wanted} and max {high} contradict each other",
            remedy="It takes 0 <= min <= desired <= max, and at least 1 as max.",
        )
    return Size(low, wanted, high)


def resize(aws: Aws, cluster: str, name: str, size: Size) -> None:
    """Give a node group another size; EKS then adds or removes nodes.

    Raises:
        UserInputError: there is no such group; says which are.
        OperationError: it is changing already.
    """
    config = {"minSize": size.min, "desiredSize": size.desired, "maxSize": size.max}
    try:
        aws.ask(
            "eks", "update_nodegroup_config", clusterName=cluster, nodegroupName=name, scalingConfig=config
        )
    except AwsNotFoundError as error:
        raise no_such_group(name, [each.name for each in node_groups(aws, cluster)], cluster) from error


def name_in_spec(name: str) -> str:
    """Return the name of a node group without what Terraform appends: the time, and a hexadecimal count."""
    return re.sub(r"-[0-9]{6,}[0-9a-f]*$", "", name)


def find_group(groups: Sequence[NodeGroupState], wanted: str, cluster: str) -> NodeGroupState:
    """Return the node group that a person means: by its name, or by that without what Terraform appends.

    Raises:
        UserInputError: there is none, or there are several; says which are.
    """
    exact = [each for each in groups if each.name == wanted]
    found = exact or [each for each in groups if name_in_spec(each.name) == wanted]
    if len(found) == 1:
        return found[0]
    raise no_such_group(wanted, [each.name for each in found or groups], cluster)


def no_such_group(name: str, known: Sequence[str], cluster: str) -> UserInputError:
    """Return the error for a node group that is not there."""
    there = f"It has: {', '.join(known)}." if known else "It has none."
    return UserInputError(f"{cluster} has no node group {name}", remedy=did_you_mean(name, known) or there)


async def settled(
    aws: Aws, cluster: str, names: Sequence[str], clock: Clock, seconds: float
) -> list[NodeGroupState]:
    """Wait until EKS has changed the node groups named; returns them.

    Raises:
        OperationError: one failed, or the time is over.
    """
    deadline = clock.monotonic() + seconds
    while True:
        found = [node_group(aws, cluster, name) for name in names]
        failed = [each for each in found if each.status.endswith("FAILED") or each.status == "DEGRADED"]
        if failed:
            why = "; ".join(failed[0].issues) or failed[0].status.lower()
            raise OperationError(f"the node group {failed[0].name} of {cluster} is not well: {why}")
        if not any(each.status in _CHANGING for each in found):
            return found
        if clock.monotonic() >= deadline:
            raise OperationError(
                f"the node groups of {cluster} did not settle in {seconds:.0f} seconds",
                remedy=f"Look again: leeward infra nodes {cluster}",
            )
        await clock.sleep(_LOOK_SECONDS)
