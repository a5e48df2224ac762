"""Relays UDP datagrams of a Service port to one endpoint per client address.

Invariants: a client stays with its endpoint only while that is ready; the next datagram after it is not
goes to another one. A client that neither sends nor receives for IDLE_SECONDS is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from leeward.base.clock import Clock, Timer
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.endpoints import Endpoint

Peer = tuple[str, int]
IDLE_SECONDS = 60.0
MAX_CLIENTS = 1024  # the one that was idle longest is forgotten first
MAX_WAITING = 64  # datagrams of a client while its socket is being made


class UdpRelay(asyncio.DatagramProtocol):
    """One Service port; answers go back to whoever asked.

    Args:
        endpoints: returns the port's ready endpoints of this moment.
        balancer: chooses one of them.
        clock: measures idleness.
    """

    def __init__(self, endpoints: Callable[[], Sequence[Endpoint]], balancer: Balancer, clock: Clock) -> None:
        self._endpoints = endpoints
        self._balancer = balancer
        self._clock = clock
        self._flows: dict[Peer, _Flow] = {}  # the one that was idle longest first
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: Timer | None = None

    @classmethod
    async def listen(
        cls,
        ip: str,
        port: int,
        endpoints: Callable[[], Sequence[Endpoint]],
        *,
        balancer: Balancer,
        clock: Clock,
    ) -> UdpRelay:
        """Bind and serve until :meth:`close`.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(
            lambda: cls(endpoints, balancer, clock), local_addr=(ip, port)
        )
        return protocol

    @property
    def address(self) -> Peer:
        """Where it listens."""
        assert self._transport is not None
        found: Peer = self._transport.get_extra_info("sockname")
        return found

    @property
    def clients(self) -> int:
        """How many clients are remembered."""
        return len(self._flows)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the listening side."""
        self._transport = transport  # type: ignore[assignment]  # uvloop's class is no subclass

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Pass a datagram on."""
        ready = self._endpoints()
        flow = self._flows.get(addr)
        if flow is not None and flow.endpoint not in ready:
            self.forget(flow)
            flow = None
        if flow is None:
            flow = self._new_flow(addr, ready)
        if flow is not None:
            self.touch(flow)
            flow.send(data)

    def _new_flow(self, client: Peer, ready: Sequence[Endpoint]) -> _Flow | None:
        """Choose an endpoint for a client; None when there is none."""
        if not ready:
            return None
        while len(self._flows) >= MAX_CLIENTS:
            self.forget(next(iter(self._flows.values())))
        flow = self._flows[client] = _Flow(self, client, self._balancer.order(ready)[0])
        task = asyncio.ensure_future(self._connect(flow))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        if self._sweeper is None:
            self._sweeper = self._clock.call_later(IDLE_SECONDS, self._sweep)
        return flow

    async def _connect(self, flow: _Flow) -> None:
        try:
            await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: flow, remote_addr=(flow.endpoint.ip, flow.endpoint.port)
            )
        except OSError:
            self.refused(flow)

    def touch(self, flow: _Flow) -> None:
        """A datagram went one way or the other."""
        flow.used = self._clock.monotonic()
        if self._flows.get(flow.client) is flow:
            self._flows[flow.client] = self._flows.pop(flow.client)

    def answer(self, flow: _Flow, data: bytes) -> None:
        """Send a datagram of the endpoint to the client."""
        self.touch(flow)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, flow.client)

    def refused(self, flow: _Flow) -> None:
        """Nobody listens at the endpoint: the client's next datagram goes elsewhere."""
        self._balancer.suspect(flow.endpoint)
        self.forget(flow)

    def forget(self, flow: _Flow) -> None:
        """End a client's flow; harmless when it has another one by now."""
        if self._flows.get(flow.client) is flow:
            del self._flows[flow.client]
        flow.close()

    def _sweep(self) -> None:
        """Forget who was idle for too long; come back when the next one will have been."""
        self._sweeper = None
        now = self._clock.monotonic()
        for flow in list(self._flows.values()):
            left = flow.used + IDLE_SECONDS - now
            if left > 0:
                self._sweeper = self._clock.call_later(left, self._sweep)
                return
            self.forget(flow)

    def close(self) -> None:
        """Stop listening and forget every client."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for flow in list(self._flows.values()):
            self.forget(flow)
        if self._transport:
            self._transport.close()


class _Flow(asyncio.DatagramProtocol):
    """One client's datagrams to one endpoint, and its answers."""

    def __init__(self, relay: UdpRelay, client: Peer, endpoint: Endpoint) -> None:
        self.client = client
        self.endpoint = endpoint
        self.used = 0.0
        self._relay = relay
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        self._closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop's class is no subclass
        if self._closed:
            transport.close()
            return
        for data in self._waiting:
            self.send(data)
        self._waiting.clear()

    def send(self, data: bytes) -> None:
        """Send to the endpoint, at once or as soon as the socket is there."""
        if self._transport is not None:
            self._transport.sendto(data)
        elif len(self._waiting) < MAX_WAITING:
            self._waiting.append(data)

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        if not self._closed:
            self._relay.answer(self, data)

    def error_received(self, exc: Exception) -> None:
        if not self._closed:
            self._relay.refused(self)

    def close(self) -> None:
        """Forget the endpoint; a socket that is still being made is closed when it is there."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()
