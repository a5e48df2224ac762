"""New clusters: a first spec is right at once, and a replica is its origin but for what is its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.catalogue import catalogue
from leeward.infra.proposal import cloned, first_spec, free_cidr
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


def test_a_file_that_cannot_be_changed_line_by_line_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace("region: us-east-1", "region: us-\\\n  east-1").replace(
        "us-\\\n  east-1", '"us-\\\n  east-1"'
    )

    with pytest.raises(UserInputError, match="line 2"):
        _clone(tmp_path, text)
