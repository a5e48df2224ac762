"""What must hold however controllers, people and failures come together.

A few random histories of each kind run here. All of them, each a test of a hundred:
``LEEWARD_INTERLEAVINGS=10000 pytest -n auto tests/unit/interleavings``. A history is the same for the same
seed, which a failure names.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.interleavings.budgets import Evictions
from tests.unit.interleavings.chaos import History, chunks, name_of
from tests.unit.interleavings.drains import Drain
from tests.unit.interleavings.owners import Owners
from tests.unit.interleavings.rollouts import Rollout


def all_hold(seeds: range, make: Callable[[int], History]) -> None:
    for seed in seeds:
        try:
            make(seed).run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


@pytest.mark.parametrize("seeds", chunks(), ids=name_of)
def test_a_deployment_keeps_its_surge_and_its_availability(seeds: range) -> None:
    all_hold(seeds, Rollout)


@pytest.mark.parametrize("seeds", chunks(), ids=name_of)
def test_evictions_keep_to_budgets(seeds: range) -> None:
    all_hold(seeds, Evictions)


@pytest.mark.parametrize("seeds", chunks(), ids=name_of)
def test_what_has_no_owner_any_more_is_collected_and_nothing_else(seeds: range) -> None:
    all_hold(seeds, Owners)


@pytest.mark.parametrize("seeds", chunks(), ids=name_of)
def test_a_drained_node_ends_empty(seeds: range) -> None:
    all_hold(seeds, Drain)
