"""What AWS supports today: versions of Kubernetes, of add-ons and of AMIs, to pin and to compare.

Source: DescribeClusterVersions and DescribeAddonVersions of the Amazon EKS API reference; "Retrieve
recommended Amazon Linux AMI IDs" and "Retrieve recommended Bottlerocket AMI IDs" of the Amazon EKS user
guide.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from leeward.infra.aws.errors import AwsNotFoundError
from leeward.infra.aws.session import Aws
from leeward.infra.catalogue import Version
from leeward.infra.spec import Architecture, OperatingSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """One minor version of Kubernetes on EKS, as AWS has it."""

    version: Version
    is_default: bool  # of a new cluster
    patch: str  # such as "1.35.2"; "" when AWS does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonVersions:
    """The versions of one add-on that go with a version of Kubernetes, newest first."""

    name: str
    default: str  # what EKS takes when none is named; "" when it names none
    versions: tuple[str, ...]


def supported_versions(aws: Aws) -> list[Support]:
    """Return the versions of Kubernetes that EKS has, newest first."""
    found = [
        each
        for page in aws.pages("eks", "describe_cluster_versions", includeAll=True)
        for each in page.get("clusterVersions") or ()
    ]
    return sorted((_support(each) for each in found), key=lambda each: each.version.released, reverse=True)


def _support(found: Mapping[str, Any]) -> Support:
    return Support(
        version=Version(
            str(found["clusterVersion"]),
            _day(found["releaseDate"]),
            _day(found["endOfStandardSupportDate"]),
            _day(found["endOfExtendedSupportDate"]),
        ),
        is_default=bool(found.get("defaultVersion")),
        patch=str(found.get("kubernetesPatchVersion") or ""),
    )


def _day(moment: datetime) -> date:
    return moment.date()


def table_differences(table: Mapping[str, Version], asked: Iterable[Support]) -> list[str]:
    """Return in words where leeward's dated table is not what AWS says now. Pure."""
    found = []
    for each in asked:
        there, known = each.version, table.get(each.version.name)
        if known is None:
            found.append(f"{there.name} is new: standard support until {there.standard_until}")
            continue
        for what, was, now in (
            ("standard support", known.standard_until, there.standard_until),
            ("extended support", known.extended_until, there.extended_until),
        ):
            if was != now:
                found.append(f"{there.name} has {what} until {now}, not until {was}")
    return found


def addon_versions(aws: Aws, kubernetes: str, names: Collection[str]) -> dict[str, AddonVersions]:
    """Return add-on → its versions for a version of Kubernetes; those that AWS does not know are left out."""
    found = {}
    for name in sorted(names):
        try:
            pages = list(
                aws.pages("eks", "describe_addon_versions", kubernetesVersion=kubernetes, addonName=name)
            )
        except AwsNotFoundError:
            continue
        versions = [
            version
            for page in pages
            for addon in page.get("addons") or ()
            if addon.get("addonName") == name
            for version in addon.get("addonVersions") or ()
        ]
        if versions:
            found[name] = _addon(name, kubernetes, versions)
    return found


def _addon(name: str, kubernetes: str, versions: Iterable[Mapping[str, Any]]) -> AddonVersions:
    fitting, default = [], ""
    for each in versions:
        ways = [way for way in each.get("compatibilities") or () if way.get("clusterVersion") == kubernetes]
        if ways:
            fitting.append(str(each["addonVersion"]))
            if any(way.get("defaultVersion") for way in ways):
                default = str(each["addonVersion"])
    return AddonVersions(name=name, default=default, versions=tuple(fitting))


def pins(found: Mapping[str, AddonVersions]) -> dict[str, str]:
    """Return add-on → the version to pin: EKS's default, which is tried longest, else the newest. Pure."""
    return {name: each.default or each.versions[0] for name, each in found.items() if each.versions}


def ami_release(aws: Aws, kubernetes: str, os: OperatingSystem, arch: Architecture) -> str | None:
    """Return the newest release of an AMI, as ``ami`` of a node group has it; None: there is none."""
    if os == "bottlerocket":
        name = f"/aws/service/bottlerocket/aws-k8s-{kubernetes}/{arch}/latest/image_version"
    else:
        name = (
            f"/aws/service/eks/optimized-ami/{kubernetes}/amazon-linux-2023/{arch}/standard/recommended"
            "/release_version"
        )
    try:
        return str(aws.ask("ssm", "get_parameter", Name=name)["Parameter"]["Value"])
    except AwsNotFoundError:
        return None
