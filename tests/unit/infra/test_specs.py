"""Every mistake in a cluster spec is told with its line, its reason and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.infra.catalogue import catalogue
from leeward.infra.grouprules import addresses_needed
from tests.unit.infra.specs import GOOD, good_spec, spec_file

_GROUP = "    types: [m7i.large, m6i.large]\n"


def _with(extra: str) -> str:
    return GOOD + extra


def _instead(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


_LARGE = [
    name
    for name, kind in sorted(catalogue().types.items())
    if (kind.vcpus, kind.memory_mib, kind.arch) == (2, 8192, "x86_64")
]

# name → text, line, code, words of the message, words of the remedy
BAD: dict[str, tuple[str, int, str, str, str]] = {
    "no region": (_instead("region: us-east-1\n", ""), 1, "missing-setting", '"region"', "Add region"),
    "region mistyped": (
        _instead("us-east-1", "us-eats-1"), 2, "unknown-region", "no region", "us-east-1"),
    "zone of another region": (
        _with("zones: [us-east-1a, us-east-1b, eu-west-1a]\n"),
        10, "unknown-zone", "eu-west-1a", "us-east-1a"),
    "zone twice": (
        _with("zones: [us-east-1a, us-east-1a, us-east-1b]\n"), 10, "duplicate-zone", "twice", "Remove"),
    "two zones": (
        _with("zones: [us-east-1a, us-east-1b]\n"), 10, "too-few-zones", "three zones", "us-east-1c"),
    "a region with two zones": (
        _instead("us-east-1", "us-west-1"), 1, "too-few-zones", "has 2", "another region"),
    "version as a number": (_instead('"1.35"', "1.35"), 3, "bad-setting", "minor version", "quotes"),
    "version nobody knows": (_instead("1.35", "1.77"), 3, "unknown-version", "1.77", '"1.35"'),
    "retired version": (_instead("1.35", "1.29"), 3, "retired-version", "2026-03-23", '"1.35"'),
    "unknown key": (_with("colour: red\n"), 10, "unknown-setting", '"colour"', "name"),
    "key of a group mistyped": (_instead("max: 4", "maximum: 4"), 9, "unknown-setting", '"maximum"', "max"),
    "key mistyped": (_instead("node_groups", "node_group"), 1, "missing-setting", "node_groups", "Add"),
    "addresses too few": (_with("network: {cidr: 10.0.0.0/20}\n"), 10, "bad-cidr", "/20", "/16"),
    "addresses of the internet": (
        _with("network: {cidr: 52.0.0.0/16}\n"), 10, "bad-cidr", "internet", "private"),
    "addresses of Docker": (_with("network: {cidr: 172.17.0.0/16}\n"), 10, "bad-cidr", "overlaps", "another"),
    "bits behind the prefix": (_with("network: {cidr: 10.0.5.0/16}\n"), 10, "bad-setting", "10.0.0.0/16", ""),
    "no way out": (_with("network: {nat: none}\n"), 10, "no-way-out", "Without NAT", "endpoints: full"),
    "nat mistyped": (_with("network: {nat: per-zone}\n"), 10, "bad-setting", "one of per_zone", "per_zone"),
    "API for the world": (
        _with("api: {public_cidrs: [0.0.0.0/0]}\n"), 10, "public-api", "internet", "offices"),
    "private addresses as public": (
        _with("api: {public_cidrs: [10.1.0.0/16]}\n"), 10, "public-api", "private", "private_cidrs"),
    "addresses of nobody": (
        _with("api: {public_cidrs: 127.0.0.0/8}\n"), 10, "public-api", "of anybody", "offices"),
    "public addresses around private ones": (
        _with("api: {public_cidrs: [172.0.0.0/8]}\n"), 10, "public-api", "has private", "private_cidrs"),
    "public networks without end": (
        _with(f"api: {{public_cidrs: [{', '.join(f'203.0.113.{n}/32' for n in range(41))}]}}\n"),
        10, "too-many-cidrs", "40", "larger"),
    "private networks without end": (
        _with(f"api: {{private_cidrs: [{', '.join(f'192.168.{n}.0/24' for n in range(51))}]}}\n"),
        10, "too-many-cidrs", "51", "larger"),
    "overlapping networks": (
        _with("api: {private_cidrs: [10.0.128.0/17]}\n"), 10, "overlapping-cidr", "overlaps", "outside"),
    "min above max": (_instead("min: 1", "min: 9"), 7, "bad-size", "more than max", "Raise"),
    "desired above max": (_instead("desired: 2", "desired: 5"), 8, "bad-size", "between", "Choose"),
    "type nobody knows": (_instead("m6i.large", "m6i.lrage"), 6, "unknown-type", "m6i.lrage", "m6i.large"),
    "types of two sizes": (_instead("m6i.large", "m6i.xlarge"), 6, "unequal-types", "one size", "group"),
    "types of two architectures": (_instead("m6i.large", "m7g.large"), 6, "wrong-arch", "arm64", "group"),
    "type too small": (
        _instead("[m7i.large, m6i.large]", "t3.nano"), 6, "small-type", "room", "t3.medium"),
    "no types": (_instead("[m7i.large, m6i.large]", "[]"), 6, "no-types", "instance type", "m7i.large"),
    "no groups": (GOOD.split("node_groups")[0] + "node_groups: {}\n", 4, "no-nodes", "nothing", "Add"),
    "only tainted groups": (_with('    taints: "a=b:NoSchedule"\n'), 4, "all-tainted", "DNS", "Leave"),
    "taint without effect": (_with('    taints: "a=b"\n'), 10, "bad-setting", "a taint", ""),
    "taint twice": (
        _with("    taints: [a=b:NoSchedule, a=c:NoSchedule]\n  more: {types: m7i.large}\n"),
        10, "duplicate-taint", "there already", "Keep"),
    "reserved label": (
        _with("    labels: {node-role.kubernetes.io/web: x}\n"),
        10, "reserved-label", "themselves", "prefix"),
    "label of the system, nearly one that it has": (
        _with("    labels: {kubernetes.io/architecture: x}\n"),
        10, "reserved-label", "EKS refuses", "prefix"),
    "label that EKS refuses although kubelet would not": (
        _with("    labels: {node.kubernetes.io/web: x}\n"), 10, "reserved-label", "EKS refuses", "prefix"),
    "label of leeward's": (
        _with("    labels: {leeward.dev/node-group: x}\n"), 10, "reserved-label", "leeward has", "prefix"),
    "label without a value": (_with('    labels: {web: ""}\n'), 10, "bad-setting", "no empty one", ""),
    "label with a long prefix": (
        _with(f"    labels: {{{'a' * 40}.example.com/{'b' * 40}: x}}\n"), 10, "bad-setting", "63", ""),
    "taint with a long key": (
        _with(f'    taints: "{"a" * 64}=b:NoSchedule"\n  more: {{types: m7i.large}}\n'),
        10, "bad-setting", "63", ""),
    "taint with a value that is none": (
        _with('    taints: "a=-b:NoSchedule"\n  more: {types: m7i.large}\n'),
        10, "bad-setting", "a taint", ""),
    "taints without end": (
        _with(f"    taints: [{', '.join(f'a{n}=b:NoSchedule' for n in range(51))}]\n"),
        10, "too-many-taints", "50", "fewer"),
    "types without end": (
        _instead("[m7i.large, m6i.large]", f"[{', '.join(_LARGE[:21])}]"), 6, "too-many-types", "20", "Keep"),
    "type that the AMIs do not run on": (
        _instead("[m7i.large, m6i.large]", "a1.xlarge"), 6, "old-type", "too old", "m7g.large"),
    "AMI of another version": (_with("    ami: 1.34.2-20260415\n"), 10, "wrong-ami", "1.34.2", "1.35."),
    "group in a foreign zone": (
        _with("    zones: [us-east-1f]\n"), 10, "unknown-zone", "us-east-1f", "us-east-1"),
    "names clash": (
        _with("  general-a: {types: m7i.large, per_zone: false}\n"), 10, "name-clash", "general-a", "Rename"),
    "name too long": (_instead("general", "g" * 35), 5, "long-name", "36 characters", "shorter"),
    "name in capitals": (_instead("prod-use1", "Prod"), 1, "bad-setting", "lower-case", ""),
    "subnet too small": (
        _with("network: {cidr: 10.0.0.0/19}\n").replace("max: 4", "max: 60"),
        10, "subnet-too-small", "1019", "larger range"),
    "role twice": (
        _with("access:\n  a: arn:aws:iam::111122223333:role/A\n  b: arn:aws:iam::111122223333:role/A\n"),
        12, "duplicate-role", "group a", "Keep"),
    "not a role": (_with("access: {a: arn:aws:iam::111122223333:user/A}\n"), 10, "bad-setting", "ARN", ""),
    "role of another partition": (
        _with("access: {a: arn:aws-cn:iam::111122223333:role/A}\n"),
        10, "wrong-partition", "arn:aws:", "Correct"),
    "role of a service": (
        _with("access: {a: arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/A}\n"),
        10, "bad-setting", "no service's", ""),
    "role with an umlaut": (
        _with("access: {a: arn:aws:iam::111122223333:role/Ä}\n"), 10, "bad-setting", "ARN", ""),
    "role to assume of another partition": (
        _with('account: {role: "arn:aws-cn:iam::111122223333:role/A"}\n'),
        10, "wrong-partition", "arn:aws:", "Correct"),
    "bucket with two dots": (_with("state: {bucket: a..b}\n"), 10, "bad-setting", "two dots", ""),
    "bucket that is an address": (_with("state: {bucket: 10.0.0.1}\n"), 10, "bad-setting", "address", ""),
    "tag of AWS": (_with("tags: {AWS:team: x}\n"), 10, "bad-setting", "aws:", ""),
    "value of a tag of AWS": (_with("tags: {team: 'aws:x'}\n"), 10, "bad-setting", "aws:", ""),
    "unknown add-on": (
        _with("addons: {vpc-cmi: v1.20.4-eksbuild.2}\n"), 10, "unknown-addon", "vpc-cmi", "vpc-cni"),
    "needed add-on off": (_with('addons: {coredns: "off"}\n'), 10, "needed-addon", "coredns", "Remove"),
    "account in digits": (
        _with("account: {id: 111122223333}\n"), 10, "bad-setting", "twelve digits", "quotes"),
    "role of another account": (
        _with('account: {id: "111122223333", role: "arn:aws:iam::999922223333:role/A"}\n'),
        10, "wrong-account", "not of the account", "Correct"),
    "retention nobody offers": (_with("logging: {retention_days: 42}\n"), 10, "bad-setting", "one of", ""),
    "reserved tag": (_with("tags: {Name: x}\n"), 10, "reserved-tag", "itself", "another"),
    "tag twice": (_with("tags: {Team: x, team: y}\n"), 10, "duplicate-tag", "by case", "Keep"),
    "environment twice": (_with("environments: [qa, qa]\n"), 10, "duplicate-environment", "twice", "Remove"),
    "disk too small": (_with("    disk: 5\n"), 10, "bad-setting", "from 20", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_told_with_its_line_and_what_to_do(name: str, tmp_path: Path) -> None:
    text, line, code, message, remedy = BAD[name]

    found = spec_file(tmp_path, text).diagnostics

    assert code in [each.code for each in found]
    told = next(each for each in found if each.code == code)
    assert told.location is not None
    assert (told.location.line, told.location.file.endswith("cluster.yaml")) == (line, True)
    assert message in told.message
    assert remedy in told.remedy


@pytest.mark.parametrize("roles", ["{role}", "[{role}]", "{{roles: {role}}}", "{{roles: [{role}]}}"])
def test_a_group_of_people_may_be_written_short(roles: str, tmp_path: Path) -> None:
    role = "arn:aws:iam::111122223333:role/Developers"
    spec = good_spec(tmp_path, GOOD + f"access: {{developers: {roles.format(role=role)}}}\n")

    assert spec.access["developers"].roles == (role,)


def test_ten_lines_are_a_cluster_in_three_zones(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)

    assert spec.zone_names == ("us-east-1a", "us-east-1b", "us-east-1c")
    assert (spec.api.public_cidrs, spec.network.nat, spec.encryption.secrets) == ((), "per_zone", "customer")


def test_regions_without_a_zone_c_have_their_own_three(tmp_path: Path) -> None:
    text = GOOD.replace("us-east-1", "ca-central-1").replace("m7i.large, m6i.large", "m6i.large")

    assert good_spec(tmp_path, text).zone_names == ("ca-central-1a", "ca-central-1b", "ca-central-1d")


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("min: 1", "min: 9").replace("m6i.large", "m6i.lrage") + "network: {nat: none}\n"

    codes = {each.code for each in spec_file(tmp_path, text).diagnostics}

    assert codes == {"bad-size", "unknown-type", "no-way-out"}


@pytest.mark.parametrize(
    "extra",
    [
        "    labels: {example.com/team: a_b.c, x: '1'}\n    taints: a:NoExecute\n  b: {types: t3.large}\n",
        "logging: {retention_days: 3653}\n",
        "    taints: a=b:PreferNoSchedule\n",
        "addons: {metrics-server: off}\n",
        "api: {public_cidrs: 203.0.113.7}\n",
        "access: {a: arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_x}\n",
        "state: {bucket: acme.terraform-state}\ntags: {Kosten: Größe 1, aws: x}\n",
        "    os: bottlerocket\n    ami: 1.20.3-5d9ac849\n",
    ],
)
def test_what_aws_takes_is_no_mistake(extra: str, tmp_path: Path) -> None:
    good_spec(tmp_path, GOOD + extra)


def test_a_full_node_takes_the_addresses_of_its_interfaces_and_of_one_ahead(tmp_path: Path) -> None:
    small = good_spec(tmp_path, GOOD)
    large = good_spec(tmp_path, GOOD.replace("[m7i.large, m6i.large]", "m7i.4xlarge"))
    endpoints = good_spec(tmp_path, GOOD + "network: {nat: none, endpoints: full}\n")

    assert addresses_needed(small) == dict.fromkeys(small.zone_names, 4 * 3 * 10)
    assert addresses_needed(large) == dict.fromkeys(large.zone_names, 4 * 5 * 30)  # 110 Pods on 4 of 8
    assert addresses_needed(endpoints) == dict.fromkeys(small.zone_names, 4 * 30 + 13)


def test_zones_that_some_accounts_see_are_taken(tmp_path: Path) -> None:
    text = (
        GOOD.replace("us-east-1", "us-west-1") + "zones: [us-west-1b, us-west-1c]\nhighly_available: false\n"
    )

    assert good_spec(tmp_path, text).zone_names == ("us-west-1b", "us-west-1c")
