"""Pods that have ended are kept for a while, but not for ever."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.podgc import controller
from leeward.kube.objects import is_terminating


def ended(world: Any, name: str, **status: Any) -> None:
    world.set_status("pods", world.pod(name), phase="Failed", **status)


def test_evicted_pods_and_then_the_oldest_go_when_too_many_have_ended(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "MOST_ENDED", 2)
    world.run(controller.DESCRIPTOR)
    for name in ("first", "second"):
        ended(world, name)
        world.clock.advance(1)
    assert world.names("pods") == ["shop/first", "shop/second"]
    ended(world, "third")
    world.clock.advance(1)
    assert world.names("pods") == ["shop/second", "shop/third"]
    ended(world, "evicted", reason="Evicted")
    world.clock.advance(1)
    assert world.names("pods") == ["shop/second", "shop/third"]


def test_pods_of_a_node_out_of_service_are_removed_when_they_are_deleted(world: Any) -> None:
    node = world.node("node-a1", "a")
    world.pod("web", "node-a1")
    world.run(controller.DESCRIPTOR)
    world.client.delete("pods", "shop", "web")
    world.clock.advance(60)
    assert is_terminating(world.client.get("pods", "shop", "web"))
    world.set_status("nodes", node, conditions=[{"type": "Ready", "status": "Unknown"}])
    taint = {"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}
    live = world.client.get("nodes", "", "node-a1")
    world.client.update("nodes", {**live, "spec": {"taints": [taint]}})
    world.clock.advance(1)
    assert world.names("pods") == []


def test_a_pod_whose_node_is_there_is_not_looked_at(world: Any) -> None:
    world.node("node-a1", "a")
    built = controller.PodGCController(
        ControllerContext(client=world.client, clock=world.clock, ids=world.client.ids)
    )
    noted: list[Any] = []
    world.client.watch(["pods"], lambda event: noted.extend(built.keys_for(event)))
    world.pod("web", "node-a1")
    world.client.delete("pods", "shop", "web")
    assert noted == []
