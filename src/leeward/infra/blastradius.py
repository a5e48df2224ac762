"""What a plan does to what runs: whom a replacement or a removal hits, in words, before anybody agrees.

Pure. Grave is what takes nodes, a network, a key, logs or somebody's own resources away: it takes more than a
yes. How EKS changes nodes and control planes is in the words; what a cluster hosts comes from its spec.

Source: "Update a managed node group" and "Update existing cluster to new Kubernetes version" of the Amazon
EKS user guide; "NAT gateways" of the Amazon VPC user guide; "Deleting AWS KMS keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.infra.grouprules import instances
from leeward.infra.plans import TAINTED, Action, PlanSummary, ResourceChange
from leeward.infra.spec import ClusterSpec


@dataclass(frozen=True, slots=True)
class Consequence:
    """What one change does."""

    about: str  # the address, shortened
    words: str  # one or two sentences
    is_grave: bool


_Found = Iterator[tuple[str, bool]]


def consequences(summary: PlanSummary, spec: ClusterSpec) -> list[Consequence]:
    """Return what people should know before they agree, grave ones first.

    Args:
        summary: of the plan.
        spec: the cluster's, as it is to become.
    """
    is_gone = any(each.goes and not each.is_unfinished for each in summary.of_type("aws_eks_cluster"))
    found = []
    for change in summary.changes:
        of_type = _OF_TYPE.get(change.type)
        if change.is_unfinished:
            told: _Found = _unfinished(change)
        elif not change.module and change.goes:
            told = _own(change)
        elif of_type is None or change.action is Action.CREATE:
            continue
        elif is_gone and change.type not in _OUTLIVING:
            continue  # goes with the cluster
        else:
            told = of_type(change, spec)
        found += [Consequence(change.shown, words, grave) for words, grave in told]
    return sorted(found, key=lambda each: not each.is_grave)


def _unfinished(_change: ResourceChange) -> _Found:
    yield (
        "Making it was interrupted, and AWS refuses a second one of its name or addresses: leeward infra "
        "apply keeps it (terraform untaint), and completes it.",
        False,
    )


def _own(change: ResourceChange) -> _Found:
    how = "made anew" if change.action is Action.REPLACE else "destroyed"
    yield f"Yours, not leeward's: it is {how}{_because(change)}, with what is in it.", True


def _cluster(change: ResourceChange, spec: ClusterSpec) -> _Found:
    hosted = f"the environments {_and(spec.environments)}" if spec.environments else "all that runs in it"
    if change.goes:
        anew = " and made anew, empty," if change.action is Action.REPLACE else ""
        yield (
            f"The cluster {change.before.get('name') or spec.name} is destroyed{anew}{_because(change)}. "
            f"Gone: {hosted}. Volumes of claims stay at AWS, and nobody knows them any more.",
            True,
        )
        return
    was, will = change.before.get("version"), change.after.get("version")
    if was != will:
        yield (
            f"The control plane goes from {was} to {will}, which cannot be taken back. The API stays "
            "reachable; nodes follow.",
            False,
        )
    yield from _reach(_block(change.before, "vpc_config"), _block(change.after, "vpc_config"))


def _reach(before: Mapping[str, Any], after: Mapping[str, Any]) -> _Found:
    was, will = before.get("endpoint_public_access"), after.get("endpoint_public_access")
    if was and will is False:
        yield "The API is not reachable over the internet any more, for whoever comes that way.", False
    elif will and (not was or before.get("public_access_cidrs") != after.get("public_access_cidrs")):
        listed = ", ".join(after.get("public_access_cidrs") or ["anywhere"])
        yield f"The API is reachable over the internet, from {listed}.", False


def _node_group(change: ResourceChange, spec: ClusterSpec) -> _Found:
    nodes = f"{_nodes(change.before)} of {_zones_of(change.key, spec)}"
    if change.action is Action.DESTROY:
        yield f"{nodes}: drained, and gone. What runs there needs room on others.", True
    elif change.action is Action.REPLACE:
        order = "drained after new ones are up" if change.creates_first else "gone before new ones are there"
        yield f"{nodes}: {order}{_because(change)}.", True
    else:
        rolled = [each for each in change.attributes if each.path in _ROLLS]
        if rolled:
            what = ", ".join(f"{each.path} {each.before} -> {each.after}" for each in rolled)
            yield f"{nodes}: replaced in place, a third at a time ({what}).", False
        if any(each.path.startswith("taint") for each in change.attributes):
            yield "Its taints change: what does not tolerate them does not start there any more.", False


_ROLLS = ("version", "release_version", "launch_template.version", "launch_template.id")


def _subnet(change: ResourceChange, spec: ClusterSpec) -> _Found:
    if not change.goes:
        return
    how = "made anew" if change.action is Action.REPLACE else "removed"
    zone = change.key or "a zone"
    if change.name == "private":
        groups = [(full, group) for full, _, group, zones in instances(spec) if zone in zones]
        told = ", ".join(f"{full} (up to {group.max} nodes)" for full, group in groups)
        there = f": {told}" if told else ""
        yield (
            f"The private subnet of {zone} is {how}{_because(change)}, and all nodes there go with "
            f"it{there}.",
            True,
        )
    elif change.name == "control_plane":
        yield (
            f"The control plane's subnet in {zone} is {how}{_because(change)}. EKS never leaves a zone that "
            "it was made in: AWS refuses this, or the cluster itself is made anew.",
            True,
        )
    else:
        yield (
            f"The public subnet of {zone} is {how}{_because(change)}, with load balancers and NAT in it.",
            True,
        )


def _network(change: ResourceChange, spec: ClusterSpec) -> _Found:
    if change.goes:
        how = "made anew" if change.action is Action.REPLACE else "removed"
        yield f"The network of {spec.name} is {how}{_because(change)}, and everything is in it.", True


def _nat(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    zone = change.key or "a zone"
    if change.action is Action.REPLACE:
        yield f"{zone} has no way out to the internet for some minutes{_because(change)}.", False
    elif change.action is Action.DESTROY:
        yield f"The NAT gateway of {zone} goes; connections through it break.", False


def _address(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes and change.before.get("public_ip"):
        yield (
            f"{change.before['public_ip']}, from which {change.key or 'the cluster'} comes on the internet, "
            "is given up for good: whoever allows it has to allow another.",
            False,
        )


def _route(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.name == "nat" and change.goes:
        yield f"{change.key} has no way out to the internet" + _for_a_moment(change), False
    elif change.name == "nat":
        yield f"{change.key} goes out through another NAT gateway; open connections break.", False


def _for_a_moment(change: ResourceChange) -> str:
    return " for a moment." if change.action is Action.REPLACE else " any more."


def _meanwhile(change: ResourceChange) -> str:
    return " for a moment" if change.action is Action.REPLACE else ""


def _key(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        days = change.before.get("deletion_window_in_days") or 30
        purpose = change.key or change.before.get("description") or "something"
        yield (
            f"The key for {purpose} is deleted in {days} days{_because(change)}; what is encrypted with it "
            "can then never be read again.",
            True,
        )


def _logs(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        yield f"All logs in {change.before.get('name') or 'it'} are deleted{_because(change)}.", True


def _entry(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        groups = _and(change.before.get("kubernetes_groups") or ()) or "the cluster"
        who = change.before.get("principal_arn")
        yield f"{who} loses its access as {groups}{_meanwhile(change)}.", False


def _policy(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        policy = str(change.before.get("policy_arn") or "").rpartition("/")[2]
        yield f"{change.before.get('principal_arn')} loses {policy}{_meanwhile(change)}.", False


def _addon(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    name = change.before.get("addon_name") or change.key
    if change.action is Action.DESTROY:
        yield f"The add-on {name} is removed from the cluster, and what needs it stops working.", False
    elif change.action is Action.REPLACE:
        yield f"The add-on {name} is removed and installed anew{_because(change)}.", False
    else:
        for each in change.attributes:
            if each.path == "addon_version":
                yield f"The add-on {name} goes from {each.before} to {each.after}, Pod by Pod.", False


def _identity(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        account = f"{change.before.get('namespace')}/{change.before.get('service_account')}"
        yield f"Pods of {account} that start then have no AWS identity{_for_a_moment(change)}", False


def _endpoint(change: ResourceChange, _spec: ClusterSpec) -> _Found:
    if change.goes:
        service = change.key or str(change.before.get("service_name") or "").rpartition(".")[2]
        yield f"{service} is not reached within the VPC{_for_a_moment(change)}", False


_OF_TYPE: Mapping[str, Callable[[ResourceChange, ClusterSpec], _Found]] = {
    "aws_eks_cluster": _cluster,
    "aws_eks_node_group": _node_group,
    "aws_subnet": _subnet,
    "aws_vpc": _network,
    "aws_internet_gateway": _network,
    "aws_nat_gateway": _nat,
    "aws_eip": _address,
    "aws_route": _route,
    "aws_kms_key": _key,
    "aws_cloudwatch_log_group": _logs,
    "aws_eks_access_entry": _entry,
    "aws_eks_access_policy_association": _policy,
    "aws_eks_addon": _addon,
    "aws_eks_pod_identity_association": _identity,
    "aws_vpc_endpoint": _endpoint,
}


_OUTLIVING = frozenset(("aws_eks_cluster", "aws_kms_key", "aws_cloudwatch_log_group", "aws_eip"))
"""Types that are told of although the cluster itself goes: more is lost with them."""


def _because(change: ResourceChange) -> str:
    """Return why something is replaced, with a leading space; nothing where the plan does not say."""
    if change.forced_by:
        return f" because of {_and(change.forced_by)}"
    return {
        TAINTED: " because making it did not end",
        "replace_by_request": " because somebody asked for it",
        "replace_by_triggers": " because what it depends on is",
    }.get(change.reason, "")


def _nodes(values: Mapping[str, Any]) -> str:
    scaling = _block(values, "scaling_config")
    least, most, now = (scaling.get(key) for key in ("min_size", "max_size", "desired_size"))
    if least is None or most is None:
        return "Nodes"
    sizes = f"{least} to {most} nodes" if least != most else f"{least} node{'' if least == 1 else 's'}"
    return f"{sizes} ({now} now)" if now is not None and least != most else sizes


def _zones_of(key: str, spec: ClusterSpec) -> str:
    """Return where the nodes of an EKS node group are; one that left the spec tells by its name."""
    for full, _, _, zones in instances(spec):
        if full == key:
            return _and(zones)
    letter = key.rpartition("-")[2]
    return f"{spec.region}{letter}" if len(letter) == 1 else key


def _block(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return the one block of a name; nothing where there is none."""
    blocks = values.get(name)
    first = blocks[0] if isinstance(blocks, list) and blocks else None
    return first if isinstance(first, dict) else {}


def _and(names: Any) -> str:
    *most, last = [str(each) for each in names] or [""]
    return f"{', '.join(most)} and {last}" if most else last
