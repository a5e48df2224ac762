"""When probes run, and when they change their mind."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Network
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.runtime import ExecResult, RuntimeFailureError
from leeward.cluster.kubelet.prober import Prober
from leeward.kube.objects import Obj
from tests.unit.kubelet.stateruntime import StateRuntime


class _Answers(StateRuntime):
    """A runtime whose commands end as the test says."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__(clock, SeededIds(1), IPv4Network("10.0.0.0/24"))
        self.failing: set[str] = set()  # commands that fail
        self.broken = False
        self.asked: list[tuple[float, str]] = []  # (time, command)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        self.asked.append((round(self._clock.monotonic(), 2), command[0]))
        if self.broken:
            raise RuntimeFailureError("no such container")
        failed = command[0] in self.failing
        return ExecResult(int(failed), b"", b"not yet\n" if failed else b"")


class _Bench:
    """One container's probes in virtual time; command names are kinds of probes."""

    def __init__(self, failing: str = "", env: Sequence[Obj] = (), **probes: Obj) -> None:
        self.clock = VirtualClock()
        self.runtime = _Answers(self.clock)
        self.runtime.failing = set(failing.split())
        self.results: list[tuple[float, str, bool]] = []
        self.failures: list[tuple[float, str, str]] = []
        container: Obj = {f"{k}Probe": {"exec": {"command": [k]}, **probe} for k, probe in probes.items()}
        container["env"] = list(env)
        self.prober = Prober(
            clock=self.clock,
            runtime=self.runtime,
            container_id="sim://1",
            container=container,
            pod_ip="10.0.0.7",
            on_result=lambda kind, passed, text: self.results.append((self._now(), kind, passed)),
            on_failure=lambda kind, text: self.failures.append((self._now(), kind, text)),
        )

    def _now(self) -> float:
        return round(self.clock.monotonic(), 2)

    async def __aenter__(self) -> _Bench:
        self.prober.start()
        await self.wait(0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.prober.stop()
        await asyncio.gather(
            *(t for t in asyncio.all_tasks() if t is not asyncio.current_task()), return_exceptions=True
        )

    async def wait(self, seconds: float) -> None:
        """Let virtual time pass in steps of a quarter of a second."""
        for step in [0.0, *[0.25] * int(seconds * 4)]:
            self.clock.advance(step)
            for _ in range(8):
                await asyncio.sleep(0)

    def times(self, kind: str) -> list[float]:
        return [when for when, command in self.runtime.asked if command == kind]


def test_a_container_that_is_up_is_ready_at_once() -> None:
    async def body() -> None:
        async with _Bench(readiness={}) as bench:
            await bench.wait(30)
            assert bench.results == [(0, "readiness", True)]
            assert bench.times("readiness") == [0, 10, 20, 30]

    asyncio.run(body())


def test_the_first_look_waits_for_the_initial_delay() -> None:
    async def body() -> None:
        async with _Bench(readiness={"initialDelaySeconds": 7}) as bench:
            await bench.wait(6.75)
            assert bench.results == []
            await bench.wait(0.25)
            assert bench.results == [(7, "readiness", True)]

    asyncio.run(body())


def test_a_container_that_comes_up_is_seen_within_half_a_second() -> None:
    async def body() -> None:
        async with _Bench("readiness", readiness={"periodSeconds": 10}) as bench:
            await bench.wait(2.25)
            bench.runtime.failing.clear()
            await bench.wait(0.25)
            assert bench.results == [(2.5, "readiness", True)]

    asyncio.run(body())


def test_quick_looks_are_not_counted_as_failures() -> None:
    async def body() -> None:
        async with _Bench("readiness", readiness={"periodSeconds": 10, "failureThreshold": 3}) as bench:
            await bench.wait(19.75)
            assert [when for when, _, _ in bench.failures] == [0, 10]
            assert bench.results == []
            await bench.wait(0.25)
            assert bench.results == [(20, "readiness", False)]

    asyncio.run(body())


def test_failures_in_a_row_up_to_the_threshold_make_it_unready_and_one_success_ready() -> None:
    async def body() -> None:
        async with _Bench(readiness={"periodSeconds": 1, "failureThreshold": 3}) as bench:
            bench.runtime.failing.add("readiness")
            await bench.wait(2.5)  # two failures
            bench.runtime.failing.clear()
            await bench.wait(1)  # a success: counted anew
            bench.runtime.failing.add("readiness")
            await bench.wait(4)
            assert bench.results == [(0, "readiness", True), (6, "readiness", False)]
            bench.runtime.failing.clear()
            await bench.wait(2)
            assert bench.results[2:] == [(8, "readiness", True)]

    asyncio.run(body())


def test_a_success_threshold_asks_for_several_in_a_row() -> None:
    async def body() -> None:
        async with _Bench(readiness={"periodSeconds": 1, "successThreshold": 3}) as bench:
            await bench.wait(0.75)
            assert bench.results == []
            await bench.wait(0.25)
            assert bench.results == [(1, "readiness", True)]  # at 0, 0.5 and 1

    asyncio.run(body())


def test_a_dead_container_is_told_once_per_threshold() -> None:
    async def body() -> None:
        async with _Bench("liveness", liveness={"periodSeconds": 5, "failureThreshold": 2}) as bench:
            await bench.wait(21)
            assert bench.times("liveness") == [0, 5, 10, 15, 20]  # never in a hurry
            assert bench.results == [(5, "liveness", False)]
            assert bench.failures[0] == (0, "liveness", "not yet")

    asyncio.run(body())


def test_other_probes_wait_for_the_startup_probe() -> None:
    async def body() -> None:
        async with _Bench("startup", startup={"periodSeconds": 5}, liveness={}, readiness={}) as bench:
            await bench.wait(4)
            assert bench.times("liveness") == bench.times("readiness") == []
            bench.runtime.failing.clear()
            await bench.wait(1)
            assert bench.results[0] == (4.5, "startup", True)
            assert bench.times("liveness")[0] == bench.times("readiness")[0] == 4.5
            await bench.wait(20)
            assert max(bench.times("startup")) == 4.5  # its work is done

    asyncio.run(body())


def test_a_container_that_never_starts_is_told_after_the_threshold() -> None:
    async def body() -> None:
        async with _Bench("startup", startup={"periodSeconds": 2, "failureThreshold": 3}) as bench:
            await bench.wait(3.75)
            assert bench.results == []
            await bench.wait(0.25)
            assert bench.results == [(4, "startup", False)]

    asyncio.run(body())


def test_a_command_that_cannot_run_is_a_failure() -> None:
    async def body() -> None:
        async with _Bench(liveness={"failureThreshold": 1}) as bench:
            bench.runtime.broken = True
            await bench.wait(10)
            assert bench.failures == [(10, "liveness", "no such container")]
            assert bench.results[-1] == (10, "liveness", False)

    asyncio.run(body())


def test_a_command_is_expanded_by_the_values_that_stand_in_the_pod() -> None:
    async def body() -> None:
        probe: Obj = {"exec": {"command": ["$(HOST)-$$(date)-$(UNKNOWN)"]}}
        async with _Bench(readiness=probe, env=[{"name": "HOST", "value": "web"}]) as bench:
            await bench.wait(1)
            assert bench.runtime.asked[0][1] == "web-$(date)-$(UNKNOWN)"

    asyncio.run(body())


def test_a_stopped_prober_asks_no_more() -> None:
    async def body() -> None:
        async with _Bench(readiness={"periodSeconds": 1}, liveness={"periodSeconds": 1}) as bench:
            bench.prober.stop()
            bench.runtime.asked.clear()
            await bench.wait(10)
            assert bench.runtime.asked == []

    asyncio.run(body())


@pytest.mark.parametrize("kind", ["startup", "readiness", "liveness"])
def test_without_a_probe_nothing_is_asked(kind: str) -> None:
    async def body() -> None:
        others: Any = {other: {} for other in ("startup", "readiness", "liveness") if other != kind}
        async with _Bench(**others) as bench:
            await bench.wait(10)
            assert bench.times(kind) == []
            assert bench.runtime.asked != []

    asyncio.run(body())
