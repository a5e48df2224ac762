"""Losing nodes and zones, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.nodelifecycle import controller, plan
from leeward.cluster.controllers.podgc import controller as podgc
from leeward.cluster.controllers.tainteviction import controller as tainteviction
from leeward.cluster.controllers.tainteviction import plan as taintplan
from leeward.kube.objects import Obj, find_condition, is_condition_true, is_terminating, key_of, parse_time
from leeward.kube.wellknown import NODE_POWER

TOLERATIONS = [
    {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
]


def taints(world: Any, name: str) -> set[tuple[str, str]]:
    node: Obj = world.client.get("nodes", "", name)
    return {(taint["key"].rpartition("/")[2], taint["effect"]) for taint in node["spec"].get("taints", ())}


def cluster(world: Any) -> list[str]:
    names = [f"node-{zone}{number}" for zone in "abc" for number in (1, 2)]
    for name in names:
        world.node(name, name[-2])
        world.renew(name)
    return names


def test_a_healthy_node_stays_ready_and_untainted(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    world.live(30, *names)
    assert all(is_condition_true(node, "Ready") for node in world.client.list("nodes"))
    assert all(not taints(world, name) for name in names)


def test_a_node_that_was_well_for_long_is_missed_too(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    world.live(30, *names)
    world.live(6, *names[1:])
    assert [name for name in names if taints(world, name)] == [names[0]]


def test_events_come_from_upstreams_component() -> None:
    assert controller.DESCRIPTOR.user == "system:controller:node-controller"


def test_a_silent_node_becomes_unknown_tainted_and_its_pods_leave_rotation(world: Any) -> None:
    names = cluster(world)
    pod = world.pod("web-1", "node-b1")
    world.run(controller.DESCRIPTOR)
    world.live(5, *(name for name in names if name != "node-b1"))
    ready = find_condition(world.client.get("nodes", "", "node-b1"), "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    assert taints(world, "node-b1") == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
    assert not is_condition_true(world.client.get("pods", *key_of(pod)), "Ready")
    assert ("NodeNotReady", "Node is not ready") in world.client.events


def test_a_node_that_returns_loses_its_taints(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    world.live(6, *names[1:])
    lost = world.client.get("nodes", "", names[0])
    world.renew(*names)
    conditions = [{**found, "status": "True"} for found in lost["status"]["conditions"]]
    world.set_status("nodes", lost, conditions=[c for c in conditions if c["type"] == "Ready"])
    world.live(1, *names)
    assert taints(world, names[0]) == set()


def test_the_nodes_of_a_lost_zone_are_evicted_one_after_another(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    alive = [name for name in names if "b" not in name]
    for name in alive:
        world.renew(name)
    world.live(3, *alive)
    world.renew(*alive)
    world.clock.advance(1.75)
    evicted = [name for name in ("node-b1", "node-b2") if ("unreachable", "NoExecute") in taints(world, name)]
    assert len(evicted) == 1
    assert ("unreachable", "NoSchedule") in taints(world, "node-b2")
    world.live(2, *alive)
    assert ("unreachable", "NoExecute") in taints(world, "node-b1")
    assert ("unreachable", "NoExecute") in taints(world, "node-b2")


def test_nothing_is_evicted_when_every_zone_is_lost_at_once(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    world.clock.advance(30)
    assert all(("unreachable", "NoSchedule") in taints(world, name) for name in names)
    assert all(("unreachable", "NoExecute") not in taints(world, name) for name in names)


def test_zone_states_follow_the_share_of_lost_nodes() -> None:
    assert plan.zone_state([True, False, False]) is plan.ZoneState.NORMAL
    assert plan.zone_state([True, True, False, False, False]) is plan.ZoneState.PARTIAL
    assert plan.zone_state([False, False]) is plan.ZoneState.FULL


def test_a_partially_disrupted_small_zone_is_not_evicted_and_a_large_one_slowly() -> None:
    assert plan.eviction_rate(plan.ZoneState.PARTIAL, 50, 0.1) == 0
    assert plan.eviction_rate(plan.ZoneState.PARTIAL, 51, 0.1) == pytest.approx(0.01)
    assert plan.eviction_rate(plan.ZoneState.FULL, 5, 0.1) == 0.1


def test_healthy_nodes_are_looked_at_once_a_grace_period(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR)
    looks: list[str] = []
    find = world.client.find

    def noted(kind: str, namespace: str, name: str) -> Obj | None:
        looks.append(kind)
        found: Obj | None = find(kind, namespace, name)
        return found

    world.client.find = noted
    world.live(40, *names)
    assert looks.count("nodes") <= len(names) * (40 / 3 + 1)  # the last renewal is up to a second old


def test_pods_of_a_node_without_power_are_deleted_after_their_toleration_and_removed_at_once(
    world: Any,
) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR, tainteviction.DESCRIPTOR, podgc.DESCRIPTOR)
    world.pod("db-0", "node-b1", tolerations=TOLERATIONS)
    world.annotate("nodes", world.client.get("nodes", "", "node-b1"), **{NODE_POWER: "off"})
    alive = [name for name in names if name != "node-b1"]
    world.live(6, *alive)
    assert world.names("pods") == ["shop/db-0"]
    world.live(3, *alive)
    assert world.names("pods") == []


def test_pods_of_an_unreachable_node_that_may_live_stay_terminating(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR, tainteviction.DESCRIPTOR, podgc.DESCRIPTOR)
    world.pod("db-0", "node-b1", tolerations=TOLERATIONS)
    world.live(10, *(name for name in names if name != "node-b1"))
    pod = world.client.get("pods", "shop", "db-0")
    assert is_terminating(pod)
    assert find_condition(pod, "DisruptionTarget") == {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint",
        "lastTransitionTime": find_condition(pod, "DisruptionTarget")["lastTransitionTime"],  # type: ignore[index]
    }


def test_a_pod_that_tolerates_for_ever_stays(world: Any) -> None:
    names = cluster(world)
    world.run(controller.DESCRIPTOR, tainteviction.DESCRIPTOR)
    world.pod("agent", "node-b1", tolerations=[{"operator": "Exists"}])
    world.live(60, *names[:2], *names[3:])
    assert not is_terminating(world.client.get("pods", "shop", "agent"))


def test_an_eviction_is_cancelled_when_the_taint_goes_in_time(world: Any) -> None:
    world.node("node-a1", "a")
    world.run(tainteviction.DESCRIPTOR)
    world.pod("web", "node-a1", tolerations=TOLERATIONS)
    node = world.client.get("nodes", "", "node-a1")
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}
    world.client.update("nodes", {**node, "spec": {"taints": [taint]}})
    world.clock.advance(2)
    world.client.update("nodes", {**world.client.get("nodes", "", "node-a1"), "spec": {}})
    world.clock.advance(10)
    assert not is_terminating(world.client.get("pods", "shop", "web"))
    assert ("TaintManagerEviction", "Cancelling deletion of Pod shop/web") in world.client.events


@pytest.mark.parametrize(("first", "stays"), [(0, True), (1, False)])
def test_of_several_tolerations_of_a_taint_the_first_counts(world: Any, first: int, stays: bool) -> None:
    either = [{"operator": "Exists"}, {"operator": "Exists", "key": "maint", "tolerationSeconds": 1}]
    node = world.node("node-a1", "a")
    world.client.update("nodes", {**node, "spec": {"taints": [{"key": "maint", "effect": "NoExecute"}]}})
    world.run(tainteviction.DESCRIPTOR)
    world.pod("web", "node-a1", tolerations=[either[first], either[1 - first]])
    world.clock.advance(5)
    assert is_terminating(world.client.get("pods", "shop", "web")) is not stays


def test_pods_of_a_deleted_node_are_removed_after_a_quarantine(world: Any) -> None:
    world.node("node-a1", "a")
    world.pod("web", "node-a1")
    world.run(podgc.DESCRIPTOR)
    world.client.delete("nodes", "", "node-a1")
    world.clock.advance(1)
    assert world.names("pods") == ["shop/web"]
    world.clock.advance(5)
    assert world.names("pods") == []


def test_a_node_that_has_not_reported_yet_is_not_evicted(world: Any) -> None:
    world.node("node-a1", "a")
    world.create("nodes", {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "node-new"}, "spec": {}})
    world.run(controller.DESCRIPTOR)
    world.live(2, "node-a1")
    assert taints(world, "node-new") == set()


def test_a_deleted_node_is_forgotten_with_an_event(world: Any) -> None:
    world.node("node-a1", "a")
    world.run(controller.DESCRIPTOR)
    world.client.delete("nodes", "", "node-a1")
    world.clock.advance(1)
    message = "Node node-a1 event: Removing Node node-a1 from Controller"
    assert ("RemovingNode", message) in world.client.events


def test_a_node_that_was_made_again_hides_no_lost_one(world: Any) -> None:
    names = ["node-a1", "node-b1", "node-c1"]
    for name in names:
        world.node(name, name[-2])
        world.renew(name)
    world.run(controller.DESCRIPTOR)
    world.clock.advance(3.7)  # the next deadlines are due before the new node was looked at
    world.client.delete("nodes", "", "node-c1")
    world.node("node-c1", "c")
    world.live(60, "node-c1")
    ready = [(find_condition(world.client.get("nodes", "", name), "Ready") or {})["status"] for name in names]
    assert ready == ["Unknown", "Unknown", "True"]


def test_a_pod_that_came_after_the_taint_is_tolerated_from_then_on() -> None:
    taint = {"key": "k", "effect": "NoExecute", "timeAdded": "2030-01-01T00:00:00Z"}
    toleration = {"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}
    condition = {"type": "PodScheduled", "status": "True", "lastTransitionTime": "2030-01-01T00:10:00Z"}
    pod = {"metadata": {}, "spec": {"tolerations": [toleration]}, "status": {"conditions": [condition]}}
    seen = parse_time("2030-01-01T00:00:00Z")
    assert taintplan.deadline(pod, [taint], seen) == parse_time("2030-01-01T00:11:00Z")
