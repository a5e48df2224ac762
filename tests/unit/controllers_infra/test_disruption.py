"""How many Pods a budget lets go."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.disruption import controller, plan
from leeward.kube.objects import Obj, format_time, is_condition_true, owner_reference
from leeward.kube.resources import CRDS


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


def events(world: Any, reason: str) -> list[str]:
    return [message for told, message in world.client.events if told == reason]


def test_a_budget_without_pods_says_so(world: Any) -> None:
    budget(world, minAvailable=1)
    world.run(controller.DESCRIPTOR)
    assert status(world) == (0, 1, 0, 0)
    assert events(world, "NoPods")[0] == "No matching pods found"


def test_pods_that_nothing_controls_are_told_where_they_cannot_be_counted(world: Any) -> None:
    world.pod("alone")
    budget(world, maxUnavailable=1)
    world.run(controller.DESCRIPTOR)
    assert status(world) == (1, 0, 0, 0)
    labels = "MatchLabels:map[string]string{app: web,}"
    selector = f"&LabelSelector{{{labels},MatchExpressions:[]LabelSelectorRequirement{{}},}}"
    assert f"(selector: {selector}) were found to be unmanaged" in events(world, "UnmanagedPods")[0]


def test_a_budget_of_pods_that_cannot_be_scaled_lets_nobody_go_and_says_why(world: Any) -> None:
    meta = {"name": "agents", "namespace": "shop"}
    owner = world.create("daemonsets.apps", {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": meta})
    world.pod("agent-1", metadata={"ownerReferences": [owner_reference(owner)]})
    budget(world, maxUnavailable=1)
    world.run(controller.DESCRIPTOR)
    found = world.client.get(controller.BUDGETS, "shop", "web")["status"]
    assert found["disruptionsAllowed"] == 0
    condition = found["conditions"][0]
    problem = "daemonsets.apps does not implement the scale subresource"
    assert (condition["reason"], condition["message"]) == ("SyncFailed", problem)
    message = f"Failed to calculate the number of expected pods: {problem}"
    assert set(events(world, "CalculateExpectedPodCountFailed")) == {message}


def test_a_pod_whose_controller_is_gone_is_told(world: Any) -> None:
    replicas(world, 1, ready=1)
    world.client.delete("replicasets.apps", "shop", "web")
    budget(world, minAvailable="50%")
    world.run(controller.DESCRIPTOR)
    condition = world.client.get(controller.BUDGETS, "shop", "web")["status"]["conditions"][0]
    assert condition["message"] == 'found no controllers for pod "web-0"'


def test_a_pod_of_several_budgets_is_told(world: Any) -> None:
    replicas(world, 1, ready=1)
    budget(world, minAvailable=1)
    old = world.client.get(controller.BUDGETS, "shop", "web")
    meta = {"name": "other", "namespace": "shop", "generation": 1}
    world.create(controller.BUDGETS, {**old, "metadata": meta})
    world.run(controller.DESCRIPTOR)
    message = 'Pod "shop"/"web-0" matches multiple PodDisruptionBudgets.  Chose "other" arbitrarily.'
    assert events(world, "MultiplePodDisruptionBudgets") == [message]


def test_what_says_that_a_pod_is_disrupted_is_taken_back_when_it_is_still_there(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    pod = world.pod("web-0", "node-a1")
    since = format_time(world.clock.now())
    target = {"type": "DisruptionTarget", "status": "True", "reason": "X", "lastTransitionTime": since}
    world.set_status("pods", pod, conditions=[target])
    world.clock.advance(119)
    assert is_condition_true(world.client.get("pods", "shop", "web-0"), "DisruptionTarget")
    world.clock.advance(2)
    assert not is_condition_true(world.client.get("pods", "shop", "web-0"), "DisruptionTarget")


def test_an_eviction_that_did_not_come_is_told(world: Any) -> None:
    replicas(world, 2, ready=2)
    budget(world, minAvailable=1)
    world.run(controller.DESCRIPTOR)
    found = world.client.get(controller.BUDGETS, "shop", "web")
    world.set_status(controller.BUDGETS, found, disruptedPods={"web-0": format_time(world.clock.now())})
    world.clock.advance(121)
    assert events(world, "NotDeleted") == ["Pod was expected by PDB shop/shop to be deleted but it wasn't"]


def test_a_scale_of_a_custom_resource_counts(world: Any) -> None:
    version = {
        "name": "v1",
        "storage": True,
        "subresources": {"scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"}},
    }
    names = {"plural": "rings", "kind": "Ring"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    world.create(CRDS, {"metadata": {"name": "rings.example.com"}, "spec": spec})
    meta = {"name": "web", "namespace": "shop"}
    owner = world.create(
        "rings.example.com",
        {"apiVersion": "example.com/v1", "kind": "Ring", "metadata": meta, "spec": {"size": 5}},
    )
    world.pod("web-0", metadata={"ownerReferences": [owner_reference(owner)]})
    budget(world, maxUnavailable="40%")
    world.run(controller.DESCRIPTOR)
    assert status(world) == (1, 3, 5, 0)


def test_percentages_are_rounded_up() -> None:
    assert plan.scaled("30%", 4) == 2
