"""What AWS supports, and what of it is pinned."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from leeward.infra.aws.session import Aws
from leeward.infra.aws.versions import (
    AddonVersions,
    addon_versions,
    ami_release,
    pins,
    supported_versions,
    table_differences,
)
from leeward.infra.catalogue import Version

AMI = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/arm64/standard/recommended/release_version"


def version(name: str, released: str, standard: str, extended: str) -> dict[str, Any]:
    def at(day: str) -> datetime:
        return datetime.fromisoformat(f"{day}T00:00:00").replace(tzinfo=UTC)

    return {
        "clusterVersion": name,
        "releaseDate": at(released),
        "endOfStandardSupportDate": at(standard),
        "endOfExtendedSupportDate": at(extended),
        "defaultVersion": name == "1.35",
    }


ANSWER = {
    "clusterVersions": [
        version("1.34", "2025-10-02", "2026-12-02", "2027-12-02"),
        version("1.35", "2026-01-27", "2027-04-30", "2028-03-27"),
        version("1.37", "2026-10-05", "2027-12-05", "2028-12-05"),
    ]
}
TABLE = {
    "1.34": Version("1.34", date(2025, 10, 2), date(2026, 12, 2), date(2027, 12, 2)),
    "1.35": Version("1.35", date(2026, 1, 27), date(2027, 3, 27), date(2028, 3, 27)),
}


def test_versions_of_kubernetes_are_told_newest_first(stub: Any) -> None:
    found = supported_versions(stub("eks", ("describe_cluster_versions", ANSWER)))

    assert [each.version.name for each in found] == ["1.37", "1.35", "1.34"]
    assert [each.is_default for each in found] == [False, True, False]
    assert found[2].version == TABLE["1.34"]


def test_where_the_table_is_not_what_aws_says_is_told(stub: Any) -> None:
    found = supported_versions(stub("eks", ("describe_cluster_versions", ANSWER)))

    assert table_differences(TABLE, found) == [
        "1.37 is new: standard support until 2027-12-05",
        "1.35 has standard support until 2027-04-30, not until 2027-03-27",
    ]


def addon(name: str, *versions: tuple[str, str, bool]) -> dict[str, Any]:
    return {
        "addons": [
            {
                "addonName": name,
                "addonVersions": [
                    {
                        "addonVersion": number,
                        "compatibilities": [{"clusterVersion": cluster, "defaultVersion": is_default}],
                    }
                    for number, cluster, is_default in versions
                ],
            }
        ]
    }


def test_versions_of_add_ons_are_those_for_the_cluster_and_unknown_add_ons_are_left_out(stub: Any) -> None:
    coredns = addon("coredns", ("v1.13", "1.36", True), ("v1.12", "1.35", False), ("v1.11", "1.35", True))
    aws = stub(
        "eks",
        ("describe_addon_versions", coredns),
        ("describe_addon_versions", ("ResourceNotFoundException", "no such add-on")),
        ("describe_addon_versions", addon("vpc-cni", ("v1.20", "1.35", False))),
    )

    found = addon_versions(aws, "1.35", ["vpc-cni", "metrics-server", "coredns"])

    assert found == {
        "coredns": AddonVersions(name="coredns", default="v1.11", versions=("v1.12", "v1.11")),
        "vpc-cni": AddonVersions(name="vpc-cni", default="", versions=("v1.20",)),
    }
    assert pins(found) == {"coredns": "v1.11", "vpc-cni": "v1.20"}


def test_an_add_on_without_a_fitting_version_is_not_pinned() -> None:
    assert pins({"coredns": AddonVersions(name="coredns", default="", versions=())}) == {}


def test_releases_of_amis_are_looked_up_where_eks_publishes_them(stub: Any) -> None:
    asked = stub("ssm", ("get_parameter", {"Parameter": {"Value": "1.35.2-20261110"}}))

    assert ami_release(asked, "1.35", "al2023", "arm64") == "1.35.2-20261110"


def test_the_parameter_of_an_ami_is_the_one_of_its_system_and_architecture(
    aws: Aws, monkeypatch: Any
) -> None:
    names: list[str] = []

    def ask(_self: Aws, _service: str, _operation: str, /, **arguments: Any) -> dict[str, Any]:
        names.append(arguments["Name"])
        return {"Parameter": {"Value": "1"}}

    monkeypatch.setattr(Aws, "ask", ask)
    ami_release(aws, "1.35", "al2023", "arm64")
    ami_release(aws, "1.34", "bottlerocket", "x86_64")
    assert names == [AMI, "/aws/service/bottlerocket/aws-k8s-1.34/x86_64/latest/image_version"]


def test_an_ami_that_is_not_published_has_no_release(aws: Aws) -> None:
    assert ami_release(aws, "1.19", "bottlerocket", "x86_64") is None
