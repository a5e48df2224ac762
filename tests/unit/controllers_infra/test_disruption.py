"""How many Pods a budget lets go."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.disruption import controller, plan
from leeward.kube.objects import Obj, format_time, owner_reference


def budget(world: Any, **spec: Any) -> None:
    full = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    meta = {"name": "web", "namespace": "shop", "generation": 1}
    world.create(
        controller.BUDGETS,
        {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": full},
    )


def replicas(world: Any, count: int, *, ready: int) -> None:
    owner = world.create(
        "replicasets.apps",
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"replicas": count},
        },
    )
    for number in range(count):
        meta = {"ownerReferences": [owner_reference(owner)]}
        world.pod(f"web-{number}", ready=number < ready, metadata=meta)


def status(world: Any) -> tuple[int, int, int, int]:
    found: Obj = world.client.get(controller.BUDGETS, "shop", "web")["status"]
    return (
        found["currentHealthy"],
        found["desiredHealthy"],
        found["expectedPods"],
        found["disruptionsAllowed"],
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (3, 2, 4, 1)),
        ({"minAvailable": "50%"}, (3, 2, 4, 1)),
        ({"maxUnavailable": 1}, (3, 3, 4, 0)),
        ({"maxUnavailable": "30%"}, (3, 2, 4, 1)),
        ({"maxUnavailable": 0}, (3, 4, 4, 0)),
    ],
)
def test_counts_healthy_pods_against_what_is_wanted(
    world: Any, spec: dict[str, Any], expected: tuple[int, ...]
) -> None:
    replicas(world, 4, ready=3)
    budget(world, **spec)
    world.run(controller.DESCRIPTOR)
    assert status(world) == expected


def test_the_status_follows_pods_and_scale(world: Any) -> None:
    replicas(world, 3, ready=3)
    budget(world, maxUnavailable=1)
    world.run(controller.DESCRIPTOR)
    assert status(world) == (3, 2, 3, 1)
    pod = world.client.get("pods", "shop", "web-0")
    world.set_status("pods", pod, conditions=[{"type": "Ready", "status": "False"}])
    world.clock.advance(0)
    assert status(world) == (2, 2, 3, 0)
    found = world.client.get(controller.BUDGETS, "shop", "web")
    assert found["status"]["conditions"][0]["reason"] == "InsufficientPods"


def test_an_evicted_pod_counts_as_gone_until_it_is_given_up(world: Any) -> None:
    replicas(world, 3, ready=3)
    budget(world, minAvailable=1)
    world.run(controller.DESCRIPTOR)
    found = world.client.get(controller.BUDGETS, "shop", "web")
    world.set_status(controller.BUDGETS, found, disruptedPods={"web-0": format_time(world.clock.now())})
    world.clock.advance(1)
    assert status(world)[0] == 2
    world.clock.advance(120)
    assert status(world)[0] == 3
    assert "disruptedPods" not in world.client.get(controller.BUDGETS, "shop", "web")["status"]


def test_percentages_are_rounded_up() -> None:
    assert plan.scaled("30%", 4) == 2
