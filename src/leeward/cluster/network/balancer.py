"""Chooses an endpoint, and remembers for a moment which ones did not answer.

The endpoint with the fewest open connections is next, any of them among equals: one that has become slow
gets less to do. An endpoint that refused or stayed silent, or whose node is lost, is tried last for a few
seconds. It is never left out: suspicion may be wrong.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable, Sequence
from random import Random

from leeward.base.clock import PassiveClock
from leeward.cluster.network.connections import Connections, Stream
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.table import ServiceTable

SUSPICION_SECONDS = 3.0
CONNECT_SECONDS = 0.4  # everything is on this machine: a live endpoint answers in microseconds


class NoEndpointError(ConnectionError):
    """Every endpoint was tried and none took the connection."""


class Balancer:
    """Orders endpoints for one attempt after another.

    Args:
        table: knows which nodes are lost.
        clock: measures suspicion.
        connections: how busy each endpoint is.
        rng: which of equally busy endpoints is next.
    """

    def __init__(
        self, table: ServiceTable, clock: PassiveClock, connections: Connections, rng: Random
    ) -> None:
        self._table = table
        self._clock = clock
        self._connections = connections
        self._rng = rng
        self._suspects: dict[str, float] = {}  # ip → monotonic time when trusted again

    def order(self, endpoints: Sequence[Endpoint]) -> list[Endpoint]:
        """Return all of `endpoints`, the best first."""
        shuffled = self._rng.sample(endpoints, len(endpoints))
        return sorted(shuffled, key=lambda each: (self._is_suspect(each), self._connections.load(each)))

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
