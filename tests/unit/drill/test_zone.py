"""What a drill does to a cluster, and that it always undoes it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.cli.commands.drill import only_project
from leeward.drill import load, zone
from leeward.drill.report import Report
from leeward.drill.request import Answer, RequestKind
from leeward.drill.zone import ZoneDrill, run_zone_drill
from leeward.kube.client import KubeClient
from leeward.kube.objects import Obj
from leeward.kube.wellknown import NODE_POWER, ZONE

POWER = {"metadata": {"annotations": {NODE_POWER: "off"}}}


def node(name: str, **spec: Any) -> Obj:
    return {"metadata": {"name": name, "labels": {ZONE: f"local-{name[-1]}"}}, "spec": spec}


def pod(name: str, where: str, *, ready: bool = True) -> Obj:
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "ownerReferences": [{"kind": "StatefulSet", "name": "web", "controller": True}],
        },
        "spec": {"nodeName": where},
        "status": {"conditions": [{"type": "Ready", "status": str(ready)}]},
    }


class World:
    """A cluster that never changes, and what was asked of it."""

    def __init__(self, nodes: list[Obj], pods: list[Obj]) -> None:
        self.objects = {"nodes": nodes, "pods": pods}
        self.patches: list[tuple[str, Obj]] = []
        self.broken: set[str] = set()  # what fails

    async def list(self, resource: str, namespace: str = "") -> list[Obj]:
        if resource in self.broken:
            raise OperationError("the server cannot be reached")
        return self.objects.get(resource, [])

    async def patch(self, resource: str, namespace: str, name: str, patch: Obj, *, patch_type: str) -> None:
        self.patches.append((name, patch))
        if "patch" in self.broken and len(self.patches) > 1:
            raise OperationError("the server cannot be reached")

    async def request(self, method: str, path: str, *, body: Obj) -> None:
        self.patches.append((path, {}))


NODES = [node("n-a"), node("n-b"), node("n-c")]
PODS = [pod("web-0", "n-a"), pod("web-1", "n-b"), pod("web-2", "n-c")]
PLAN = ZoneDrill(
    zone="b",
    namespace="shop",
    url="http://web.localhost",
    kinds=[RequestKind("GET", "/")],
    rate=5,
    duration=30,
)


class Rehearsal:
    """Runs a drill in virtual time."""

    def __init__(self, world: World, monkeypatch: pytest.MonkeyPatch, answer: Answer | None = None) -> None:
        self.world = world
        self.said: list[str] = []
        self._answer = answer or Answer(200)
        for module in (zone, load):
            monkeypatch.setattr(module, "ask", self._ask)

    async def _ask(self, door: object, kind: object) -> Answer:
        return self._answer

    def run(
        self, *, stop_at: float = 1e9, mode: str = "power", at: Callable[[float], None] | None = None
    ) -> Report:
        async def body() -> Report:
            clock = VirtualClock()
            plan = ZoneDrill(**{name: getattr(PLAN, name) for name in PLAN.__slots__} | {"mode": mode})
            task = asyncio.ensure_future(
                run_zone_drill(cast(KubeClient, self.world), plan, clock, self.said.append)
            )
            while not task.done():
                for _ in range(20):
                    await asyncio.sleep(0)
                clock.advance(0.05)
                if at is not None:
                    at(clock.monotonic())
                if clock.monotonic() >= stop_at:
                    task.cancel()
                    stop_at_once = asyncio.gather(task, return_exceptions=True)
                    await stop_at_once
            return task.result()

        return asyncio.run(body())


def test_a_zone_is_lost_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Rehearsal(World(NODES, PODS), monkeypatch)

    report = rehearsal.run()

    assert report.zones_left == {"web": 2}
    assert report.requests == 150
    assert rehearsal.world.patches == [
        ("n-b", POWER),
        ("n-b", {"metadata": {"annotations": {NODE_POWER: None}}}),
    ]
    assert rehearsal.said == [
        "5 requests/s to http://web.localhost",
        "cutting zone local-b (n-b)",
        "bringing zone local-b back",
    ]


@pytest.mark.parametrize(
    ("stop_at", "said", "patches"),
    [(3.0, "stopped; zone local-b was not cut", 0), (10.0, "stopped; zone local-b is back", 2)],
)
def test_a_drill_that_is_stopped_brings_the_zone_back(
    monkeypatch: pytest.MonkeyPatch, stop_at: float, said: str, patches: int
) -> None:
    rehearsal = Rehearsal(World(NODES, PODS), monkeypatch)

    with pytest.raises(asyncio.CancelledError):
        rehearsal.run(stop_at=stop_at)

    assert rehearsal.said[-1] == said
    assert len(rehearsal.world.patches) == patches


@pytest.mark.parametrize(
    ("nodes", "pods", "answer", "message"),
    [
        (
            NODES,
            PODS,
            Answer(404, "status 404", "no service is published"),
            r"GET .* failed: status 404 \(no serv",
        ),
        (NODES, PODS, Answer(failure="timeout"), "before anything was cut, GET http://web.localhost/ failed"),
        (NODES, [], Answer(200), "nothing of shop is ready"),
        (NODES, [pod("web-0", "n-a", ready=False)], Answer(200), "nothing of shop is ready"),
        ([node("n-b")], PODS, Answer(200), "only one zone"),
        ([node("n-a")], PODS, Answer(200), "no zone 'b'"),
        (
            [node("n-a"), {**node("n-b"), "metadata": {**node("n-b")["metadata"], **POWER["metadata"]}}],
            PODS,
            Answer(200),
            "without power already",
        ),
    ],
)
def test_what_would_prove_nothing_is_refused_before_anything_is_cut(
    monkeypatch: pytest.MonkeyPatch, nodes: list[Obj], pods: list[Obj], answer: Answer, message: str
) -> None:
    rehearsal = Rehearsal(World(nodes, pods), monkeypatch, answer)

    with pytest.raises(LeewardError, match=message) as caught:
        rehearsal.run()

    assert rehearsal.world.patches == []
    assert getattr(caught.value, "remedy", "")


def test_a_drain_leaves_alone_what_was_cordoned_before(monkeypatch: pytest.MonkeyPatch) -> None:
    cordoned = {**node("n2-b", unschedulable=True)}
    rehearsal = Rehearsal(World([*NODES, cordoned], PODS), monkeypatch)

    rehearsal.run(mode="drain")

    eviction = "/api/v1/namespaces/shop/pods/web-1/eviction"
    assert [name for name, _ in rehearsal.world.patches] == ["n-b", eviction, "n-b"]


def test_a_zone_that_cannot_be_brought_back_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(NODES, PODS)
    world.broken.add("patch")

    with pytest.raises(OperationError, match="could not be brought back") as caught:
        Rehearsal(world, monkeypatch).run()

    assert caught.value.remedy == f"`kubectl annotate node n-b {NODE_POWER}-` brings it back."


def test_looks_that_fail_are_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(NODES, PODS)

    def go_blind(now: float) -> None:
        world.broken = {"pods"} if 10 < now < 18 else set()

    report = Rehearsal(world, monkeypatch).run(at=go_blind)

    assert "the cluster was not observed for 8" in report.problems[0]


def test_the_only_project_is_meant() -> None:
    assert only_project({"shop": {"web"}}) == "shop"
    with pytest.raises(UserInputError, match="several projects are on this cluster: blog, shop"):
        only_project({"shop": {"web"}, "blog": {"web"}})
    with pytest.raises(OperationError, match="no project is on this cluster"):
        only_project({})
