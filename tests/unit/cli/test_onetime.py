"""Running a service once: what becomes of it when connections are lost, and what is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import OperationError
from leeward.cli import onetime
from leeward.cli.room import Room
from leeward.delivery.oneoff import OneOff
from leeward.delivery.services import Service
from leeward.kube.http import UnreachableError
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError
from tests.unit.delivery.memory import Memory

WEB = Service(
    "web",
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop-qa", "labels": {"app.kubernetes.io/part-of": "shop"}},
        "spec": {"template": {"metadata": {}, "spec": {"containers": [{"name": "web", "image": "web"}]}}},
    },
    "web",
)
JOB = ("jobs.batch", "shop-qa", "web-run-x")
WANTED = OneOff(name="web-run-x", command=("migrate",))
Lines = Callable[[bool], AsyncIterator[str]]  # whether they are followed → the lines


class Cluster(Memory):
    """Starts what is created at once; `lines` has the log, `code` the exit code as soon as there is one."""

    def __init__(self, lines: Lines) -> None:
        super().__init__()
        self.lines = lines
        self.code: int | None = None

    async def list(self, resource: str, namespace: str = "", *, label_selector: str = "") -> list[Obj]:
        if resource != "pods" or JOB not in self.objects:
            return await super().list(resource, namespace, label_selector=label_selector)
        await self._turn("list", resource, "")
        state = {"running": {}} if self.code is None else {"terminated": {"exitCode": self.code}}
        status = {"phase": "Running", "containerStatuses": [{"name": "web", "state": state}]}
        return [{"metadata": {"name": "web-run-x-1", "namespace": "shop-qa"}, "spec": {}, "status": status}]

    async def logs(self, namespace: str, pod: str, *, container: str, follow: bool) -> AsyncIterator[str]:
        async for line in self.lines(follow):
            yield line


def run(cluster: Cluster, wanted: OneOff = WANTED, seconds: float = 300.0) -> int:
    """Run it, with time passing as fast as it can."""

    async def work() -> int:
        clock = VirtualClock()
        room = Room(cast("Any", cluster), "qa", "shop-qa", {"web": WEB})
        running = asyncio.ensure_future(onetime.run_once(room, WEB, wanted, clock=clock))
        while not running.done() and clock.monotonic() < seconds:
            for _ in range(20):
                await asyncio.sleep(0)
            clock.advance(0.1)
        if not running.done():
            running.cancel()
        return await running

    return asyncio.run(work())


def test_a_log_that_is_lost_is_followed_again_and_nothing_is_told_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked: list[bool] = []

    async def lines(follow: bool) -> AsyncIterator[str]:
        asked.append(follow)
        yield "one"
        if len(asked) == 1:
            raise UnreachableError("reset by peer")
        yield "two"
        cluster.code = 7

    cluster = Cluster(lines)
    assert run(cluster) == 7
    assert capsys.readouterr().out == "one\ntwo\n"
    assert asked == [True, True]
    assert JOB not in cluster.objects


def test_a_log_of_which_nothing_comes_any_more_does_not_hide_the_end(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        yield "one"
        if follow:
            cluster.code = 0
            await asyncio.Event().wait()
        yield "two"

    cluster = Cluster(lines)
    assert run(cluster) == 0
    assert capsys.readouterr().out == "one\ntwo\n"


def test_a_cluster_that_cannot_be_reached_for_a_moment_ends_no_program() -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        yield "one"

    cluster, refused = Cluster(lines), 0

    def refuse(verb: str, resource: str, name: str) -> None:
        nonlocal refused
        if (verb, resource) == ("list", "pods") and JOB in cluster.objects and refused < 5:
            refused += 1
            raise UnreachableError("nobody answers")
        cluster.code = 0

    cluster.before = refuse
    assert run(cluster) == 0
    assert refused == 5


def test_a_cluster_that_is_gone_for_long_leaves_the_program_and_tells_its_name() -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        yield "one"
        cluster.before = refuse

    def refuse(verb: str, resource: str, name: str) -> None:
        raise UnreachableError("nobody answers")

    cluster = Cluster(lines)
    with pytest.raises(OperationError, match="web-run-x goes on without being watched") as caught:
        run(cluster)
    assert caught.value.remedy == "kubectl logs -f job/web-run-x -n shop-qa"
    assert JOB in cluster.objects
    assert ("delete", JOB[0], JOB[2]) not in cluster.calls


def test_whoever_interrupts_it_ends_the_program() -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        yield "one"
        await asyncio.Event().wait()

    cluster = Cluster(lines)
    with pytest.raises(asyncio.CancelledError):
        run(cluster, seconds=5.0)
    assert JOB not in cluster.objects


def test_what_the_cluster_refuses_leaves_nothing_behind() -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        raise ForbiddenError("no logs for you")
        yield ""

    cluster = Cluster(lines)
    with pytest.raises(ForbiddenError):
        run(cluster)
    assert JOB not in cluster.objects


@pytest.mark.parametrize("lost", [True, False])
def test_input_that_was_cut_off_is_never_taken_for_its_end(
    lost: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lines(follow: bool) -> AsyncIterator[str]:
        yield "one"
        cluster.code = 0

    async def talk(*arguments: Any, **more: Any) -> int:
        if lost:
            raise UnreachableError("reset by peer")
        return 0

    async def allow(room: Room, verb: str, resource: str) -> None:
        return

    monkeypatch.setattr(onetime, "talk", talk)
    monkeypatch.setattr(Room, "require", allow)
    cluster, wanted = Cluster(lines), OneOff(name=WANTED.name, stdin=True)
    if not lost:
        assert run(cluster, wanted) == 0
        return
    with pytest.raises(OperationError, match="the connection for input of web was lost; it ended with 0"):
        run(cluster, wanted)
