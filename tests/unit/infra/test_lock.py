"""What a cluster keeps for life: slots of zones, the zones of its control plane, its name and addresses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.base.errors import UserInputError
from leeward.infra.lock import broken_lock_rules, extended, new_lock, parse_lock
from leeward.infra.spec import ClusterSpec, Network, NodeGroup
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


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"us-east-1c": 2', '"us-east-1c": 2,\n<<<<<<< ours\n"us-east-1d": 3'), "merge conflict"),
        (
            ('"us-east-1c": 2', '"us-east-1c": 2,\n"us-east-1d": 3,\n"us-east-1d": 4'),
            "'us-east-1d' is there twice",
        ),
        (('"us-east-1c": 2', '"us-east-1c": 2,\n"us-east-1d": 2'), "numbers of their own"),
        (('"us-east-1c": 2', '"us-east-1d": 2'), "has no slot"),
    ],
)
def test_what_a_merge_left_is_told(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    text = new_lock(good_spec(tmp_path)).text()
    assert change[0] in text

    with pytest.raises(UserInputError) as told:
        parse_lock(text.replace(*change), "cluster.lock.json")

    assert words in str(told.value)


_ZONES = st.sets(st.sampled_from([f"us-east-1{letter}" for letter in "abcdef"]), min_size=3)


@given(st.lists(_ZONES, min_size=1, max_size=8))
def test_slots_never_move_whatever_zones_come_and_go(sequence: list[set[str]]) -> None:
    def spec(zones: set[str]) -> ClusterSpec:
        group = NodeGroup(types=("m7i.large",))
        return ClusterSpec(
            name="a", region="us-east-1", kubernetes="1.35", zones=tuple(zones), node_groups={"a": group}
        )

    lock = new_lock(spec(sequence[0]))
    control_plane = lock.control_plane_zones
    for zones in sequence:
        wanted = zones | {*control_plane}
        assert list(broken_lock_rules(lock, spec(wanted))) == []
        after = extended(lock, spec(wanted))
        assert {zone: after.zones[zone] for zone in lock.zones} == dict(lock.zones)
        assert wanted <= set(after.zones)
        assert sorted(after.zones.values()) == list(range(len(after.zones)))
        assert after.control_plane_zones == control_plane
        assert parse_lock(after.text(), "x") == after
        lock = after
