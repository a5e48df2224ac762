"""How long kubelets may keep what they have read."""

from __future__ import annotations

import pytest

from leeward.cluster.controllers.ttl.controller import seconds_of, step_for


@pytest.mark.parametrize(("nodes", "seconds"), [(1, 0), (100, 0), (101, 15), (1000, 30), (5000, 300)])
def test_a_cluster_that_grows_keeps_what_was_read_for_longer(nodes: int, seconds: int) -> None:
    assert seconds_of(step_for(nodes, 0)) == seconds


def test_a_cluster_that_shrinks_a_little_stays_as_it_is() -> None:
    step = step_for(101, 0)
    assert step_for(95, step) == step
    assert step_for(89, step) == 0
