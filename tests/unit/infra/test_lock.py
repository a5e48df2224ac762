"""What a cluster keeps for life: slots of zones, the zones of its control plane, its name and addresses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.infra.lock import broken_lock_rules, extended, new_lock, parse_lock
from leeward.infra.spec import Network
from tests.unit.infra.specs import GOOD, good_spec


def test_the_order_of_zones_means_nothing(tmp_path: Path) -> None:
    one = good_spec(tmp_path, GOOD + "zones: [us-east-1b, us-east-1d, us-east-1a]\n")
    other = good_spec(tmp_path, GOOD + "zones: [us-east-1d, us-east-1a, us-east-1b]\n")

    assert new_lock(one) == new_lock(other)
    assert extended(new_lock(one), other).text() == new_lock(one).text()


def test_a_zone_keeps_its_slot_when_others_come_and_when_it_leaves(tmp_path: Path) -> None:
    spec = good_spec(tmp_path, GOOD + "zones: [us-east-1b, us-east-1c, us-east-1d]\n")
    lock = new_lock(spec)

    grown = extended(lock, replace(spec, zones=(*spec.zones, "us-east-1a")))
    shrunk = extended(grown, spec)

    assert dict(grown.zones) == {"us-east-1b": 0, "us-east-1c": 1, "us-east-1d": 2, "us-east-1a": 3}
    assert dict(shrunk.zones) == dict(grown.zones)


def test_what_is_for_life_may_not_change(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    lock = new_lock(spec)
    wanted = replace(
        spec, name="other", network=Network(cidr="10.1.0.0/16"), zones=("us-east-1a", "us-east-1d")
    )

    assert {each.path for each in broken_lock_rules(lock, wanted)} == {
        ("name",),
        ("network", "cidr"),
        ("zones",),
    }
    assert list(broken_lock_rules(lock, spec)) == []


def test_a_fourth_zone_is_no_matter_for_the_control_plane(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    grown = replace(spec, zones=(*spec.zone_names, "us-east-1d"))

    assert list(broken_lock_rules(new_lock(spec), grown)) == []
    assert extended(new_lock(spec), grown).control_plane_zones == new_lock(spec).control_plane_zones


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    lock = replace(new_lock(good_spec(tmp_path)), addons={"vpc-cni": "v1.20.4-eksbuild.2"})

    assert parse_lock(lock.text(), "cluster.lock.json") == lock


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 2}', "[]", '{"version": 1, "zones": {"a": 0, "b": 0}}']
)
def test_another_file_is_no_lock(text: str) -> None:
    with pytest.raises(UserInputError, match=r"cluster\.lock\.json: this is no lock file"):
        parse_lock(text, "cluster.lock.json")
