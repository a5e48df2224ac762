"""Chooses an endpoint, and remembers for a moment which ones did not answer.

Round robin over ready endpoints; an endpoint that refused or stayed silent, or whose node is lost, is
tried last for a few seconds. It is never left out: suspicion may be wrong.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
from collections.abc import Iterable, Sequence

from leeward.base.clock import PassiveClock
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.table import ServiceTable

SUSPICION_SECONDS = 3.0
CONNECT_SECONDS = 0.4  # everything is on this machine: a live endpoint answers in microseconds

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class NoEndpointError(ConnectionError):
    """Every endpoint was tried and none took the connection."""


class Balancer:
    """Orders endpoints for one attempt after another.

    Args:
        table: knows which nodes are lost.
        clock: measures suspicion.
    """

    def __init__(self, table: ServiceTable, clock: PassiveClock) -> None:
        self._table = table
        self._clock = clock
        self._turn = itertools.count()
        self._suspects: dict[str, float] = {}  # ip → monotonic time when trusted again

    def order(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Return all of `endpoints`, the best first; rotates from call to call."""
        if not endpoints:
            return []
        start = next(self._turn) % len(endpoints)
        rotated = [*endpoints[start:], *endpoints[:start]]
        return sorted(rotated, key=self._is_suspect)  # stable: rotation kept among equals

    def suspect(self, endpoint: Endpoint) -> None:
        """Try `endpoint` last for a while."""
        self._suspects[endpoint.ip] = self._clock.monotonic() + SUSPICION_SECONDS

    def trust(self, endpoint: Endpoint) -> None:
        """It answered."""
        self._suspects.pop(endpoint.ip, None)

    def _is_suspect(self, endpoint: Endpoint) -> bool:
        until = self._suspects.get(endpoint.ip)
        if until is not None and until <= self._clock.monotonic():
            del self._suspects[endpoint.ip]
            until = None
        return until is not None or endpoint.node in self._table.lost_nodes

    async def connect(self, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, Stream]:
        """Open a TCP connection to the first endpoint that takes it.

        Raises:
            NoEndpointError: none did.
        """
        for endpoint in endpoints:
            try:
                return endpoint, await self.open(endpoint)
            except OSError:
                continue
        raise NoEndpointError("no endpoint took the connection")

    async def open(self, endpoint: Endpoint) -> Stream:
        """Open a TCP connection to `endpoint`.

        Raises:
            OSError: it refused, or was silent for CONNECT_SECONDS; it is suspect now.
        """
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                stream = await asyncio.open_connection(endpoint.ip, endpoint.port)
        except (OSError, TimeoutError) as error:
            self.suspect(endpoint)
            raise ConnectionError(errno.ECONNREFUSED, f"{endpoint.ip}:{endpoint.port}: {error}") from error
        return stream
