"""What differs between specs, and what AWS makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from leeward.infra.spec import Network, NodeGroup
from leeward.infra.specdiff import FOR_LIFE, IN_PLACE, NEW_NODES, NOT_AWS, differences, replica_differences
from tests.unit.infra.specs import GOOD, good_spec


@pytest.mark.parametrize(
    ("change", "path", "effect"),
    [
        ({"max": 8}, "node_groups.general.max", IN_PLACE),
        ({"labels": {"a": "b"}}, "node_groups.general.labels.a", IN_PLACE),
        ({"types": ("m7i.xlarge",)}, "node_groups.general.types", NEW_NODES),
        ({"disk": 100}, "node_groups.general.disk", NEW_NODES),
    ],
)
def test_changes_of_a_group(change: dict[str, object], path: str, effect: str, tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    group = replace(spec.node_groups["general"], **change)  # type: ignore[arg-type]  # fields by name

    (found,) = differences(spec, replace(spec, node_groups={"general": group}))

    assert (found.path, found.effect) == (path, effect)


def test_changes_of_a_cluster(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    changed = replace(
        spec,
        environments=("qa",),
        network=Network(cidr="10.1.0.0/16", nat="single"),
        node_groups={**spec.node_groups, "more": NodeGroup(types=("m7i.large",))},
    )

    assert {each.path: each.effect for each in differences(spec, changed)} == {
        "environments": NOT_AWS,
        "network.cidr": FOR_LIFE,
        "network.nat": IN_PLACE,
        "node_groups.more.types": "a new group of nodes",
    }


def test_what_is_the_default_is_told_with_its_value(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    plain = replace(spec, node_groups={"general": NodeGroup(types=("m7i.large",))})
    larger = replace(spec, node_groups={"general": NodeGroup(types=("m7i.large",), min=2, desired=3)})

    found = {each.path: (each.before, each.after) for each in differences(plain, larger)}

    assert found == {"node_groups.general.min": (1, 2), "node_groups.general.desired": (None, 3)}
    assert [(each.before, each.after) for each in differences(larger, plain)] == [(3, None), (2, 1)]


def test_order_means_nothing(tmp_path: Path) -> None:
    one = good_spec(tmp_path, GOOD + "zones: [us-east-1a, us-east-1b, us-east-1c]\n")
    other = good_spec(tmp_path, GOOD + "zones: [us-east-1c, us-east-1b, us-east-1a]\n")

    assert list(differences(one, other)) == []
    assert list(differences(good_spec(tmp_path), one)) == []


def test_a_replica_differs_only_in_what_was_changed(tmp_path: Path) -> None:
    origin = good_spec(tmp_path)
    text = (
        GOOD.replace("us-east-1", "eu-west-1").replace("prod-use1", "prod-euw1").replace("max: 4", "max: 5")
    )
    replica = good_spec(tmp_path, text + "network: {cidr: 10.2.0.0/16}\n")

    assert [each.path for each in replica_differences(origin, replica)] == ["node_groups.general.max"]


@pytest.mark.parametrize(
    ("before", "after", "path", "effect"),
    [
        ("", "tags: {team: web}\n", "tags.team", NEW_NODES),
        ("", "encryption: {disks: customer}\n", "encryption.disks", NEW_NODES),
        ("encryption: {secrets: aws}\n", "", "encryption.secrets", "in place, and for good"),
        ("", "encryption: {secrets: aws}\n", "encryption.secrets", FOR_LIFE),
        ("", "encryption: {logs: aws}\n", "encryption.logs", IN_PLACE),
        ("    zones: [us-east-1a]\n", "", "node_groups.general.zones", "nodes in the zones that came"),
        (
            "    per_zone: false\n    zones: [us-east-1a]\n",
            "    per_zone: false\n",
            "node_groups.general.zones",
            NEW_NODES,
        ),
        ("", "zones: [us-east-1a, us-east-1b, us-east-1c, us-east-1d]\n", "zones", "subnets and nodes"),
        (
            "    per_zone: false\n",
            "    per_zone: false\nzones: [us-east-1a, us-east-1b, us-east-1c, us-east-1d]\n",
            "zones",
            "new nodes take the place of the old ones in general",
        ),
    ],
)
def test_what_aws_makes_of_a_change(before: str, after: str, path: str, effect: str, tmp_path: Path) -> None:
    (found,) = differences(good_spec(tmp_path, GOOD + before), good_spec(tmp_path, GOOD + after))

    assert found.path == path
    assert effect in found.effect


def test_a_version_only_goes_up(tmp_path: Path) -> None:
    one, other = good_spec(tmp_path), good_spec(tmp_path, GOOD.replace("1.35", "1.34"))

    assert [each.effect for each in differences(other, one)] == [
        "the control plane, then every node, is upgraded"
    ]
    assert "no version back" in next(differences(one, other)).effect
