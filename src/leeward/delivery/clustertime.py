"""The clock of a cluster: what time it is there, so that a wrong clock here matters nowhere."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from leeward.base.clock import Clock, Timer


class Server(Protocol):
    """A client that knows how far the clock of its server is ahead of this machine's."""

    ahead: timedelta


class ClusterClock:
    """Goes as this machine's clock does, and shows the server's time.

    Args:
        server: whose time.
        clock: of this machine.
    """

    def __init__(self, server: Server, clock: Clock) -> None:
        self._server = server
        self._clock = clock

    def now(self) -> datetime:
        """Return the time at the server, as of its last answer."""
        return self._clock.now() + self._server.ahead

    def monotonic(self) -> float:
        """Return seconds that only grow."""
        return self._clock.monotonic()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call `callback` after `seconds`."""
        return self._clock.call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._clock.sleep(seconds)
