"""The spec of a new cluster: a first one with comments, or one like another.

A replica keeps every line of its origin, comments too, but for what is its own: name, region, zones and
addresses.

Invariant: what is written here is read back without a finding, and means what its origin means.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from leeward.base.errors import UserInputError
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import plain
from leeward.compose.syntax import parse_documents
from leeward.infra.catalogue import catalogue
from leeward.infra.spec import ClusterSpec
from leeward.infra.specdraft import Draft, scalar
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
name: {scalar(name)}
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
        UserInputError: the region has too few zones, or anchors share what must differ.
    """
    spec = read.spec
    assert spec is not None
    draft, wanted = Draft(text), _replica(spec, name, region, cidr)
    draft.set(("name",), name)
    draft.set(("region",), region)
    draft.set(("network", "cidr"), cidr)
    for path, was, now in _zone_paths(spec, wanted):
        if was != now:
            draft.set(path, now)
    if spec.state is not None and wanted.state != spec.state:
        draft.set(("state", "region"), spec.region)  # the bucket stays where it is
    if _meaning(draft.text()) != wanted:
        raise UserInputError(
            f"the spec of {spec.name} has anchors that the replica cannot share, such as one for two regions",
            remedy="Write name, region, zones and addresses plainly, without anchors.",
        )
    return draft.text()


def _replica(spec: ClusterSpec, name: str, region: str, cidr: str) -> ClusterSpec:
    places = zones_in(region, spec) if region != spec.region else {}
    groups = {
        each: replace(group, zones=tuple(places.get(zone, zone) for zone in group.zones))
        for each, group in spec.node_groups.items()
    }
    state = spec.state
    if state is not None and state.region is None and region != spec.region:
        state = replace(state, region=spec.region)
    return replace(
        spec,
        name=name,
        region=region,
        zones=tuple(places.get(zone, zone) for zone in spec.zones),
        network=replace(spec.network, cidr=cidr),
        node_groups=groups,
        state=state,
    )


def _zone_paths(spec: ClusterSpec, wanted: ClusterSpec) -> Iterator[tuple[ValuePath, str, str]]:
    """Yield where zones are written: path, zone of the origin, zone of the replica."""
    for index, (was, now) in enumerate(zip(spec.zones, wanted.zones, strict=True)):
        yield ("zones", index), was, now
    for group, settings in spec.node_groups.items():
        for index, (was, now) in enumerate(zip(settings.zones, wanted.node_groups[group].zones, strict=True)):
            yield ("node_groups", group, "zones", index), was, now


def _meaning(text: str) -> ClusterSpec | None:
    from leeward.settings.check import check

    documents = parse_documents(text, "", Findings())
    return check(ClusterSpec, plain(documents[0])).settings if documents else None
