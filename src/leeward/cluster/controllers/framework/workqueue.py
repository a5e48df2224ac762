"""A queue of keys: each key once, again after a while when asked to, slower after each failure.

Guarantees: a key added while it is processed is processed again afterwards; keys come out in the order
in which they went in; a later deadline never delays an earlier one. Everything runs on the clock's
thread, so there are no locks.

Source: client-go/util/workqueue (fair, stingy), its exponential failure rate limiter.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from leeward.base.clock import Clock, Timer
from leeward.kube.objects import ObjectKey

BASE_SECONDS = 0.005
MAX_SECONDS = 1000.0


class WorkQueue:
    """Keys waiting to be synced.

    Args:
        clock: delays.
        wake: called when the queue was empty and has a key now.
    """

    def __init__(self, clock: Clock, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._wake = wake
        self._ready: OrderedDict[ObjectKey, None] = OrderedDict()
        self._timers: dict[ObjectKey, tuple[float, Timer]] = {}
        self._failures: dict[ObjectKey, int] = {}

    def __len__(self) -> int:
        return len(self._ready)

    def add(self, key: ObjectKey) -> None:
        """Sync `key` soon."""
        if key in self._ready:
            return
        was_empty = not self._ready
        self._ready[key] = None
        if was_empty:
            self._wake()

    def add_after(self, key: ObjectKey, seconds: float) -> None:
        """Sync `key` in `seconds`, or at an earlier time that was asked for."""
        due = self._clock.monotonic() + seconds
        waiting = self._timers.get(key)
        if waiting is not None:
            if waiting[0] <= due:
                return
            waiting[1].cancel()

        def fire() -> None:
            self._timers.pop(key, None)
            self.add(key)

        self._timers[key] = (due, self._clock.call_later(seconds, fire))

    def add_failed(self, key: ObjectKey) -> float:
        """Sync `key` again after a delay that doubles with each failure in a row; returns the delay."""
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        delay = min(BASE_SECONDS * 2.0 ** min(count, 30), MAX_SECONDS)
        self.add_after(key, delay)
        return delay

    def forget(self, key: ObjectKey) -> None:
        """`key` succeeded: its next failure counts as the first."""
        self._failures.pop(key, None)

    def pop(self) -> ObjectKey:
        """Take the oldest key.

        Raises:
            KeyError: the queue is empty.
        """
        return self._ready.popitem(last=False)[0]

    def clear(self) -> None:
        """Forget everything."""
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._ready.clear()
        self._failures.clear()
