"""What a cluster costs a month, line by line, with every group at its fewest, at first, and at its most.

Pure. List prices on demand; what is used comes from the spec's ``estimate`` and is nothing without it. A
cluster whose upgrade policy is standard is upgraded, never charged for extended support. An instance type or
a region that nobody knows the price of is said, never guessed.

Invariant: a larger group is never cheaper.
Source: the price pages of Amazon EKS, EC2, EBS, VPC, Elastic Load Balancing, CloudWatch and KMS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from leeward.infra.catalogue import catalogue
from leeward.infra.endpoints import interface_endpoints
from leeward.infra.prices import HOURS, Prices
from leeward.infra.spec import ClusterSpec, NodeGroup


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is paid for, USD a month."""

    name: str  # such as "nodes general"
    detail: str  # such as "m7i.large, 3 to 12"
    least: float  # with every group at min
    first: float  # at desired
    most: float  # at max

    @staticmethod
    def fixed(name: str, detail: str, amount: float) -> Line:
        """Return the line of something that does not grow with the nodes."""
        return Line(name, detail, amount, amount, amount)


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a cluster."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]  # what a reader must know to trust it

    @property
    def total(self) -> Line:
        """Return the sum."""
        return Line(
            "total",
            "a month", sum(each.least for each in self.lines), sum(each.first for each in self.lines),
            sum(each.most for each in self.lines),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """A line of two costs that is not the same; None: it is in one of them only."""

    name: str
    before: Line | None
    after: Line | None


def cost_of(spec: ClusterSpec, prices: Prices, today: date) -> Cost:
    """Return what a cluster costs.

    Args:
        spec: without mistakes.
        prices: of its region, or of us-east-1.
        today: decides whether its version is in extended support.
    """
    notes = [f"List prices of {prices.region} on {prices.date}, USD: no discounts, no taxes."]
    if prices.region != spec.region:
        notes.append(
            f"Those of {spec.region} differ, often by some 5 to 20 %; leeward infra cost --refresh FILE."
        )
    lines = [
        _control_plane(spec, prices, today),
        *_nodes(spec, prices, notes),
        *_network(spec, prices),
        _keys(spec, prices),
        *_usage(spec, prices),
    ]
    if not any(line.name.startswith("usage") and line.most > 0 for line in lines):
        notes.append("Nothing is used as far as the spec says (estimate): traffic and logs come on top.")
    return Cost(tuple(line for line in lines if line.most > 0), tuple(notes))


def sizes(group: NodeGroup, zones: int) -> tuple[int, int, int]:
    """Return how many nodes a group has in all zones: at min, at first, at max."""
    times = zones if group.per_zone else 1
    first = group.min if group.desired is None else group.desired
    return group.min * times, first * times, group.max * times


def _control_plane(spec: ClusterSpec, prices: Prices, today: date) -> Line:
    version = catalogue().versions.get(spec.kubernetes)
    ended = version is not None and version.standard_until < today
    if version is not None and ended and spec.upgrade_policy == "extended":
        detail = f"Kubernetes {spec.kubernetes}, extended support since {version.standard_until}"
        return Line.fixed("control plane", detail, prices.rates.control_plane_extended_hour * HOURS)
    word = "ended on" if ended else "until"
    until = f", standard support {word} {version.standard_until}" if version else ""
    detail = f"Kubernetes {spec.kubernetes}{until}"
    return Line.fixed("control plane", detail, prices.rates.control_plane_hour * HOURS)


def _nodes(spec: ClusterSpec, prices: Prices, notes: list[str]) -> Iterator[Line]:
    for name, group in sorted(spec.node_groups.items()):
        counts = sizes(group, len(spec.zones_of(group)))
        hourly = prices.hourly(group.types[0])
        if hourly is None:
            notes.append(f"Nobody knows what {group.types[0]} costs; nodes {name} are not counted.")
            hourly = 0.0
        if group.spot:
            hourly *= 1 - spec.estimate.spot_discount / 100
            notes.append(
                f"Spot ({name}) is taken as {spec.estimate.spot_discount} % cheaper "
                "(estimate.spot_discount); it varies, 60 to 90 % are usual."
            )
        kind = f"{group.types[0]}{' spot' if group.spot else ''}"
        detail = f"{kind}, {counts[0]} to {counts[2]}, at first {counts[1]}"
        yield Line(f"nodes {name}", detail, *(count * hourly * HOURS for count in counts))
        disk = prices.rates.disk_gb_month * group.disk
        yield Line(f"disks {name}", f"{group.disk} GB gp3 each", *(count * disk for count in counts))


def nat_gateways(spec: ClusterSpec) -> int:
    """Return how many NAT gateways a cluster has."""
    return {"per_zone": len(spec.zone_names), "single": 1, "none": 0}[spec.network.nat]


def _network(spec: ClusterSpec, prices: Prices) -> Iterator[Line]:
    rates, zones = prices.rates, len(spec.zone_names)
    nats = nat_gateways(spec)
    yield Line.fixed(
        "NAT gateways",
        f"{nats}, with a public IPv4 address each",
        nats * (rates.nat_hour + rates.ipv4_hour) * HOURS,
    )
    endpoints = len(interface_endpoints(spec))
    yield Line.fixed(
        "VPC endpoints",
        f"{endpoints} in {zones} zones; S3 is free",
        endpoints * zones * rates.endpoint_hour * HOURS,
    )
    balancers = spec.estimate.load_balancers
    hourly = balancers * (rates.load_balancer_hour + zones * rates.ipv4_hour)
    yield Line.fixed(
        "load balancers", f"{balancers}, with {zones} public IPv4 addresses each", hourly * HOURS
    )


def _keys(spec: ClusterSpec, prices: Prices) -> Line:
    chosen = (spec.encryption.secrets, spec.encryption.disks, spec.encryption.logs)
    keys = sum(whose == "customer" for whose in chosen)
    return Line.fixed("KMS keys", str(keys), keys * prices.rates.kms_key_month)


def _usage(spec: ClusterSpec, prices: Prices) -> Iterator[Line]:
    rates, used = prices.rates, spec.estimate
    months = max(1.0, spec.logging.retention_days / 30)
    paid = max(0.0, used.egress_gb - rates.egress_free_gb)
    for name, detail, amount in (
        ("NAT", f"{used.nat_gb:g} GB", used.nat_gb * rates.nat_gb),
        ("endpoints", f"{used.endpoint_gb:g} GB", used.endpoint_gb * rates.endpoint_gb),
        ("between zones", f"{used.cross_zone_gb:g} GB", 2 * used.cross_zone_gb * rates.cross_zone_gb),
        ("to the internet", f"{used.egress_gb:g} GB, {rates.egress_free_gb:g} free", paid * rates.egress_gb),
        ("load balancers", f"{used.lcu:g} LCU", used.lcu * rates.lcu_hour * HOURS),
        (
            "logs", f"{used.log_gb:g} GB, kept {spec.logging.retention_days} days",
            used.log_gb * (rates.log_gb + rates.log_gb_month * months),
        ),
        ("volumes", f"{used.volume_gb:g} GB gp3", used.volume_gb * rates.disk_gb_month),
    ):  # fmt: skip
        yield Line.fixed(f"usage {name}", detail, amount)


def changes(before: Cost, after: Cost) -> Sequence[Change]:
    """Return the lines that differ, in the order of `after`, then those that went."""
    old = {line.name: line for line in before.lines}
    new = {line.name: line for line in after.lines}
    return [
        Change(name, old.get(name), new.get(name))
        for name in dict.fromkeys((*new, *old))
        if old.get(name) != new.get(name)
    ]


def shares(
    total: float, requests: Mapping[str, tuple[float, float]], environments: Sequence[str]
) -> dict[str, float]:
    """Return what of `total` each hosted environment causes.

    Args:
        total: USD a month.
        requests: environment → CPUs and GiB that its Pods request; may be empty.
        environments: hosted, of which those without requests count as nothing when others have some.
    """
    cpus = sum(requests[name][0] for name in environments if name in requests)
    memory = sum(requests[name][1] for name in environments if name in requests)
    if not cpus and not memory:
        return {name: total / len(environments) for name in environments}
    parts = [(0, cpus), (1, memory)]
    counted = [(index, whole) for index, whole in parts if whole]
    return {
        name: total
        * sum(requests.get(name, (0.0, 0.0))[index] / whole for index, whole in counted)
        / len(counted)
        for name in environments
    }


def break_even_gb(prices: Prices, zones: int) -> float:
    """Return from how many GB a month on an interface endpoint is cheaper than the NAT gateways that stay."""
    saved = prices.rates.nat_gb - prices.rates.endpoint_gb
    return zones * prices.rates.endpoint_hour * HOURS / saved if saved > 0 else float("inf")
