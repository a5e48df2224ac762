"""The Service proxy: a listener on every Service address and port, in this process.

Connections go to a ready endpoint; an attempt that fails is repeated on another endpoint before a
byte is lost. When a node is lost its connections are reset, because a machine that vanished will
never say so itself. UDP datagrams are relayed per client address.

Invariant: listeners follow the Services; a port that cannot be bound is logged and tried again with
the next change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from leeward.base.clock import Clock
from leeward.cluster.network.balancer import Balancer, NoEndpointError
from leeward.cluster.network.connections import Connections, Stream
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.relay import abort, close, relay
from leeward.cluster.network.table import ServiceTable
from leeward.cluster.network.udp import UdpRelay
from leeward.kube.objects import ObjectKey

logger = logging.getLogger(__name__)


class Address(NamedTuple):
    """Where the proxy listens."""

    ip: str
    port: int
    protocol: str


class ServiceProxy:
    """Keeps one listener per (clusterIP, port).

    Args:
        table: the Services.
        balancer: orders the endpoints.
        connections: shared with the ingress.
        clock: measures how long a UDP client is idle.
        reserved: an address that somebody else serves: the cluster DNS.
    """

    def __init__(
        self,
        table: ServiceTable,
        balancer: Balancer,
        connections: Connections,
        *,
        clock: Clock,
        reserved: str = "",
    ) -> None:
        self._clock = clock
        self._table = table
        self._reserved = reserved
        self._balancer = balancer
        self._connections = connections
        self._servers: dict[Address, asyncio.Server | UdpRelay] = {}
        self._wanted: dict[Address, ObjectKey] = {}
        self._by_service: dict[ObjectKey, set[Address]] = {}
        self._wake = asyncio.Event()

    def changed(self, keys: set[ObjectKey]) -> None:
        """Take note of changed Services; called by the table."""
        for key in keys:
            for address in self._by_service.pop(key, set()):
                self._wanted.pop(address, None)
        for key in sorted(keys):  # after all are gone: one may have the address of another
            view = self._table.find(*key)
            if view is None or view.cluster_ip in ("", self._reserved):
                continue
            addresses = {Address(view.cluster_ip, port.port, port.protocol) for port in view.ports}
            self._by_service[key] = addresses
            self._wanted.update(dict.fromkeys(addresses, key))
        if set(self._wanted) != set(self._servers):
            self._wake.set()

    def wanted(self) -> list[Address]:
        """Return where there should be listeners, in order."""
        return sorted(self._wanted)

    async def run(self) -> None:
        """Open and close listeners until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for address in [*self._servers.keys() - self._wanted.keys()]:
                    self._servers.pop(address).close()
                for address in sorted(self._wanted.keys() - self._servers.keys()):
                    await self._open(address)
        finally:
            for server in self._servers.values():
                server.close()
            self._servers.clear()

    async def _open(self, address: Address) -> None:
        try:
            if address.protocol == "UDP":
                self._servers[address] = await UdpRelay.listen(
                    address.ip,
                    address.port,
                    lambda: self.ready(address),
                    balancer=self._balancer,
                    clock=self._clock,
                )
            elif address.protocol == "TCP":
                self._servers[address] = await asyncio.start_server(
                    self._handler(address), address.ip, address.port, backlog=512
                )
        except OSError as error:
            logger.warning("cannot listen on Service address %s:%s: %s", *address[:2], error)

    def ready(self, address: Address) -> Sequence[Endpoint]:
        """Return what stands behind an address now."""
        key = self._wanted.get(address)
        view = self._table.find(*key) if key else None
        for port in view.ports if view else ():
            if (port.port, port.protocol) == (address.port, address.protocol):
                return port.endpoints
        return ()

    def _handler(
        self, address: Address
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self.serve((reader, writer), self._balancer.order(self.ready(address)))

        return accept

    async def serve(self, client: Stream, endpoints: list[Endpoint], first: bytes = b"") -> None:
        """Relay `client` to the first of `endpoints` that answers; reset it when none does."""
        try:
            endpoint, upstream = await self._balancer.connect(endpoints)
        except NoEndpointError:
            abort(client)
            return
        self._connections.add(endpoint, upstream, client)
        try:
            await relay(client, upstream, first=first)
        finally:
            self._connections.remove(endpoint, upstream, client)
            close(client)
