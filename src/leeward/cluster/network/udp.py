"""Relays UDP datagrams of a Service port to one endpoint per client address."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from leeward.cluster.network.endpoints import Endpoint

Peer = tuple[str, int]
MAX_CLIENTS = 1024  # the oldest is forgotten first


class UdpRelay(asyncio.DatagramProtocol):
    """One Service port; answers go back to whoever asked."""

    def __init__(self, endpoints: Callable[[], Sequence[Endpoint]]) -> None:
        self._endpoints = endpoints
        self._upstreams: dict[Peer, asyncio.DatagramTransport] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def listen(cls, ip: str, port: int, endpoints: Callable[[], Sequence[Endpoint]]) -> UdpRelay:
        """Bind and serve until :meth:`close`.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        _, protocol = await loop.create_datagram_endpoint(lambda: cls(endpoints), local_addr=(ip, port))
        return protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the listening side."""
        assert isinstance(transport, asyncio.DatagramTransport) or hasattr(transport, "sendto")
        self._transport = transport  # type: ignore[assignment]  # uvloop's class is no subclass

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Pass a datagram on."""
        upstream = self._upstreams.get(addr)
        if upstream is not None and not upstream.is_closing():
            upstream.sendto(data)
            return
        task = asyncio.ensure_future(self._connect(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, data: bytes, client: Peer) -> None:
        endpoints = self._endpoints()
        if not endpoints or self._transport is None:
            return
        while len(self._upstreams) >= MAX_CLIENTS:
            self._upstreams.pop(next(iter(self._upstreams))).close()
        back = _Back(self._transport, client)
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: back, remote_addr=(endpoints[0].ip, endpoints[0].port)
        )
        self._upstreams[client] = transport
        transport.sendto(data)

    def close(self) -> None:
        """Stop listening and forget every client."""
        for upstream in self._upstreams.values():
            upstream.close()
        self._upstreams.clear()
        if self._transport:
            self._transport.close()


class _Back(asyncio.DatagramProtocol):
    """Sends answers of the endpoint back to the client."""

    def __init__(self, listener: asyncio.DatagramTransport, client: Peer) -> None:
        self._listener = listener
        self._client = client

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        self._listener.sendto(data, self._client)
