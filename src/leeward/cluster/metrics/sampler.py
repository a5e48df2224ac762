"""From the CPU time of containers to what they use: the difference of two measurements.

Invariant: nothing happens between two questions. Of each container the beginning of its window is kept, a
measurement that was made for somebody; what is older than a minute begins no window, and a container that
started since then has its whole life as one.

Source: kubernetes-sigs/metrics-server pkg/storage (v0.9.0), which measures all the time instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from leeward.base.clock import Clock
from leeward.cluster.interface.metrics import MetricsSource, PodUsage, Usage
from leeward.cluster.interface.runtime import ContainerStats, StatsSource
from leeward.kube.objects import Obj, ObjectKey, key_of, parse_time

SHORTEST, LONGEST = 1.0, 60.0  # seconds of a window
_MOVES_ON = 10.0  # seconds after which the next window begins
_FRESH = 10.0  # seconds of life that are a window; start times are told in whole ones
_SLACK = 0.01  # of a timer that is early


class _Figure(NamedTuple):
    usage: Usage
    window: float
    timestamp: datetime


@dataclass(slots=True)
class _Kept:
    at: float  # monotonic seconds
    cpu_nanoseconds: int
    figure: _Figure | None = None  # the last one


class _Running(NamedTuple):
    container_id: str
    name: str
    started_at: str


class Sampler:
    """Implements MetricsSource.

    Args:
        runtime: measures, or who plays it.
        clock: windows.
    """

    def __init__(self, runtime: StatsSource, clock: Clock) -> None:
        self._runtime = runtime
        self._clock = clock
        self._kept: dict[str, _Kept] = {}  # by container id

    def known(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        """Measure now."""
        return self._measure({key_of(pod): _running(pod) for pod in pods})[0]

    async def ask(self, pods: Iterable[Obj]) -> Mapping[ObjectKey, PodUsage]:
        """Measure, and once more after the shortest window where there is none."""
        running = {key_of(pod): _running(pod) for pod in pods}
        found, waiting = self._measure(running)
        if waiting:
            await self._clock.sleep(SHORTEST)
            found, _ = self._measure(running)
        return found

    def _measure(self, running: Mapping[ObjectKey, list[_Running]]) -> tuple[dict[ObjectKey, PodUsage], bool]:
        """Return what Pods use, and whether a window has begun just now."""
        stats = self._runtime.stats([each.container_id for found in running.values() for each in found])
        now, wall = self._clock.monotonic(), self._clock.now()
        self._kept = {key: kept for key, kept in self._kept.items() if now - kept.at <= LONGEST}
        pods: dict[ObjectKey, PodUsage] = {}
        waiting = False
        for key, containers in running.items():
            figures: dict[str, _Figure] = {}
            for each in containers:
                measured = stats.get(each.container_id)
                figure = None if measured is None else self._figure(each, measured, now, wall)
                waiting = waiting or (measured is not None and figure is None)
                if figure is not None:
                    figures[each.name] = figure
            if containers and len(figures) == len(containers):
                pods[key] = _pod(figures)
        return pods, waiting

    def _figure(
        self, container: _Running, measured: ContainerStats, now: float, wall: datetime
    ) -> _Figure | None:
        kept = self._kept.get(container.container_id)
        if kept is None:
            age = (wall - parse_time(container.started_at)).total_seconds() if container.started_at else 0.0
            self._kept[container.container_id] = kept = _Kept(now, measured.cpu_nanoseconds)
            if _FRESH <= age <= LONGEST:
                kept.figure = _figure(measured.cpu_nanoseconds, measured, age, wall)
            return kept.figure
        if measured.cpu_nanoseconds < kept.cpu_nanoseconds:  # a process has ended, and nobody waited for it
            kept.at, kept.cpu_nanoseconds = now, measured.cpu_nanoseconds
            return kept.figure
        window = now - kept.at
        if window >= SHORTEST - _SLACK:
            kept.figure = _figure(measured.cpu_nanoseconds - kept.cpu_nanoseconds, measured, window, wall)
        if window >= _MOVES_ON:
            kept.at, kept.cpu_nanoseconds = now, measured.cpu_nanoseconds
        return kept.figure


def _running(pod: Obj) -> list[_Running]:
    """Return the containers of a Pod that run, if the Pod does."""
    status = pod.get("status") or {}
    if status.get("phase") != "Running":
        return []
    return [
        _Running(each["containerID"], each["name"], (each["state"]["running"] or {}).get("startedAt") or "")
        for part in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
        for each in status.get(part) or ()
        if each.get("containerID") and "running" in (each.get("state") or {})
    ]


def _figure(cpu_nanoseconds: int, measured: ContainerStats, window: float, wall: datetime) -> _Figure:
    return _Figure(Usage(round(cpu_nanoseconds / window), measured.memory_bytes), window, wall)


def _pod(figures: Mapping[str, _Figure]) -> PodUsage:
    oldest = min(figures.values(), key=lambda each: each.timestamp)
    return PodUsage(oldest.timestamp, oldest.window, {name: each.usage for name, each in figures.items()})


if TYPE_CHECKING:

    def _conforms(sampler: Sampler) -> MetricsSource:
        return sampler
