"""Time, as every other module is allowed to see it.

Nothing outside this module may read the wall clock or sleep on the event loop; ``ruff`` enforces
that (TID251). Components take a :class:`Clock`, so a drill can replay an hour of node heartbeats in
milliseconds and a test never waits. Timers are callbacks (:meth:`Clock.call_later`) because most of
the control plane is synchronous; only code that awaits I/O sleeps.

Source: the shape follows ``k8s.io/utils/clock``.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

T = TypeVar("T")


class PassiveClock(Protocol):
    """Reads time; cannot wait. Ask for this one unless you must wait."""

    def now(self) -> datetime:
        """Return the wall-clock time as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary origin; only differences mean anything."""
        ...


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None:
        """Do not run it; harmless when it has run."""
        ...


class Clock(PassiveClock, Protocol):
    """Reads time and waits for it."""

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` once, `seconds` (>= 0) from now, on the event loop's thread."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait `seconds` of this clock's time; yields once even when `seconds` <= 0."""
        ...


class SystemClock:
    """The real one. Needs a running event loop for :meth:`call_later` and :meth:`sleep`."""

    def now(self) -> datetime:
        """Return the current UTC time."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return :func:`time.monotonic`."""
        return time.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Schedule on the running event loop."""
        return asyncio.get_running_loop().call_later(max(seconds, 0.0), callback)

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(max(seconds, 0.0))


class _VirtualTimer:
    """An entry of a :class:`VirtualClock`; ordered by deadline, then by creation."""

    __slots__ = ("callback", "deadline", "order")

    def __init__(self, deadline: float, order: int, callback: Callable[[], object]) -> None:
        self.deadline = deadline
        self.order = order
        self.callback: Callable[[], object] | None = callback

    def __lt__(self, other: _VirtualTimer) -> bool:
        return (self.deadline, self.order) < (other.deadline, other.order)

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """A clock that moves only when :meth:`advance` is called (rehearsals and tests).

    Args:
        start: what :meth:`now` returns before the first step; aware.
    """

    def __init__(self, start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError("start must be timezone-aware")
        self._start = start
        self._elapsed = 0.0  # seconds since _start
        self._order = itertools.count()
        self._timers: list[_VirtualTimer] = []

    def now(self) -> datetime:
        """Return start plus everything advanced so far."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Return seconds advanced so far."""
        return self._elapsed

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Run `callback` when the clock has been advanced by `seconds`."""
        timer = _VirtualTimer(self._elapsed + max(seconds, 0.0), next(self._order), callback)
        heapq.heappush(self._timers, timer)
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced past `seconds` from now."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, lambda: None if wake.done() else wake.set_result(None))
        await wake

    def next_deadline(self) -> float | None:
        """Return the monotonic time of the earliest live timer, or None."""
        while self._timers and self._timers[0].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0].deadline if self._timers else None

    def advance(self, seconds: float) -> int:
        """Move forward deadline by deadline, running what falls due; timers may add timers.

        Args:
            seconds: how far to move; >= 0.

        Returns:
            The number of callbacks run.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError("time cannot go backwards")
        target = self._elapsed + seconds
        ran = 0
        while (deadline := self.next_deadline()) is not None and deadline <= target:
            self._elapsed = max(self._elapsed, deadline)
            callback = heapq.heappop(self._timers).callback
            if callback is not None:
                callback()
                ran += 1
        self._elapsed = target
        return ran


async def within(clock: Clock, seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Do `work`, for at most `seconds` of `clock`'s time.

    Raises:
        TimeoutError: it was not done by then, and was cancelled.
    """
    task = asyncio.ensure_future(work)
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = not task.done()
        task.cancel()

    timer = clock.call_later(seconds, expire)
    try:
        return await task
    except asyncio.CancelledError:
        if expired:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()


if TYPE_CHECKING:  # fail here, not at a distant call, when a clock stops being a Clock
    _clocks: tuple[Clock, ...] = (SystemClock(), VirtualClock())
