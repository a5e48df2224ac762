"""New clusters: a first spec is right at once, and a replica is its origin but for what is its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.catalogue import catalogue
from leeward.infra.proposal import cloned, first_spec, free_cidr
from leeward.infra.specdiff import replica_differences
from tests.unit.infra.specs import GOOD, good_spec, spec_file

FULL = """\
# Ours; ask CloudOps before you touch it.
name: prod-use1   # the name
region: us-east-1
zones: [us-east-1b, us-east-1d, us-east-1a]   # c was full
kubernetes: "1.35"
network:
  # two offices
  cidr: 10.40.0.0/16   # not 10.0.0.0/16, which HQ has
  nat: single
node_groups:
  general: {types: [m7i.large], min: 1, max: 4}
  data:
    types: r7i.large
    zones:
      - us-east-1a
      - us-east-1b
state: {bucket: acme-state}
"""


@pytest.mark.parametrize("region", sorted(catalogue().regions))
def test_a_first_spec_is_right_in_every_region(region: str, tmp_path: Path) -> None:
    text = first_spec("new", region, "10.10.0.0/16", types=["m6i.large"])
    read = spec_file(tmp_path, text)

    assert {each.code for each in read.diagnostics} == ({"too-few-zones"} if region == "us-west-1" else set())


def test_the_next_free_range_overlaps_nothing() -> None:
    assert free_cidr([]) == "10.10.0.0/16"
    assert free_cidr(["10.0.0.0/12"]) == "10.16.0.0/16"
    assert free_cidr(["10.10.0.0/16", "10.11.128.0/17"]) == "10.12.0.0/16"
    with pytest.raises(UserInputError):
        free_cidr(["10.0.0.0/8"])


def _clone(tmp_path: Path, text: str, name: str = "prod-euw1", region: str = "eu-west-1") -> str:
    read = spec_file(tmp_path, text)
    assert read.diagnostics == ()
    return cloned(read, text, name=name, region=region, cidr="10.41.0.0/16")


def test_a_replica_keeps_every_comment_and_setting(tmp_path: Path) -> None:
    text = FULL.replace("us-east-1d", "us-east-1c")
    found = _clone(tmp_path, text)

    assert found.splitlines() == [
        "# Ours; ask CloudOps before you touch it.",
        "name: prod-euw1   # the name",
        "region: eu-west-1",
        "zones: [eu-west-1b, eu-west-1c, eu-west-1a]   # c was full",
        'kubernetes: "1.35"',
        "network:",
        "  # two offices",
        "  cidr: 10.41.0.0/16   # not 10.0.0.0/16, which HQ has",
        "  nat: single",
        "node_groups:",
        "  general: {types: [m7i.large], min: 1, max: 4}",
        "  data:",
        "    types: r7i.large",
        "    zones:",
        "      - eu-west-1a",
        "      - eu-west-1b",
        "state: {region: us-east-1, bucket: acme-state}",
    ]


def test_a_zone_without_its_letter_becomes_one_that_is_there(tmp_path: Path) -> None:
    origin = good_spec(tmp_path, FULL)
    replica = good_spec(tmp_path, _clone(tmp_path, FULL))

    assert replica.zone_names == ("eu-west-1a", "eu-west-1b", "eu-west-1c")
    assert replace(replica, name=origin.name, region=origin.region, zones=origin.zones) != origin
    assert replica.node_groups["general"] == origin.node_groups["general"]
    assert replica.network.nat == "single"


@pytest.mark.parametrize(
    "network",
    ["", "network: {nat: single}\n", "network: {}\n", "network:\n  nat: single\n  endpoints: standard\n"],
)
def test_addresses_that_were_not_written_are_added(network: str, tmp_path: Path) -> None:
    origin = good_spec(tmp_path, GOOD + network)
    replica = good_spec(tmp_path, _clone(tmp_path, GOOD + network, "two", "us-east-1"))

    wanted = replace(origin, name="two", network=replace(origin.network, cidr="10.41.0.0/16"))
    assert replica == wanted


def test_a_region_with_too_few_zones_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="us-west-1 has 2"):
        _clone(tmp_path, FULL, region="us-west-1")


_ABD = "zones: [us-east-1a, us-east-1b, us-east-1d]\n"
STYLES = {
    "in braces": '{name: me, region: us-east-1, kubernetes: "1.35", node_groups: {a: {types: m7i.large}}}\n',
    "in braces over lines": '{\n  name: me,\n  region: us-east-1,  # here\n  kubernetes: "1.35",\n'
    "  node_groups: {a: {types: m7i.large, zones: us-east-1a}},\n  network: {},\n}\n",
    "quoted": GOOD.replace("prod-use1", '"prod-use1" # it').replace("us-east-1\n", "'us-east-1'\n"),
    "with anchors": GOOD.replace("prod-use1", "&n prod-use1")
    + "zones: &z [us-east-1a, us-east-1b, us-east-1d]\nnetwork: &net\n  # addresses\n  nat: single\n"
    + "tags: {same: x}\n",
    "with shared zones": _ABD
    + GOOD
    + "    zones: &z\n      - us-east-1b\n      - us-east-1d\n  two:\n    types: m7i.large\n    zones: *z\n",
    "with merged groups": _ABD
    + GOOD.replace("general:", "general: &g")
    + "    zones: [us-east-1b, us-east-1d]\n  two:\n    <<: *g\n    max: 9\n",
    "of Windows": (GOOD + "network: # ours\n  nat: single\n").replace("\n", "\r\n"),
    "in a block scalar": GOOD.replace("name: prod-use1", "name: |-\n  prod-use1"),
    "over two lines": GOOD.replace("region: us-east-1", 'region: "us-\\\n  east-1"'),
    "keys quoted": GOOD.replace("name:", '"name":').replace("region:", "'region' :"),
    "name in another word": GOOD.replace("prod-use1", "a").replace("general", "a"),
    "no last line end": GOOD.replace("kubernetes", "network:\nkubernetes").rstrip("\n"),
    "network is null": GOOD + "network: null   # later\n",
    "indented": "".join(f"  {line}\n" for line in GOOD.splitlines()),
    "a document's marks": f"---\n{GOOD}...\n",
    "region last": GOOD.replace("region: us-east-1\n", "") + "region: us-east-1",
    "hash in quotes": GOOD + "network: {nat: single}\ntags: {'a': 'x: prod-use1'}  # prod-use1\n",
}


@pytest.mark.parametrize("style", STYLES)
def test_a_replica_means_the_same_however_its_origin_is_written(style: str, tmp_path: Path) -> None:
    text = STYLES[style]
    origin = good_spec(tmp_path, text)
    found = _clone(tmp_path, text)
    replica = good_spec(tmp_path, found)

    assert list(replica_differences(origin, replica)) == []
    assert (replica.name, replica.region, replica.network.cidr) == ("prod-euw1", "eu-west-1", "10.41.0.0/16")
    assert ("\r\n" in found) == ("\r\n" in text)
    assert found.count("\r\n") in (0, found.count("\n"))
    assert [line.partition("#")[2] for line in found.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in text.splitlines() if "#" in line
    ]


def test_an_anchor_that_the_replica_cannot_share_is_told(tmp_path: Path) -> None:
    text = GOOD.replace("us-east-1", "&r us-east-1") + "state: {bucket: acme-state, region: *r}\n"

    with pytest.raises(UserInputError, match="anchors"):
        _clone(tmp_path, text)


def test_a_name_that_yaml_would_take_for_something_else_is_quoted(tmp_path: Path) -> None:
    assert (
        good_spec(tmp_path, first_spec("null", "us-east-1", "10.10.0.0/16", types=["m6i.large"])).name
        == "null"
    )
    assert good_spec(tmp_path, _clone(tmp_path, GOOD, "true")).name == "true"
