"""Open-loop HTTP load: requests start when they are due, whether or not earlier ones were answered.

A closed loop would slow down with the system and hide what customers see; here a stall shows as
latency of every request that fell due meanwhile ("coordinated omission" avoided). Latency counts from
when a request was due; how late this machine itself was is kept apart, as it is not the service's fault.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leeward.base.clock import Clock
from leeward.drill.request import Door, RequestKind, ask

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sample:
    """What became of one request."""

    due: float  # seconds since the load began
    latency: float  # seconds from due to the last byte of the answer
    method: str
    status: int  # 0 when there was no whole answer
    failure: str  # "" for 2xx and 3xx, else a kind such as "timeout"
    lag: float = 0.0  # seconds from due until this machine got round to it; part of the latency


class Load:
    """Sends `rate` requests a second for `duration` seconds.

    Args:
        door: where they go.
        kinds: the mix, repeated in order by weight.
        rate: requests a second; > 0.
        duration: seconds.
        clock: paces the load.
    """

    def __init__(
        self, door: Door, kinds: Sequence[RequestKind], *, rate: float, duration: float, clock: Clock
    ) -> None:
        self._door = door
        self._mix = [kind for kind in kinds for _ in range(kind.weight)]
        self._rate = rate
        self._duration = duration
        self._clock = clock
        self.samples: list[Sample] = []
        self.on_sample: Callable[[Sample], None] = lambda sample: None

    async def run(self, began: float | None = None) -> list[Sample]:
        """Send everything and return the samples in the order of their answers.

        Args:
            began: the clock's monotonic time that "due" counts from; now if not given.
        """
        began = self._clock.monotonic() if began is None else began
        async with asyncio.TaskGroup() as group:
            for number in range(round(self._rate * self._duration)):
                due = number / self._rate
                await self._clock.sleep(began + due - self._clock.monotonic())
                group.create_task(self._one(began, due, self._mix[number % len(self._mix)]))
        return self.samples

    async def _one(self, began: float, due: float, kind: RequestKind) -> None:
        lag = self._clock.monotonic() - began - due
        answer = await ask(self._door, kind)
        if answer.failure:
            logger.info("%s %s: %s %s", kind.method, kind.path, answer.failure, answer.excerpt)
        latency = self._clock.monotonic() - began - due
        sample = Sample(due, latency, kind.method, answer.status, answer.failure, max(0.0, lag))
        self.samples.append(sample)
        self.on_sample(sample)
