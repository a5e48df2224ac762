"""Values of the Pods that an object selects, and how often they are looked at."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.endpoint import controller as endpoint
from leeward.cluster.controllers.framework.controller import collected
from leeward.cluster.controllers.framework.selection import Selection
from leeward.cluster.controllers.framework.servicepods import selects
from leeward.kube.objects import Obj, ObjectKey

KEY = ObjectKey("shop", "web")


def service(**selector: str) -> Obj:
    meta = {"name": "web", "namespace": "shop", "uid": "1"}
    return {"metadata": meta, "spec": {"selector": selector or {"app": "web"}}}


@pytest.fixture
def viewed() -> list[str]:
    return []


@pytest.fixture
def selection(world: Any, viewed: list[str]) -> Selection[str]:
    def view(_: Obj, pod: Obj) -> str:
        viewed.append(pod["metadata"]["name"])
        return str(pod["status"]["podIP"])

    return Selection(world.client, selects, view)


def test_only_pods_that_changed_are_looked_at_again(
    world: Any, selection: Selection[str], viewed: list[str]
) -> None:
    pods = [world.pod(name) for name in ("one", "two", "three")]
    found = selection.of(KEY, service())
    assert found.values.keys() == {"one", "two", "three"}
    assert found.gone is None
    viewed.clear()
    world.set_status("pods", pods[0], podIP="10.9.9.9")
    selection.note(KEY, "one")
    found = selection.of(KEY, service())
    assert viewed == ["one"]
    assert found.values["one"] == "10.9.9.9"
    assert found.gone == []


def test_pods_that_are_gone_or_not_selected_any_more_have_no_value(
    world: Any, selection: Selection[str]
) -> None:
    kept, moved = world.pod("kept"), world.pod("moved")
    world.pod("deleted")
    selection.of(KEY, service())
    world.client.delete("pods", "shop", "deleted")
    world.client.update("pods", {**moved, "metadata": {**moved["metadata"], "labels": {}}})
    for name in ("deleted", "moved"):
        selection.note(KEY, name)
    found = selection.of(KEY, service())
    assert list(found.values) == [kept["metadata"]["name"]]
    assert sorted(found.gone or ()) == ["deleted", "moved"]


def test_everything_is_looked_at_when_the_selector_is_another(world: Any, selection: Selection[str]) -> None:
    world.pod("one")
    selection.of(KEY, service())
    assert selection.of(KEY, service(app="other")).values == {}


@pytest.mark.parametrize(("size", "seconds"), [(0, 0), (100, 0), (500, 0.5), (50_000, 2)])
def test_changes_of_many_are_collected_the_longer_the_more_there_are(size: int, seconds: float) -> None:
    assert collected(size, 1000, 0.0) == seconds
    assert collected(size, 1000, 0.25) == max(seconds - 0.25, 0)
    assert collected(size, 1000, 2.0) == 0


def test_the_first_change_of_many_is_told_at_once_and_what_follows_together(world: Any) -> None:
    pods = [world.pod(f"pod-{number}") for number in range(110)]
    wanted = service()
    wanted["spec"]["ports"] = [{"port": 80, "targetPort": 8080}]
    world.create("services", {**wanted, "kind": "Service", "apiVersion": "v1"})
    world.run(endpoint.DESCRIPTOR)

    def addresses() -> int:
        found = world.client.get("endpoints", "shop", "web")
        return sum(len(subset.get("addresses") or ()) for subset in found.get("subsets") or ())

    world.clock.advance(5)
    before = addresses()
    for gone, pod in enumerate(pods[:3], start=1):
        world.client.delete("pods", "shop", pod["metadata"]["name"])
        world.clock.advance(0)
        assert before - addresses() == 1, gone
    world.clock.advance(0.2)
    assert before - addresses() == 3
