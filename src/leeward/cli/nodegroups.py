"""The nodes that ``leeward cluster start`` is asked for: how many, of which size, in which groups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from leeward.base.errors import UserInputError
from leeward.cluster.config import NodeGroup

if TYPE_CHECKING:
    from leeward.cli.clusters import StartOptions

MOST_NODES = 20_000
_SIZE = re.compile(r"([1-9][0-9]{0,6})(m?)(?:cpu)?,([1-9][0-9]{0,6})(Mi|Gi|Ti)(?:,([1-9][0-9]{0,4})pods)?")
_UNITS = {"Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
_NAME = re.compile(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?")
_REMEDY = "Write it as `--node-group general:30:8cpu,32Gi`: name, nodes in all zones together, size of each."


def choose_groups(options: StartOptions, old: Sequence[NodeGroup], zones: int) -> Sequence[NodeGroup]:
    """Return the node groups of a cluster.

    Args:
        options: what was asked for.
        old: what the cluster had before; empty for a new one.
        zones: how many there are.

    Raises:
        UserInputError: they make no sense.
    """
    if options.shape is not None:
        _refuse_sizes(options)
        return options.shape.groups
    if options.node_groups:
        if (options.nodes, options.nodes_per_zone, options.node_size) != (None, None, None):
            raise UserInputError("--node-group says how many nodes there are and how large", remedy=_REMEDY)
        groups = [_group(text) for text in options.node_groups]
        names = [group.name for group in groups]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice:
            raise UserInputError(f"two --node-group are called {twice!r}", remedy="Give each its own name.")
        return groups
    if len(old) > 1 and (options.nodes, options.nodes_per_zone, options.node_size) != (None, None, None):
        had = ", ".join(each.name for each in old)
        raise UserInputError(f"the cluster has several groups of nodes: {had}", remedy=_REMEDY)
    group = old[0] if len(old) == 1 else NodeGroup(nodes=2 * zones)
    if options.nodes is not None and options.nodes_per_zone is not None:
        raise UserInputError("--nodes and --nodes-per-zone contradict each other", remedy="Use one of them.")
    if options.nodes_per_zone is not None:
        _check_count(options.nodes_per_zone * zones, f"--nodes-per-zone {options.nodes_per_zone}", per=zones)
        group = replace(group, nodes=options.nodes_per_zone * zones)
    if options.nodes is not None:
        _check_count(options.nodes, f"--nodes {options.nodes}")
        group = replace(group, nodes=options.nodes)
    if options.node_size is not None:
        group = _sized(group, options.node_size, "--node-size")
    return old if len(old) > 1 else (group,)


def _refuse_sizes(options: StartOptions) -> None:
    given = {
        "--zones": options.zones,
        "--nodes": options.nodes,
        "--nodes-per-zone": options.nodes_per_zone,
        "--node-size": options.node_size,
        "--node-group": options.node_groups or None,
    }
    for flag, value in given.items():
        if value is not None:
            raise UserInputError(f"--from and {flag} contradict each other", remedy="Use one of them.")


def _group(text: str) -> NodeGroup:
    name, _, rest = text.partition(":")
    count, _, size = rest.partition(":")
    if not _NAME.fullmatch(name) or not re.fullmatch("[0-9]{1,6}", count):
        raise UserInputError(f"{text!r} is no node group", remedy=_REMEDY)
    _check_count(int(count), f"--node-group {text}")
    group = NodeGroup(name=name, nodes=int(count))
    return _sized(group, size, f"--node-group {text}") if size else group


def _check_count(count: int, what: str, *, per: int = 1) -> None:
    if not 1 <= count <= MOST_NODES:
        raise UserInputError(f"{what} is not between 1 and {MOST_NODES // per}")


def _sized(group: NodeGroup, text: str, flag: str) -> NodeGroup:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise UserInputError(
            f"{flag}: {text!r} is no size of a node",
            remedy="Write CPUs, memory and, if not 110, Pods: 32cpu,256Gi or 32cpu,256Gi,250pods.",
        )
    millis = int(found[1]) * (1 if found[2] else 1000)
    pods = int(found[5]) if found[5] else group.pods
    return replace(group, cpu_millis=millis, memory_bytes=int(found[3]) * _UNITS[found[4]], pods=pods)
