"""Plans that Terraform made of everyday changes: what people are told of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.infra.blastradius import consequences
from leeward.infra.plans import Action, PlanSummary, summary_of
from leeward.infra.sizing import moves
from tests.unit.infra.plans import recorded
from tests.unit.infra.specs import good_spec


def _counts(summary: PlanSummary) -> dict[str, int]:
    return {action.value: summary.count(action) for action in Action if summary.count(action)}


@pytest.mark.parametrize(
    ("name", "counts", "grave"),
    [
        ("sizes", {"update": 3}, 0),
        ("types", {"replace": 12}, 3),  # three groups, and tags of their Auto Scaling groups
        ("upgrade", {"update": 4}, 0),
        ("nat", {"update": 2, "destroy": 4}, 0),
        ("keys", {"update": 11, "replace": 2, "destroy": 5}, 3),
    ],
)
def test_a_change_is_counted_and_weighed(
    name: str, counts: dict[str, int], grave: int, tmp_path: Path
) -> None:
    summary = summary_of(recorded(name))

    assert _counts(summary) == counts
    assert sum(each.is_grave for each in consequences(summary, good_spec(tmp_path))) == grave
    assert summary.drift == ()


def test_larger_groups_change_in_place_and_start_with_more_nodes() -> None:
    summary = summary_of(recorded("sizes"))

    assert {
        (each.path, each.before, each.after) for change in summary.changes for each in change.attributes
    } == {
        ("scaling_config.min_size", "1", "3"),
        ("scaling_config.max_size", "4", "8"),
    }
    assert [(each.key, str(each.now), str(each.first)) for each in moves(summary)] == [
        ("general-a", "1/1/4", "1/3/4"),
        ("general-b", "1/1/4", "1/3/4"),
        ("general-c", "1/1/4", "1/3/4"),
    ]


def test_other_types_are_new_nodes_that_come_before_the_old_ones_go() -> None:
    groups = list(summary_of(recorded("types")).of_type("aws_eks_node_group"))

    assert {each.forced_by for each in groups} == {("instance_types",)}
    assert all(each.creates_first for each in groups)
    assert {(each.path, each.before, each.after) for group in groups for each in group.attributes} == {
        ("instance_types", '["m7i.large", "m6i.large"]', '["m7i.xlarge"]')
    }


def test_an_upgrade_is_the_control_plane_and_every_group(tmp_path: Path) -> None:
    told = [each.words for each in consequences(summary_of(recorded("upgrade")), good_spec(tmp_path))]

    assert told[0].startswith("The control plane goes from 1.35 to 1.36")
    assert told[1:] == [
        f"1 to 4 nodes (1 now) of us-east-1{zone}: replaced in place, a third at a time "
        "(version 1.35 -> 1.36)."
        for zone in "abc"
    ]


def test_one_gateway_for_all_moves_ways_out_and_gives_addresses_up(tmp_path: Path) -> None:
    told = [each.words for each in consequences(summary_of(recorded("nat")), good_spec(tmp_path))]

    assert [words for words in told if "another NAT gateway" in words] == [
        f"us-east-1{zone} goes out through another NAT gateway; open connections break." for zone in "bc"
    ]
    assert sum("given up for good" in words for words in told) == 2


def test_another_key_for_secrets_is_another_cluster(tmp_path: Path) -> None:
    spec = good_spec(tmp_path)

    first, *_ = consequences(summary_of(recorded("keys")), spec)

    assert first.about == "cluster.eks_cluster"
    assert "is destroyed and made anew, empty, because of encryption_config" in first.words
