"""In which order containers end, and how long each one has."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from ipaddress import IPv4Network
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.runtime import ExecResult, RuntimeFailureError
from leeward.cluster.kubelet.records import Record
from leeward.cluster.kubelet.termination import run_hook, shut_down
from leeward.kube.objects import Obj
from tests.unit.kubelet.stateruntime import StateRuntime


class _Slow(StateRuntime):
    """A runtime whose containers take some seconds to obey, and that notes what it is asked."""

    def __init__(self, clock: VirtualClock, **seconds: float) -> None:
        super().__init__(clock, SeededIds(1), IPv4Network("10.0.0.0/24"))
        self._seconds = seconds
        self.log: list[tuple[float, str]] = []
        self.answer = ExecResult(0, b"", b"")

    def _note(self, text: str) -> None:
        self.log.append((round(self._clock.monotonic(), 2), text))

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        self._note(f"stop {container_id} within {grace_seconds:g}")
        await self._clock.sleep(min(self._seconds.get(container_id, 0), grace_seconds))
        self._note(f"{container_id} ended")

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        self._note(f"exec {' '.join(command)} in {container_id}")
        if command == ["missing"]:
            raise RuntimeFailureError("no such command")
        return self.answer


def _play(clock: VirtualClock, work: Coroutine[Any, Any, Any]) -> Any:
    """Run `work` to its end, moving the clock whenever everything waits for it."""

    async def whole() -> Any:
        task = asyncio.ensure_future(work)
        while not task.done():
            for _ in range(8):
                await asyncio.sleep(0)
            deadline = clock.next_deadline()
            if deadline is not None and not task.done():
                clock.advance(deadline - clock.monotonic())
        return task.result()

    return asyncio.run(whole())


def _stop(
    runtime: _Slow, clock: VirtualClock, pod: Obj, *names: str, grace: float = 30, hooks: bool = True
) -> list[tuple[float, str]]:
    """Shut the containers `names` of a Pod down; returns what happened when."""
    specs = {c["name"]: c for c in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]}
    running = [Record(name, "image", container_id=name, phase="running") for name in names]
    work = shut_down(runtime, clock, pod, running, specs.__getitem__, "10.0.0.7", grace=grace, hooks=hooks)
    _play(clock, work)
    return runtime.log


def _pod(*mains: Obj, init: list[Obj] | None = None) -> Obj:
    return {"metadata": {"name": "web"}, "spec": {"containers": list(mains), "initContainers": init or []}}


def _sleeping(name: str, seconds: int) -> Obj:
    return {"name": name, "lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}


def test_ordinary_containers_end_together() -> None:
    clock = VirtualClock()
    log = _stop(_Slow(clock, a=5, b=2), clock, _pod({"name": "a"}, {"name": "b"}), "a", "b")
    assert log == [(0, "stop a within 30"), (0, "stop b within 30"), (2, "b ended"), (5, "a ended")]


def test_sidecars_end_after_the_others_and_last_first() -> None:
    clock = VirtualClock()
    sidecars = [{"name": "proxy", "restartPolicy": "Always"}, {"name": "logs", "restartPolicy": "Always"}]
    runtime = _Slow(clock, a=5, proxy=1, logs=2)
    log = _stop(runtime, clock, _pod({"name": "a"}, init=sidecars), "proxy", "logs", "a")
    assert log == [
        (0, "stop a within 30"),
        (5, "a ended"),
        (5, "stop logs within 25"),
        (7, "logs ended"),
        (7, "stop proxy within 23"),
        (8, "proxy ended"),
    ]


def test_the_grace_period_is_for_all_of_them_together() -> None:
    clock = VirtualClock()
    sidecars = [{"name": "proxy", "restartPolicy": "Always"}]
    runtime = _Slow(clock, a=60, proxy=60)
    log = _stop(runtime, clock, _pod({"name": "a"}, init=sidecars), "proxy", "a", grace=10)
    assert log[-2:] == [(10, "stop proxy within 2"), (12, "proxy ended")]


def test_a_hook_comes_first_and_uses_up_part_of_the_grace_period() -> None:
    clock = VirtualClock()
    log = _stop(_Slow(clock), clock, _pod(_sleeping("a", 4)), "a")
    assert log == [(4, "stop a within 26"), (4, "a ended")]


def test_two_seconds_are_left_after_a_hook_that_used_everything_up() -> None:
    clock = VirtualClock()
    log = _stop(_Slow(clock), clock, _pod(_sleeping("a", 10)), "a", grace=10)
    assert log[0] == (10, "stop a within 2")


def test_without_a_grace_period_containers_are_killed_without_a_hook() -> None:
    clock = VirtualClock()
    log = _stop(_Slow(clock, a=5), clock, _pod(_sleeping("a", 4)), "a", grace=0)
    assert log == [(0, "stop a within 0"), (0, "a ended")]


def test_hooks_that_have_run_are_not_run_again() -> None:
    clock = VirtualClock()
    assert _stop(_Slow(clock), clock, _pod(_sleeping("a", 4)), "a", hooks=False)[0] == (0, "stop a within 30")


def test_a_command_hook_runs_in_its_container_and_a_failure_changes_nothing() -> None:
    clock = VirtualClock()
    hook = {"preStop": {"exec": {"command": ["drain", "now"]}}}
    runtime = _Slow(clock)
    runtime.answer = ExecResult(1, b"", b"no")
    log = _stop(runtime, clock, _pod({"name": "a", "lifecycle": hook}), "a")
    assert [text for _, text in log] == ["exec drain now in a", "stop a within 30", "a ended"]


def test_containers_that_do_not_run_are_left_alone() -> None:
    clock = VirtualClock()
    sidecars = [{"name": "proxy", "restartPolicy": "Always"}]
    assert _stop(_Slow(clock), clock, _pod({"name": "a"}, init=sidecars)) == []


@pytest.mark.parametrize(
    ("hook", "answer", "problem"),
    [
        ({"exec": {"command": ["ok"]}}, ExecResult(0, b"", b""), ""),
        ({"exec": {"command": ["bad"]}}, ExecResult(3, b"", b"why"), "hook ended with exit code 3: why"),
        ({"exec": {"command": ["missing"]}}, ExecResult(0, b"", b""), "no such command"),
        ({"sleep": {"seconds": 9}}, ExecResult(0, b"", b""), ""),
        ({"httpGet": {"port": "none"}}, ExecResult(0, b"", b""), "couldn't find port: 'none'"),
    ],
)
def test_a_hook_says_what_went_wrong(hook: Obj, answer: ExecResult, problem: str) -> None:
    clock = VirtualClock()
    runtime = _Slow(clock)
    runtime.answer = answer
    assert _play(clock, run_hook(runtime, "a", {"name": "a"}, hook, "10.0.0.7", clock)) == problem
