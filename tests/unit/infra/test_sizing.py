"""What EKS wants before Terraform: sizes that are moved first, and upgrades that it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from leeward.infra.aws.nodegroups import Size
from leeward.infra.plans import summary_of
from leeward.infra.sizing import moves, refused_upgrades
from tests.unit.infra.plans import CLUSTER, GROUP, change, group, plan
from tests.unit.infra.specs import good_spec


def _update(before: tuple[int, int, int], after: tuple[int, int, int]) -> dict[str, Any]:
    return plan(change(GROUP, ["update"], group("general-a", *before), group("general-a", *after)))


def test_a_min_above_the_desired_size_raises_that_first() -> None:
    (found,) = moves(summary_of(_update((1, 1, 2), (3, 1, 6))))

    assert (found.key, found.name) == ("general-a", "general-a-2026")
    assert (found.now, found.first) == (Size(1, 1, 2), Size(1, 3, 3))
    assert found.words == "general-a has 1 now, fewer than its new min 3: 2 nodes more, first."
    assert found.command("prod-use1", "us-east-1") == (
        "aws eks update-nodegroup-config --region us-east-1 --cluster-name prod-use1 "
        "--nodegroup-name general-a-2026 --scaling-config minSize=1,desiredSize=3,maxSize=3"
    )


def test_a_max_below_the_desired_size_lowers_that_first() -> None:
    (found,) = moves(summary_of(_update((4, 5, 6), (1, 5, 3))))

    assert found.first == Size(3, 3, 6)
    assert found.words == "general-a has 5 now, more than its new max 3: 2 nodes drained, first."


@pytest.mark.parametrize(
    ("before", "after"), [((1, 2, 4), (2, 2, 8)), ((1, 3, 4), (1, 3, 3)), ((1, 1, 1), (1, 1, 9))]
)
def test_sizes_that_fit_are_left_to_terraform(
    before: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    assert list(moves(summary_of(_update(before, after)))) == []


def test_groups_that_are_made_or_replaced_start_with_their_own_size() -> None:
    made = change(GROUP, ["create"], None, group("general-a", 3, 3, 6))
    anew = change(GROUP, ["create", "delete"], group("general-a", 1, 1, 2), group("general-a", 3, 3, 6))

    assert list(moves(summary_of(plan(made, anew)))) == []


_sizes = some.tuples(some.integers(0, 9), some.integers(0, 9), some.integers(1, 9)).map(
    lambda each: (min(each), sorted(each)[1], max(each))
)


@given(_sizes, _sizes)
def test_eks_takes_every_step_of_a_move(before: tuple[int, int, int], after: tuple[int, int, int]) -> None:
    wanted = (after[0], before[1], after[2])  # Terraform sends the desired size that it knows
    found = list(moves(summary_of(_update(before, wanted))))

    desired = found[0].first.desired if found else before[1]
    assert after[0] <= desired <= after[2]
    for move in found:
        assert 0 <= move.first.min <= move.first.desired <= move.first.max


@pytest.mark.parametrize(
    ("was", "code"),
    [
        ("1.34", None),
        ("1.35", None),
        ("1.33", "version-skip"),
        ("1.32", "version-skip"),
        ("1.36", "version-downgrade"),
    ],
)
def test_versions_go_up_one_by_one(was: str, code: str | None, tmp_path: Path) -> None:
    spec = good_spec(tmp_path)
    summary = summary_of(plan(change(CLUSTER, ["update"], {"version": was}, {"version": "1.35"})))

    found = list(refused_upgrades(summary, spec))

    assert [each.code for each in found] == ([code] if code else [])
    assert all(each.path == ("kubernetes",) for each in found)


def test_a_skip_names_the_next_version(tmp_path: Path) -> None:
    summary = summary_of(plan(change(CLUSTER, ["update"], {"version": "1.32"}, {"version": "1.35"})))

    (found,) = refused_upgrades(summary, good_spec(tmp_path))

    assert found.message == (
        "The cluster runs 1.32, and EKS upgrades one minor version at a time; 1.35 skips 2."
    )
    assert found.remedy == 'Write kubernetes: "1.33", apply it, and go on from there.'


def test_destroying_an_old_cluster_is_no_upgrade(tmp_path: Path) -> None:
    summary = summary_of(plan(change(CLUSTER, ["delete"], {"version": "1.30"}, None)))

    assert list(refused_upgrades(summary, good_spec(tmp_path))) == []
