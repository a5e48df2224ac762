"""What Pods use is the difference of two measurements, and nobody measures unasked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any

from leeward.base.clock import VirtualClock
from leeward.cluster.interface.metrics import PodUsage, Usage
from leeward.cluster.interface.runtime import ContainerStats
from leeward.cluster.metrics.sampler import Sampler
from leeward.kube.objects import Obj, ObjectKey, format_time

KEY = ObjectKey("shop", "web")


class Meter:
    """Counts as if every container used its millicores all the time."""

    def __init__(self, clock: VirtualClock, **millicores: int) -> None:
        self._clock = clock
        self.millicores = millicores
        self.lost = 0  # nanoseconds that are not counted any more
        self.asked = 0

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        self.asked += 1
        now = self._clock.monotonic()
        return {
            name: ContainerStats(round(self.millicores[name] * now * 1_000_000) - self.lost, 1024)
            for name in container_ids
            if name in self.millicores
        }


class World:
    """A clock, a meter and a sampler."""

    def __init__(self, **millicores: int) -> None:
        self.clock = VirtualClock()
        self.meter = Meter(self.clock, **millicores)
        runtime: Any = self.meter
        self.sampler = Sampler(runtime, self.clock)

    def pod(self, *names: str, phase: str = "Running", age: float = 0.0) -> Obj:
        started = format_time(self.clock.now() - timedelta(seconds=age))
        statuses = [
            {"name": name, "containerID": name, "state": {"running": {"startedAt": started}}}
            for name in names
        ]
        meta = {"namespace": KEY.namespace, "name": KEY.name}
        return {"metadata": meta, "status": {"phase": phase, "containerStatuses": statuses}}

    def known(self, pod: Obj) -> PodUsage | None:
        return self.sampler.known([pod]).get(KEY)

    def asked(self, pod: Obj) -> PodUsage | None:
        async def ask() -> Mapping[ObjectKey, PodUsage]:
            task = asyncio.create_task(self.sampler.ask([pod]))
            await asyncio.sleep(0)
            self.clock.advance(1)
            return await task

        return asyncio.run(ask()).get(KEY)


def test_the_first_measurement_begins_a_window_and_the_second_ends_it() -> None:
    world = World(a=250, b=10)
    pod = world.pod("a", "b")
    assert world.known(pod) is None
    world.clock.advance(5)
    assert world.known(pod) == PodUsage(
        world.clock.now(), 5.0, {"a": Usage(250_000_000, 1024), "b": Usage(10_000_000, 1024)}
    )


def test_who_asks_waits_for_a_window_once() -> None:
    world = World(a=250)
    pod = world.pod("a")
    first = world.asked(pod)
    assert first is not None
    assert (first.window, first.containers["a"].cpu_nanocores) == (1.0, 250_000_000)
    assert world.meter.asked == 2
    world.asked(pod)
    assert world.meter.asked == 3


def test_a_container_that_has_run_for_a_while_has_its_life_as_the_first_window() -> None:
    world = World(a=250)
    world.clock.advance(20)
    found = world.known(world.pod("a", age=20))
    assert found is not None
    assert (found.window, found.containers["a"].cpu_nanocores) == (20.0, 250_000_000)
    assert World(a=250).known(world.pod("a", age=5)) is None
    assert World(a=250).known(world.pod("a", age=3600)) is None


def test_a_question_right_after_another_gets_the_same_answer() -> None:
    world = World(a=250)
    pod = world.pod("a")
    world.known(pod)
    world.clock.advance(10)
    first = world.known(pod)
    world.clock.advance(0.2)
    assert world.known(pod) == first


def test_a_window_begins_anew_after_some_seconds_and_when_nobody_asked_for_a_minute() -> None:
    world = World(a=250)
    pod = world.pod("a")
    world.known(pod)
    windows = []
    for seconds in (4, 4, 4, 4):
        world.clock.advance(seconds)
        found = world.known(pod)
        windows.append(found.window if found else None)
    assert windows == [4.0, 8.0, 12.0, 4.0]
    world.clock.advance(61)
    assert world.known(pod) is None


def test_a_count_that_falls_begins_a_new_window_and_keeps_the_last_answer() -> None:
    world = World(a=250)
    pod = world.pod("a")
    world.known(pod)
    world.clock.advance(5)
    first = world.known(pod)
    world.meter.lost = 2_000_000_000
    assert world.known(pod) == first
    world.clock.advance(4)
    found = world.known(pod)
    assert found is not None
    assert (found.window, found.containers["a"].cpu_nanocores) == (4.0, 250_000_000)


def test_a_pod_is_left_out_while_one_of_its_containers_is_not_measured_or_it_does_not_run() -> None:
    world = World(a=250)
    for pod in (world.pod("a", "gone", age=20), world.pod("a", phase="Pending", age=20), world.pod()):
        assert world.known(pod) is None
