"""What must hold in a cluster spec between its fields, and with what AWS has; what to do if it does not.

Every rule looks at the whole spec and yields what is wrong, so that all mistakes are told at once. These are
mistakes: EKS would refuse them, or the cluster would not work. What is merely unwise is in ``checks``.

Source: the user guides and API references of Amazon EKS and Amazon VPC.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import date

from leeward.compose.findings import ValuePath, did_you_mean
from leeward.infra.catalogue import catalogue
from leeward.infra.grouprules import GROUP_RULES
from leeward.infra.spec import ClusterSpec
from leeward.settings.check import Problem

Rule = Callable[[ClusterSpec], Iterator[Problem]]
ADDONS = (  # that leeward's modules know
    "vpc-cni",
    "kube-proxy",
    "coredns",
    "eks-pod-identity-agent",
    "aws-ebs-csi-driver",
    "metrics-server",
    "amazon-cloudwatch-observability",
)
NEEDED_ADDONS = ("vpc-cni", "kube-proxy", "coredns", "eks-pod-identity-agent")
_PRIVATE = [
    ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
]
_DOCKER = ipaddress.IPv4Network("172.17.0.0/16")
_OWN_TAGS = ("leeward:cluster", "leeward:managed", "Name")
_NOBODYS = [  # of which nobody comes over the internet, and EKS takes none
    ipaddress.IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")
]
_MOST_PUBLIC = 40  # CIDRs of a public endpoint, by EKS' quota
_MOST_PRIVATE = 50  # of the 60 rules of a security group; EKS and the modules have theirs
MOST_TAGS = 40  # AWS has 50 a resource; the modules and EKS add theirs


def broken_rules(spec: ClusterSpec, today: date) -> Iterator[Problem]:
    """Yield everything that is wrong with a spec.

    Args:
        spec: of a cluster.
        today: decides which versions are retired.
    """
    yield from _retired(spec, today)
    for rule in _RULES:
        yield from rule(spec)


def unknown(path: ValuePath, code: str, message: str, word: str, known: Iterable[str]) -> Problem:
    """Return the problem of a word that is not one of those known."""
    names = list(known)
    return Problem(path, code, message, did_you_mean(word, names) or f"Known: {', '.join(names)}.")


def _region(spec: ClusterSpec) -> Iterator[Problem]:
    regions = catalogue().regions
    if spec.region not in regions:
        yield unknown(
            ("region",),
            "unknown-region",
            f'There is no region "{spec.region}".',
            spec.region,
            sorted(regions),
        )


def _zones(spec: ClusterSpec) -> Iterator[Problem]:
    known = catalogue().regions.get(spec.region, ())
    for index, zone in enumerate(spec.zones):
        path = ("zones", index)
        if spec.zones.index(zone) < index:
            yield Problem(path, "duplicate-zone", f"{zone} is listed twice.", "Remove one.")
        elif known and zone not in (*known, *catalogue().zones_of_some.get(spec.region, ())):
            yield unknown(path, "unknown-zone", f"{zone} is no zone of {spec.region}.", zone, known)
    count = len(set(spec.zone_names))
    least = 3 if spec.highly_available else 2
    if known and count < least:
        why = (
            "So that one may be lost and two remain, a cluster needs three zones"
            if spec.highly_available
            else "EKS wants subnets in two zones at least"
        )
        more = [zone for zone in known if zone not in spec.zone_names]
        remedy = f"Add {' or '.join(more)}" if more else "Use another region"
        yield Problem(
            ("zones",), "too-few-zones", f"{why}; this one has {count}.",
            f"{remedy}{', or write highly_available: false' if count == 2 else ''}.",
        )  # fmt: skip


def _version(spec: ClusterSpec) -> Iterator[Problem]:
    tables = catalogue()
    if spec.kubernetes not in tables.versions:
        yield Problem(
            ("kubernetes",), "unknown-version",
            f"EKS versions known on {tables.versions_from} are {', '.join(tables.versions)}; "
            f"{spec.kubernetes} is none.",
            f'Write kubernetes: "{tables.recommended_version}".',
        )  # fmt: skip


def _retired(spec: ClusterSpec, today: date) -> Iterator[Problem]:
    version = catalogue().versions.get(spec.kubernetes)
    if version is not None and version.extended_until < today:
        yield Problem(
            ("kubernetes",), "retired-version",
            f"EKS supported Kubernetes {version.name} until {version.extended_until} and has upgraded "
            "its clusters.",
            f'Write kubernetes: "{catalogue().recommended_version}" for a new cluster; an old one goes up '
            "one minor version at a time.",
        )  # fmt: skip


def _addresses(spec: ClusterSpec) -> Iterator[Problem]:
    path, network = ("network", "cidr"), ipaddress.IPv4Network(spec.network.cidr)
    if not 16 <= network.prefixlen <= 19:
        yield Problem(
            path, "bad-cidr", f"A VPC for a cluster is from /16 to /19; {network} is /{network.prefixlen}.",
            f"Write {network.network_address}/16 or another range.",
        )  # fmt: skip
    elif not any(network.subnet_of(each) for each in _PRIVATE):
        yield Problem(
            path, "bad-cidr", f"{network} are addresses of the internet, which Pods could then not reach.",
            "Use a private range, such as 10.40.0.0/16.",
        )  # fmt: skip
    elif network.overlaps(_DOCKER):
        yield Problem(
            path,
            "bad-cidr",
            f"{network} overlaps {_DOCKER}, which services of AWS use themselves.",
            "Use another range, such as 10.40.0.0/16.",
        )
    if len(set(spec.api.private_cidrs)) > _MOST_PRIVATE:
        yield Problem(
            ("api", "private_cidrs"), "too-many-cidrs",
            f"A security group takes 60 rules, of which {_MOST_PRIVATE} are free; here are "
            f"{len(set(spec.api.private_cidrs))} ranges.",
            "Write larger ranges that hold several.",
        )  # fmt: skip
    for index, text in enumerate(spec.api.private_cidrs):
        if ipaddress.IPv4Network(text).overlaps(network):
            yield Problem(
                ("api", "private_cidrs", index), "overlapping-cidr",
                f"{text} overlaps the VPC's own {network}, so nothing there could be answered.",
                "Only networks outside of the VPC belong here.",
            )  # fmt: skip


def _way_out(spec: ClusterSpec) -> Iterator[Problem]:
    network = spec.network
    if network.nat == "none" and network.endpoints != "full":
        yield Problem(
            ("network", "endpoints"), "no-way-out",
            "Without NAT nodes reach ECR, EKS and STS through VPC endpoints only, and would never join.",
            "Write endpoints: full, or nat: per_zone.",
        )  # fmt: skip


def _public_api(spec: ClusterSpec) -> Iterator[Problem]:
    for index, text in enumerate(spec.api.public_cidrs):
        network = ipaddress.IPv4Network(text)
        path = ("api", "public_cidrs", index)
        if network.prefixlen < 8:
            yield Problem(
                path, "public-api", f"{text} opens the Kubernetes API to the internet.",
                "List the addresses of your offices or VPN, or remove public_cidrs.",
            )  # fmt: skip
        elif any(network.overlaps(each) for each in _NOBODYS):
            yield Problem(
                path, "public-api", f"{text} are no addresses of anybody on the internet.",
                "List the addresses of your offices or VPN.",
            )  # fmt: skip
        elif any(network.overlaps(each) for each in _PRIVATE):
            yield Problem(
                path, "public-api",
                f"{text} {'are' if any(network.subnet_of(each) for each in _PRIVATE) else 'has'} private "
                "addresses; nobody comes from there over the internet.",
                "Write private ones under private_cidrs.",
            )  # fmt: skip
    if len(set(spec.api.public_cidrs)) > _MOST_PUBLIC:
        yield Problem(
            ("api", "public_cidrs"), "too-many-cidrs",
            f"EKS takes {_MOST_PUBLIC} ranges; here are {len(set(spec.api.public_cidrs))}.",
            "Write larger ranges that hold several.",
        )  # fmt: skip


def _partition(region: str) -> str:
    """Return what ARNs of a region have for a partition."""
    found = (
        name for start, name in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")) if region.startswith(start)
    )
    return next(found, "aws")


def _access(spec: ClusterSpec) -> Iterator[Problem]:
    partition = _partition(spec.region)
    seen: dict[str, str] = {}
    for group, principal in spec.access.items():
        for index, role in enumerate(principal.roles):
            path: ValuePath = ("access", group, "roles", index)
            if role in seen:
                yield Problem(
                    path, "duplicate-role",
                    f"{role} is in the group {seen[role]} already; EKS has one entry a role.",
                    "Keep it in one of them.",
                )  # fmt: skip
            elif not role.startswith(f"arn:{partition}:"):
                yield Problem(
                    path,
                    "wrong-partition",
                    f"Roles of {spec.region} begin with arn:{partition}:.",
                    "Correct the ARN.",
                )
            seen.setdefault(role, group)


def _account(spec: ClusterSpec) -> Iterator[Problem]:
    account = spec.account
    if account.id and account.role and f"::{account.id}:" not in account.role:
        yield Problem(
            ("account", "role"),
            "wrong-account",
            f"This role is not of the account {account.id}.",
            "Correct one of them.",
        )
    partition = _partition(spec.region)
    if account.role and not account.role.startswith(f"arn:{partition}:"):
        yield Problem(
            ("account", "role"), "wrong-partition", f"Roles of {spec.region} begin with arn:{partition}:.",
            "Correct the ARN.",
        )  # fmt: skip


def _addons(spec: ClusterSpec) -> Iterator[Problem]:
    for name, version in spec.addons.items():
        path = ("addons", name)
        if name not in ADDONS:
            yield unknown(path, "unknown-addon", f'There is no add-on "{name}" here.', name, ADDONS)
        elif version == "off" and name in NEEDED_ADDONS:
            yield Problem(
                path, "needed-addon", f"A cluster does not work without {name}.", "Remove this line."
            )


def _tags(spec: ClusterSpec) -> Iterator[Problem]:
    for key in spec.tags:
        if key in _OWN_TAGS:
            yield Problem(
                ("tags", key), "reserved-tag", f"leeward sets the tag {key} itself.", "Use another key."
            )
    folded = Counter(key.casefold() for key in spec.tags)
    for key in spec.tags:
        if folded[key.casefold()] > 1:
            yield Problem(
                ("tags", key),
                "duplicate-tag",
                f"IAM does not tell {key} from another tag here by case.",
                "Keep one.",
            )
    if len(spec.tags) > MOST_TAGS:
        yield Problem(
            ("tags",), "too-many-tags", f"AWS takes 50 tags; here are {len(spec.tags)}.", "Keep 40 at most."
        )


def _environments(spec: ClusterSpec) -> Iterator[Problem]:
    for index, name in enumerate(spec.environments):
        if name in spec.environments[:index]:
            yield Problem(
                ("environments", index), "duplicate-environment", f"{name} is listed twice.", "Remove one."
            )


_RULES: tuple[Rule, ...] = (
    _region,
    _zones,
    _version,
    _addresses,
    _way_out,
    _public_api,
    *GROUP_RULES,
    _access,
    _account,
    _addons,
    _tags,
    _environments,
)
