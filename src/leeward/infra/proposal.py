"""The spec of a new cluster: a first one with comments, or one like another.

A replica keeps every line of its origin, comments too, but for what is its own: name, region, zones and
addresses.

Invariant: what is written here is read back without a finding, and means what its origin means.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence

from leeward.base.errors import UserInputError
from leeward.compose.findings import ValuePath
from leeward.compose.node import Node
from leeward.infra.catalogue import catalogue
from leeward.infra.spec import ClusterSpec
from leeward.infra.specfile import SpecFile

_FIRST = 10  # 10.10.0.0/16 and on, away from what others like to use
_RANGES = [ipaddress.IPv4Network(f"10.{second}.0.0/16") for second in (*range(_FIRST, 256), *range(_FIRST))]


def free_cidr(taken: Iterable[str]) -> str:
    """Return a range of addresses that overlaps none of `taken`, so that clusters can be connected.

    Raises:
        UserInputError: there is none.
    """
    used = [ipaddress.IPv4Network(each) for each in taken]
    for network in _RANGES:
        if not any(network.overlaps(each) for each in used):
            return str(network)
    raise UserInputError("no range of 10.0.0.0/8 is free", remedy="Choose one: --cidr 192.168.0.0/16.")


def taken_cidrs(specs: Iterable[ClusterSpec]) -> list[str]:
    """Return the ranges that clusters and the networks around them have."""
    return [each for spec in specs for each in (spec.network.cidr, *spec.api.private_cidrs)]


def first_spec(
    name: str, region: str, cidr: str, *, zones: Sequence[str] = (), version: str = "", types: Sequence[str]
) -> str:
    """Return the text of a first spec.

    Args:
        name: of the cluster.
        region: where it is.
        cidr: of its VPC.
        zones: without any, those of the region.
        version: of Kubernetes; "" for the one that is recommended.
        types: instance types of its nodes, of equal size.
    """
    version = version or catalogue().recommended_version
    support = catalogue().versions.get(version)
    until = f"   # standard support until {support.standard_until}" if support else ""
    listed = f"zones: [{', '.join(zones)}]\n" if zones else ""
    return f"""\
# After a change: leeward infra render, check, cost, plan. Every key: docs/cluster-yaml.md of leeward.
name: {name}
region: {region}
{listed}kubernetes: "{version}"{until}
network: {{cidr: {cidr}}}   # for life; a NAT gateway in every zone
node_groups:
  general:   # in each zone: one at least, so that a lost zone leaves nodes in all the others
    types: [{", ".join(types)}]
    min: 1
    desired: 1
    max: 4
access: {{}}   # cloudops: {{roles: arn:aws:iam::111122223333:role/CloudOps, cluster: admin}}
environments: []   # of leeward.yaml that are here
"""


class Draft:
    """The text of a spec that is being changed, line by line."""

    def __init__(self, text: str, tree: Node) -> None:
        self._lines = text.splitlines(keepends=True)
        self._tree = tree
        self._inserted: list[tuple[int, str]] = []  # before which line, from 0

    def text(self) -> str:
        """Return the text with everything that was changed."""
        lines = list(self._lines)
        for index, line in sorted(self._inserted, reverse=True):
            lines.insert(index, line)
        return "".join(lines)

    def set(self, path: ValuePath, old: str, new: str) -> None:
        """Write `new` where the scalar `old` is, or add it where nothing is.

        Raises:
            UserInputError: it is written in a way that cannot be changed line by line.
        """
        node, around = self._find(path)
        if node is None:
            self._add(path, around, new)
        elif new != old:
            self._replace(node.location.line - 1, old, new)

    def _find(self, path: ValuePath) -> tuple[Node | None, Node]:
        node = around = self._tree
        for step in path:
            around = node
            inner = node.elements()[step] if isinstance(step, int) else node.get(step)
            if inner is None:
                return None, around
            node = inner
        return node, around

    def _replace(self, index: int, old: str, new: str) -> None:
        before = self._lines[index]
        code, comment = _split_comment(before)
        changed = re.sub(rf"(?<![\\w./-]){re.escape(old)}(?![\\w./-])", new, code, count=1)
        if changed == code:
            raise UserInputError(
                f"line {index + 1}: {old} is not written here as such",
                remedy="Write it plainly, without anchors or tags.",
            )
        self._lines[index] = changed + comment

    def _add(self, path: ValuePath, around: Node, new: str) -> None:
        key, parents = str(path[-1]), path[:-1]
        if len(parents) == 1 and self._tree.get(str(parents[0])) is None:
            self._insert_top(f"{parents[0]}: {{{key}: {new}}}\n")
        elif not parents:
            self._insert_top(f"{key}: {new}\n")
        else:
            self._insert_into(around, key, new)

    def _insert_top(self, line: str) -> None:
        last = self._tree.get("kubernetes") or self._tree.get("region")
        self._inserted.append((last.location.line if last else 0, line))

    def _insert_into(self, around: Node, key: str, new: str) -> None:
        first = next(iter(around.items().values()), None)
        index = (first.location if first else around.location).line - 1
        line = self._lines[index]
        if "{" in line:
            self._lines[index] = line.replace("{", f"{{{key}: {new}, " if first else f"{{{key}: {new}", 1)
        else:
            indent = line[: len(line) - len(line.lstrip())]
            self._inserted.append((index, f"{indent}{key}: {new}\n"))


def _split_comment(line: str) -> tuple[str, str]:
    found = re.search(r"(^|\s)#", line)
    return (line[: found.start()], line[found.start() :]) if found else (line, "")


def zones_in(region: str, spec: ClusterSpec) -> Mapping[str, str]:
    """Return for each zone of a spec the one of another region in its place: that of its letter, if any.

    Raises:
        UserInputError: the region has too few.
    """
    known = list(catalogue().regions.get(region, ()))
    wanted = spec.zone_names
    if len(known) < len(wanted):
        raise UserInputError(
            f"{spec.name} has {len(wanted)} zones, but {region} has {len(known)}",
            remedy="Choose another region, or list zones that remain and edit the spec.",
        )
    same = {zone: f"{region}{zone[-1]}" for zone in wanted if f"{region}{zone[-1]}" in known}
    free = [zone for zone in known if zone not in same.values()]
    return {zone: same.get(zone) or free.pop(0) for zone in wanted}


def cloned(read: SpecFile, text: str, *, name: str, region: str, cidr: str) -> str:
    """Return the spec of a replica.

    Args:
        read: the origin's, without mistakes.
        text: of its file.
        name: of the replica.
        region: where it is.
        cidr: of its VPC.

    Raises:
        UserInputError: the region has too few zones, or the file is written in a way that cannot be changed.
    """
    spec = read.spec
    assert spec is not None
    draft = Draft(text, read.tree)
    draft.set(("name",), spec.name, name)
    draft.set(("region",), spec.region, region)
    draft.set(("network", "cidr"), spec.network.cidr, cidr)
    places = zones_in(region, spec) if region != spec.region else {}
    for index, zone in enumerate(spec.zones):
        draft.set(("zones", index), zone, places.get(zone, zone))
    for group, settings in spec.node_groups.items():
        for index, zone in enumerate(settings.zones):
            draft.set(("node_groups", group, "zones", index), zone, places.get(zone, zone))
    if spec.state is not None and spec.state.region is None and region != spec.region:
        draft.set(("state", "region"), "", spec.region)  # the bucket stays where it is
    return draft.text()
