"""The cluster itself: its life, its addresses, its API, its versions and its keys.

Source: "View current cluster upgrade policy" and "Prevent increased cluster costs by disabling EKS extended
support" of the Amazon EKS user guide.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from leeward.base.diagnostics import Severity
from leeward.infra.catalogue import catalogue
from leeward.infra.checks.rule import Case, Finding, Rule
from leeward.infra.lock import broken_lock_rules
from leeward.infra.prices import HOURS, own_prices
from leeward.infra.specrules import ADDONS

_SOON_DAYS = 60


def _for_life(case: Case) -> Iterator[Finding]:
    if case.lock is not None:
        for problem in broken_lock_rules(case.lock, case.spec):
            yield Finding(problem.path, problem.message, problem.remedy)


def _overlap(case: Case) -> Iterator[Finding]:
    own = ipaddress.IPv4Network(case.spec.network.cidr)
    for name, other in sorted(case.others.items()):
        if own.overlaps(ipaddress.IPv4Network(other.network.cidr)):
            yield Finding(
                ("network", "cidr"),
                f"{own} overlaps {other.network.cidr} of {name}, so that the two can never be connected.",
                "Choose another range while the cluster is new: leeward infra add proposes a free one.",
            )


def _support(case: Case) -> Iterator[Finding]:
    version = catalogue().versions.get(case.spec.kubernetes)
    if version is None:
        return
    rates = own_prices().rates
    more = (rates.control_plane_extended_hour - rates.control_plane_hour) * HOURS
    days = (version.standard_until - case.today).days
    remedy = (
        f'Upgrade one minor version at a time; kubernetes: "{catalogue().recommended_version}" is the goal.'
    )
    if days < 0 and case.spec.upgrade_policy == "extended":
        yield Finding(
            ("kubernetes",),
            f"Standard support of {version.name} ended on {version.standard_until}: "
            f"it costs {more:.0f} USD a month more.",
            remedy,
        )
    elif 0 <= days <= _SOON_DAYS:
        yield Finding(
            ("kubernetes",),
            f"Standard support of {version.name} ends on {version.standard_until}, in {days} days.",
            remedy,
        )


def _ended(case: Case) -> Iterator[Finding]:
    version = catalogue().versions.get(case.spec.kubernetes)
    if version is not None and version.standard_until < case.today and case.spec.upgrade_policy == "standard":
        yield Finding(
            ("kubernetes",),
            f"Standard support of {version.name} ended on {version.standard_until}: with upgrade_policy "
            "standard EKS has upgraded such clusters by itself, and none can be made.",
            f'Write kubernetes: "{catalogue().recommended_version}" for a new cluster, and for an old one '
            "the version that it has now.",
        )


def _public(case: Case) -> Iterator[Finding]:
    if case.spec.api.public_cidrs:
        listed = ", ".join(case.spec.api.public_cidrs)
        yield Finding(
            ("api", "public_cidrs"),
            f"The Kubernetes API can be reached over the internet from {listed}.",
            "Remove it, and come through a VPN or Session Manager.",
        )


def _reach(case: Case) -> Iterator[Finding]:
    if not case.spec.api.public_cidrs and not case.spec.api.private_cidrs:
        yield Finding(
            ("api",),
            "The API is private, and no network outside of the VPC may reach it.",
            "List your VPN or runners under private_cidrs, or use Session Manager: docs/infra.md.",
        )


def _nobody(case: Case) -> Iterator[Finding]:
    if not any(principal.cluster == "admin" for principal in case.spec.access.values()):
        yield Finding(
            ("access",),
            "Nobody may administer the cluster: who made it gets no access by that.",
            "Give a group: cloudops: {roles: ARN, cluster: admin}.",
        )


def _addons(case: Case) -> Iterator[Finding]:
    pinned = {**(case.lock.addons if case.lock else {}), **case.spec.addons}
    missing = [name for name in ADDONS if name not in pinned]
    if missing:
        yield Finding(
            ("addons",),
            f"A rebuilt cluster would get other versions of {', '.join(missing)}.",
            f"Pin them: leeward infra versions {case.spec.name} --pin.",
        )


def _extended(case: Case) -> Iterator[Finding]:
    if case.spec.upgrade_policy == "extended":
        yield Finding(
            ("upgrade_policy",),
            "After standard support the control plane costs six times as much, without a word.",
            "Write upgrade_policy: standard, and upgrade in time.",
        )


def _disk_key(case: Case) -> Iterator[Finding]:
    if case.spec.encryption.disks == "customer" and case.modules:
        yield from _principal(
            case, "AWSServiceRoleForAutoScaling", ("encryption", "disks"), "nodes would never start"
        )


def _log_key(case: Case) -> Iterator[Finding]:
    if case.spec.encryption.logs == "customer" and case.modules:
        yield from _principal(case, "logs.${", ("encryption", "logs"), "log groups could not be made")


def _principal(case: Case, principal: str, path: tuple[str, str], what: str) -> Iterator[Finding]:
    if not any(principal in text for name, text in case.modules.items() if name.startswith("modules/")):
        yield Finding(
            path,
            f"No key policy in the modules lets {principal} use the key: {what}.",
            "Restore the policy: leeward infra render --force, or use the key of AWS.",
        )


def _hop(case: Case) -> Iterator[Finding]:
    limits = [text for text in case.modules.values() if "http_put_response_hop_limit" in text]
    tokens = [text for text in limits if "http_tokens" in text and '"required"' in text]
    if case.modules and (not limits or len(tokens) < len(limits)):
        yield Finding(
            ("node_groups",),
            "The modules do not require IMDSv2 with a hop limit, so that a Pod could take a node's role.",
            "Restore the launch template: leeward infra render --force.",
        )


RULES = (
    Rule(
        "for-life",
        Severity.ERROR,
        "Name, region, addresses and control-plane zones are as they were.",
        _for_life,
    ),
    Rule("overlapping-addresses", Severity.WARNING, "No two clusters have the same addresses.", _overlap),
    Rule(
        "version-support",
        Severity.WARNING,
        "Kubernetes is in standard support, for 60 days at least.",
        _support,
    ),
    Rule(
        "ended-support",
        Severity.ERROR,
        "EKS has Kubernetes of this version, under the upgrade policy that is chosen.",
        _ended,
    ),
    Rule("extended-support", Severity.NOTE, "Support does not become dearer without a decision.", _extended),
    Rule("nobody-administers", Severity.WARNING, "Somebody may administer the cluster.", _nobody),
    Rule("public-api", Severity.WARNING, "The Kubernetes API is private.", _public),
    Rule("private-reach", Severity.NOTE, "Somebody can reach the private API.", _reach),
    Rule(
        "unpinned-addons",
        Severity.NOTE,
        "Add-ons are pinned, so that a rebuilt cluster is the same.",
        _addons,
    ),
    Rule("disk-key", Severity.ERROR, "A key of one's own for disks may be used by Auto Scaling.", _disk_key),
    Rule("log-key", Severity.ERROR, "A key of one's own for logs may be used by CloudWatch.", _log_key),
    Rule("instance-metadata", Severity.ERROR, "Nodes require IMDSv2 with a hop limit.", _hop),
)
