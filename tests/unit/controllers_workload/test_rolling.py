"""How far a rolling update, a Recreate or a change of size goes in one step."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.cluster.controllers.deployment.rolling import (
    Fenceposts,
    fenceposts_of,
    plan_recreate,
    plan_rolling,
    plan_scaling,
    resolve_fenceposts,
)
from leeward.kube.objects import Obj

_MAXIMUM = "deployment.kubernetes.io/max-replicas"


def _deployment(replicas: int, surge: int | str = "25%", unavailable: int | str = "25%", **more: Any) -> Obj:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "strategy": strategy}, **more}


def _set(name: str, size: int, available: int | None = None, maximum: int | None = None) -> Obj:
    annotations = {} if maximum is None else {_MAXIMUM: str(maximum)}
    return {
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"replicas": size},
        "status": {"replicas": size, "availableReplicas": size if available is None else available},
    }


@pytest.mark.parametrize(
    ("surge", "unavailable", "wanted", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),  # surge rounds up, unavailable down
        ("25%", "25%", 4, (1, 1)),
        ("25%", "25%", 3, (1, 0)),
        ("25%", "25%", 1, (1, 0)),
        (0, "25%", 3, (0, 1)),  # neither may move: one Pod may be missing
        ("0%", 0, 3, (0, 1)),
        (2, 1, 5, (2, 1)),
        ("100%", 0, 7, (7, 0)),
        ("29%", "29%", 100, (29, 29)),  # exact, whatever floating point says of 0.29
    ],
)
def test_surge_rounds_up_and_unavailable_down(
    surge: int | str, unavailable: int | str, wanted: int, expected: tuple[int, int]
) -> None:
    assert resolve_fenceposts(surge, unavailable, wanted) == Fenceposts(*expected)


def test_no_more_pods_can_be_missing_than_are_wanted() -> None:
    assert fenceposts_of(_deployment(3, 0, 10)) == (0, 3)
    assert fenceposts_of(_deployment(0, "25%", "25%")) == (0, 0)


def test_without_a_strategy_the_bounds_are_a_quarter() -> None:
    assert fenceposts_of({"spec": {"replicas": 8}}) == (2, 2)


def test_recreate_has_neither_surge_nor_slack() -> None:
    deployment = {"spec": {"replicas": 8, "strategy": {"type": "Recreate"}}}
    assert fenceposts_of(deployment) == (0, 0)


def test_the_new_set_grows_up_to_the_surge_first() -> None:
    assert plan_rolling(_deployment(10, 3, 2), _set("new", 0), [_set("old", 10)]) == {"new": 3}


def test_the_new_set_never_grows_beyond_the_wanted_number() -> None:
    assert plan_rolling(_deployment(3, "100%", 0), _set("new", 1), [_set("old", 1)]) == {"new": 3}


def test_a_new_set_that_is_too_large_shrinks_at_once() -> None:
    assert plan_rolling(_deployment(2), _set("new", 5), [_set("old", 4)]) == {"new": 2}


def test_available_old_pods_go_as_far_as_the_slack_allows() -> None:
    assert plan_rolling(_deployment(10, 3, 2), _set("new", 3, 0), [_set("old", 10)]) == {"old": 8}


def test_new_pods_that_are_not_available_keep_old_ones_alive() -> None:
    assert plan_rolling(_deployment(10, 3, 2), _set("new", 5, 0), [_set("old", 8)]) == {}


def test_available_new_pods_replace_old_ones() -> None:
    assert plan_rolling(_deployment(10, 3, 2), _set("new", 5, 2), [_set("old", 8)]) == {"old": 6}


def test_unhealthy_old_pods_go_first_even_from_a_younger_set() -> None:
    old = [_set("v1", 5), _set("v2", 3, 0)]
    assert plan_rolling(_deployment(8, 2, 0), _set("new", 2, 2), old) == {"v2": 1}


def test_the_oldest_set_shrinks_first() -> None:
    old = [_set("v1", 2), _set("v2", 6)]
    assert plan_rolling(_deployment(8, 3, 0), _set("new", 3, 3), old) == {"v1": 0, "v2": 5}


def test_unhealthy_old_pods_are_removed_only_as_far_as_new_ones_can_come() -> None:
    assert plan_rolling(_deployment(4, 1, 1), _set("new", 2, 0), [_set("old", 3, 0)]) == {}


def test_available_pods_that_a_new_set_is_about_to_let_go_do_not_count() -> None:
    """It was an old one until a moment ago, and its status is that of before it was made smaller."""
    deployment = _deployment(5, "50%", "25%")
    planned = plan_rolling(deployment, _set("new", 3, available=4), [_set("old", 5, available=1)])
    assert planned == {"old": 1}


def test_a_finished_rollout_plans_nothing() -> None:
    assert plan_rolling(_deployment(3), _set("new", 3), [_set("old", 0)]) == {}


@given(
    wanted=st.integers(0, 12),
    surge=st.integers(0, 4) | st.sampled_from(["10%", "25%", "100%"]),
    unavailable=st.integers(0, 4) | st.sampled_from(["0%", "25%", "100%"]),
    data=st.data(),
)
def test_a_rollout_stays_within_its_bounds_and_ends(
    wanted: int, surge: int | str, unavailable: int | str, data: st.DataObject
) -> None:
    deployment = _deployment(wanted, surge, unavailable)
    posts = fenceposts_of(deployment)
    sizes, available = {"old": wanted, "new": 0}, {"old": wanted, "new": 0}
    for _ in range(200):
        new, old = (_set(name, sizes[name], available[name]) for name in ("new", "old"))
        planned = plan_rolling(deployment, new, [old])
        if not planned and available["new"] == sizes["new"]:
            break
        sizes.update(planned)
        available = {name: min(count, sizes[name]) for name, count in available.items()}
        assert sum(sizes.values()) <= wanted + posts.surge
        assert sum(available.values()) >= wanted - posts.unavailable
        if not planned:
            available["new"] += data.draw(st.integers(1, sizes["new"] - available["new"]))
    assert sizes == {"old": 0, "new": wanted}


def test_recreate_empties_every_old_set_before_anything_else() -> None:
    deployment = {"spec": {"replicas": 3, "strategy": {"type": "Recreate"}}}
    old = [_set("v1", 0), _set("v2", 3)]
    assert plan_recreate(deployment, None, old, 3) == {"v2": 0}
    assert plan_recreate(deployment, _set("new", 0), [_set("v2", 0)], 1) == {}
    assert plan_recreate(deployment, _set("new", 0), [_set("v2", 0)], 0) == {"new": 3}
    assert plan_recreate(deployment, _set("new", 3), [_set("v2", 0)], 0) == {}


def test_a_change_of_size_is_spread_in_proportion() -> None:
    sets = [_set("old", 8, maximum=13), _set("new", 5, maximum=13)]
    assert plan_scaling(_deployment(20, 3, 2), sets) == {"old": 14, "new": 9}
    assert plan_scaling(_deployment(5, 1, 1), sets) == {"old": 4, "new": 2}


def test_what_rounding_leaves_over_goes_to_the_largest() -> None:
    sets = [_set("v1", 3, maximum=9), _set("v2", 3, maximum=9), _set("v3", 3, maximum=9)]
    assert plan_scaling(_deployment(10, 0, 1), sets) == {"v3": 4, "v2": 3, "v1": 3}
    assert plan_scaling(_deployment(8, 0, 1), sets) == {"v1": 2, "v2": 3, "v3": 3}


def test_among_sets_of_one_size_the_newest_grows_and_the_oldest_shrinks() -> None:
    sets = [_set("old", 5, maximum=10), _set("new", 5, maximum=10)]
    assert plan_scaling(_deployment(11, 0, 1), sets) == {"old": 5, "new": 6}
    assert plan_scaling(_deployment(9, 0, 1), sets) == {"old": 4, "new": 5}


def test_the_larger_set_shrinks_first() -> None:
    sets = [_set("old", 2, maximum=13), _set("new", 11, maximum=13)]
    assert plan_scaling(_deployment(9, 3, 2), sets) == {"new": 10, "old": 2}


def test_a_set_without_the_annotation_is_measured_by_the_status() -> None:
    sets = [_set("old", 6), _set("new", 4)]
    deployment = _deployment(20, 0, 1, status={"replicas": 10})
    assert plan_scaling(deployment, sets) == {"old": 12, "new": 8}


def test_scaling_to_nothing_empties_every_set() -> None:
    sets = [_set("old", 8, maximum=13), _set("new", 5, maximum=13)]
    assert plan_scaling(_deployment(0), sets) == {"old": 0, "new": 0}


def test_the_plan_names_also_the_sets_that_keep_their_size() -> None:
    sets = [_set("old", 3, maximum=8), _set("new", 5, maximum=8)]
    assert plan_scaling(_deployment(7, 2, 0), sets) == {"old": 3, "new": 6}


@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=4),
    wanted=st.integers(0, 60),
    surge=st.integers(0, 5),
)
def test_a_change_of_size_is_spread_completely(sizes: list[int], wanted: int, surge: int) -> None:
    sets = [_set(f"v{number}", size, maximum=sum(sizes)) for number, size in enumerate(sizes)]
    planned = plan_scaling(_deployment(wanted, surge, 1), sets)
    allowed, total = (wanted + surge if wanted else 0), sum(planned.values())
    # Upstream takes what rounding leaves over from the largest set alone, which cannot give more than it has.
    assert total == allowed or (total > allowed and min(planned.values()) == 0)
    assert min(planned.values()) >= 0
