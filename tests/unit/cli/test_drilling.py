"""Drills that verify a release: where they can be done, what they do, what is told when one fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from leeward.base.clock import Clock, VirtualClock
from leeward.base.errors import OperationError, UserInputError
from leeward.cli import drilling
from leeward.cli.drilling import ClusterDrills, DrillCheck, judge
from leeward.delivery.environments.environment import Environment
from leeward.delivery.environments.verifications import Verification
from leeward.delivery.promotion.httpcheck import Served
from leeward.delivery.promotion.verification import Attempt
from leeward.drill.report import Phase, Report
from leeward.drill.zone import ZoneDrill
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj
from leeward.kube.wellknown import NODE_POWER, ZONE

QA = Environment(name="qa", app="shop", namespace="shop-qa")
ZONES = ("local-a", "local-b", "local-c")


def node(zone: str, *, dark: bool = False) -> Obj:
    notes = {NODE_POWER: "off"} if dark else {}
    return {"metadata": {"name": f"node-{zone}", "labels": {ZONE: zone}, "annotations": notes}, "spec": {}}


def pod(name: str, zone: str) -> Obj:
    owner = {"kind": "ReplicaSet", "name": "web", "controller": True}
    return {
        "metadata": {"name": name, "ownerReferences": [owner]},
        "spec": {"nodeName": f"node-{zone}"},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }


class World:
    """A cluster, and whether the caller may take power from its nodes."""

    access = SimpleNamespace(server="https://127.0.0.1:6443")

    def __init__(self, nodes: Sequence[Obj], pods: Sequence[Obj] = (), *, allowed: bool = True) -> None:
        self.objects = {"nodes": nodes, "pods": pods}
        self.allowed = allowed
        self.asked: list[Obj] = []

    async def list(self, resource: str, namespace: str = "") -> list[Obj]:
        return list(self.objects[resource])

    async def create(self, resource: str, obj: Obj) -> Obj:
        assert resource == "selfsubjectaccessreviews.authorization.k8s.io"
        self.asked.append(obj["spec"]["resourceAttributes"])
        return {"status": {"allowed": self.allowed}}


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Let the cluster be one of this machine; returns what is recorded of it."""
    record = {"runtime": "process", "ingressPort": 8080}
    found = SimpleNamespace(load=lambda: record)
    monkeypatch.setattr(drilling, "_state_of", lambda server: found if server.endswith(":6443") else None)
    return record


def check(world: World, served: Served | None = None, **wanted: Any) -> DrillCheck:
    drills = ClusterDrills(cast(KubeClient, world))
    return drills.check(Verification(drill="zone", **{"timeout": 20.0, **wanted}), QA, served)


def against(world: World, **wanted: Any) -> str:
    found = asyncio.run(check(world, **wanted).obstacle(world))
    return f"{found.message} | {found.remedy}" if found else ""


def test_a_zone_of_leewards_own_cluster_can_be_lost(state: dict[str, Any]) -> None:
    world = World([node(zone) for zone in ZONES])
    assert against(world, zone="b") == ""
    assert world.asked == [{"verb": "patch", "resource": "nodes"}]


def test_another_cluster_cannot_lose_one_and_a_simulated_one_answers_nothing(state: dict[str, Any]) -> None:
    world = World([node(zone) for zone in ZONES])
    state["runtime"] = "simulated"
    assert "nothing answers requests on a simulated cluster" in against(world)
    world.access = SimpleNamespace(server="https://eks.example.com")
    assert "only to a cluster of leeward's on this machine" in against(world)
    assert "leeward env apply" in against(world)


@pytest.mark.parametrize(
    ("world", "told"),
    [
        (World([node("local-a"), node("local-b")], allowed=False), "you may not take power from nodes"),
        (World([node("local-b")]), "the cluster has only one zone"),
        (World([node("local-a"), node("local-c")]), "there is no zone 'b' | The zones are local-a, local-c."),
        (
            World([node("local-a", dark=True), node("local-b")]),
            f"node-local-a of zone local-a is without power already | `kubectl annotate node node-local-a "
            f"{NODE_POWER}-` brings it back.",
        ),
    ],
)
def test_everything_else_against_it_is_told_before_anything_is_applied(
    world: World, told: str, state: dict[str, Any]
) -> None:
    assert told in against(world, zone="b")


def test_only_what_a_drill_can_request_is_taken() -> None:
    with pytest.raises(UserInputError, match="https://shop/"):
        check(World([]), http="https://shop/")
    assert (
        check(World([]), http="http://shop/").title
        == "drill: a zone is lost under GET http://shop/ (50 requests/s)"
    )


def report(*problems: str) -> Report:
    phases = {name: Phase(0, None, None) for name in ("before", "during", "after")}
    return Report(
        zone="local-b", mode="power", requests=100, failures={}, phases=phases, left_rotation=1.0,
        replaced=2.0, pods={"before": {}, "during": {}, "after": {}}, zones_left={}, problems=problems,
        findings=("web was in zone a only",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("served", "wanted", "zone", "url"),
    [
        (Served("web", 80), {"http": "/h?x=1"}, "local-b", "http://web.shop-qa.localhost:8080/h?x=1"),
        (Served("web", 80), {"zone": "c"}, "c", "http://web.shop-qa.localhost:8080/"),
        (None, {"http": "http://shop.localhost:8080/h"}, "local-b", "http://shop.localhost:8080/h"),
        (None, {}, "local-b", "http://front.door/"),
    ],
)
def test_the_zone_with_most_pods_is_lost_under_load_on_what_is_named(
    served: Served | None,
    wanted: dict[str, Any],
    zone: str,
    url: str,
    state: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans: list[ZoneDrill] = []

    async def drill(api: object, plan: ZoneDrill, clock: Clock, show: object) -> Report:
        plans.append(plan)
        return report()

    async def front_door(api: object, namespace: str, port: int) -> str:
        return "http://front.door/"

    monkeypatch.setattr(drilling, "run_zone_drill", drill)
    monkeypatch.setattr(drilling, "find_front_door", front_door)
    monkeypatch.setattr(drilling, "end_on_sigterm", lambda: None)
    pods = [pod("1", "local-a"), pod("2", "local-b"), pod("3", "local-b"), pod("4", "local-c")]
    world, shown = World([node(each) for each in ZONES], pods), list[str]()
    attempt = Attempt(
        api=cast(Any, world), clock=VirtualClock(), namespace="shop-qa", project="shop", name="qa-00001",
        show=shown.append,
    )  # fmt: skip
    asyncio.run(check(world, served, **wanted).verify(attempt))
    (plan,) = plans
    assert (plan.zone, plan.url, plan.mode, plan.namespace) == (zone, url, "power", "shop-qa")
    assert (plan.rate, plan.duration, plan.cut, round(plan.back, 2)) == (50.0, 20.0, 5.0, 13.33)
    assert shown == ["drill passed: 100 requests, none failed, while local-b was lost"]


def test_a_drill_that_failed_is_told_with_its_report() -> None:
    judge(report(), "drill")
    with pytest.raises(OperationError) as caught:
        judge(report("3 GET requests failed; none may"), "drill: zone b is lost")
    first, *more = str(caught.value).splitlines()
    assert first == "drill: zone b is lost failed: 3 GET requests failed; none may"
    assert any("web was in zone a only" in line for line in more)
    assert not any("problem" in line for line in more)
