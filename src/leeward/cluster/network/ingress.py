"""The way in: an HTTP/1.1 reverse proxy that hides the loss of an endpoint.

* A connection attempt that fails is repeated on another endpoint: nothing was sent, so any method may.
* An idempotent request with a small body may be sent to several endpoints; `attempts` says when.
* A request that is not idempotent is sent to one endpoint only; its failure is told as 502.
* Upgrades (WebSocket) and large or endless answers are streamed.

Source: RFC 9110 section 9.2.2 (idempotent methods), RFC 9112; h11 parses both sides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import h11

from leeward.cluster.network.attempts import IDEMPOTENT, Attempts, HedgeBudget
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections, Stream
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.exchange import Answer, Exchange, Request, UpstreamError
from leeward.cluster.network.relay import relay
from leeward.cluster.network.routes import Route

logger = logging.getLogger(__name__)
REPLAY_BYTES = 256 * 1024  # a larger request body is sent once
RouteFinder = Callable[[str, str], Route | None]


class Ingress:
    """Serves client connections, one request after another.

    Args:
        find_route: (host, path) → Route.
        balancer: orders the endpoints.
        connections: resets what depends on a lost node.
    """

    def __init__(self, find_route: RouteFinder, balancer: Balancer, connections: Connections) -> None:
        self._find_route = find_route
        self._balancer = balancer
        self._connections = connections
        self._hedges = HedgeBudget()

    async def serve(
        self, client: Stream, first: bytes = b"", fixed: Callable[[], Route | None] | None = None
    ) -> None:
        """Serve one client connection until it ends.

        Args:
            client: the accepted connection.
            first: bytes already read from it.
            fixed: returns where requests go now (a published port), whatever their Host.
        """
        side = _ClientSide(client, first)
        try:
            while (request := await side.next_request()) is not None:
                keep = await self._answer(side, request, fixed or self._finder(request))
                if not keep or not side.start_next_cycle():
                    break
        except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            logger.debug("client connection ended: %s", error)
        finally:
            client[1].close()

    def _finder(self, request: Request) -> Callable[[], Route | None]:
        return lambda: self._find_route(request.host, request.path)

    async def _answer(
        self, side: _ClientSide, request: Request, find_route: Callable[[], Route | None]
    ) -> bool:
        """Answer one request; False when the connection cannot be used again."""
        route = find_route()
        if route is None:
            return await side.say(404, f"no service is published as {request.host!r}\n")

        def candidates() -> list[Endpoint]:
            found = find_route()
            return self._balancer.order(found.port.endpoints) if found else []

        if not route.port.endpoints:
            return await side.say(503, f"service {route.service.name} has no ready endpoint\n")
        try:
            if request.upgrade:
                await self._upgrade(side, request, candidates())
                return False
            if request.method in IDEMPOTENT and await side.buffer_body(request, REPLAY_BYTES):
                attempts = Attempts(request, candidates, self._balancer, self._connections, self._hedges)
                answer = await attempts.first_answer()
            else:
                answer = await self._single_answer(side, request, candidates())
        except UpstreamError as error:
            return await side.say(502, f"service {route.service.name}: {error}\n")
        try:
            return await side.send(answer)
        finally:
            answer.exchange.close()

    async def _single_answer(self, side: _ClientSide, request: Request, endpoints: list[Endpoint]) -> Answer:
        """Send once, streaming the body; only connecting is retried."""
        exchange = await Exchange.connect(self._balancer, self._connections, endpoints)
        try:
            return await exchange.send(request, side.body(request))
        except BaseException:
            exchange.abandon()
            raise

    async def _upgrade(self, side: _ClientSide, request: Request, endpoints: list[Endpoint]) -> None:
        """Hand both connections over to each other, beginning with the request as it was read."""
        exchange = await Exchange.connect(self._balancer, self._connections, endpoints)
        try:
            await relay(side.stream, exchange.stream, first=request.head_bytes() + side.trailing())
        finally:
            exchange.close()


class _ClientSide:
    """The server half of one client connection."""

    def __init__(self, stream: Stream, first: bytes) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.SERVER)
        if first:
            self._http.receive_data(first)

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._http.they_are_waiting_for_100_continue:
                self._write(h11.InformationalResponse(status_code=100, headers=[]))
            self._http.receive_data(await self.stream[0].read(65536))
        return event

    async def next_request(self) -> Request | None:
        """Return the next request's head; None when the client is done."""
        event = await self._next_event()
        if not isinstance(event, h11.Request):
            return None
        peer = self.stream[1].get_extra_info("peername") or ("127.0.0.1",)
        return Request(event, str(peer[0]))

    async def buffer_body(self, request: Request, limit: int) -> bool:
        """Read the body into the request; False when it exceeds `limit` bytes (rest not read)."""
        while not request.complete:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                request.body += bytes(event.data)
                if len(request.body) > limit:
                    return False
            else:
                request.complete = True
        return True

    def body(self, request: Request) -> Callable[[], asyncio.Future[bytes]] | None:
        """Return a reader of what buffer_body left; None when all is there."""
        if request.complete:
            return None

        async def more() -> bytes:
            event = await self._next_event()
            if isinstance(event, h11.Data):
                return bytes(event.data)
            request.complete = True
            return b""

        return lambda: asyncio.ensure_future(more())

    def trailing(self) -> bytes:
        """Return bytes the client sent after the request's head."""
        return bytes(self._http.trailing_data[0])

    def start_next_cycle(self) -> bool:
        """Get ready for the next request; False when the connection has to close."""
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            return True
        return False

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self.stream[1].write(data)

    async def say(self, status: int, text: str) -> bool:
        """Answer with a plain sentence of our own."""
        body = text.encode()
        headers = [("content-type", "text/plain; charset=utf-8"), ("content-length", str(len(body)))]
        if self._http.their_state is not h11.DONE:
            headers.append(("connection", "close"))
        self._write(h11.Response(status_code=status, headers=headers))
        self._write(h11.Data(data=body))
        self._write(h11.EndOfMessage())
        await self.stream[1].drain()
        return True

    async def send(self, answer: Answer) -> bool:
        """Pass an answer on; False when it broke off and the connection must close."""
        self._write(h11.Response(status_code=answer.status, headers=answer.headers, reason=answer.reason))
        try:
            async for chunk in answer.chunks():
                self._write(h11.Data(data=chunk))
                await self.stream[1].drain()
        except UpstreamError as error:
            logger.info("an answer broke off: %s", error)
            self.stream[1].transport.abort()
            return False
        self._write(h11.EndOfMessage())
        await self.stream[1].drain()
        return True
