"""The way in: an HTTP/1.1 reverse proxy that hides the loss of an endpoint.

* A connection attempt that fails is repeated on another endpoint: nothing was sent, so any method may.
* An idempotent request with a small body is sent again to another endpoint when the first one fails
  before its answer is complete, and *hedged* when it stays silent: after HEDGE_SECONDS a second
  endpoint is asked too and the first answer wins. A machine that lost power never says so.
* A request that is not idempotent is sent to one endpoint only; its failure is told as 502.
* Upgrades (WebSocket) and large or endless answers are streamed.

Source: RFC 9110 section 9.2.2 (idempotent methods), RFC 9112; h11 parses both sides.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from urllib.parse import urlsplit

import h11

from leeward.cluster.network.balancer import Balancer, Stream
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.exchange import Answer, Exchange, Request, UpstreamError
from leeward.cluster.network.proxy import Connections
from leeward.cluster.network.relay import relay
from leeward.cluster.network.routes import Route

logger = logging.getLogger(__name__)
HEDGE_SECONDS = 1.0
MAX_ATTEMPTS = 4
RETRIED_STATUSES = frozenset((502, 503, 504))
REPLAY_BYTES = 256 * 1024  # a larger request body is sent once
IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
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

    async def serve(self, client: Stream, first: bytes = b"", fixed: Route | None = None) -> None:
        """Serve one client connection until it ends.

        Args:
            client: the accepted connection.
            first: bytes already read from it.
            fixed: where every request goes (a published port), whatever its Host.
        """
        side = _ClientSide(client, first)
        try:
            while (request := await side.next_request()) is not None:
                route = fixed or self._find_route(request.host, urlsplit(request.target.decode()).path)
                keep = await self._answer(side, request, route)
                if not keep or not side.start_next_cycle():
                    break
        except (OSError, h11.RemoteProtocolError, h11.LocalProtocolError) as error:
            logger.debug("client connection ended: %s", error)
        finally:
            client[1].close()

    async def _answer(self, side: _ClientSide, request: Request, route: Route | None) -> bool:
        """Answer one request; False when the connection cannot be used again."""
        if route is None:
            return await side.say(404, f"no service is published as {request.host!r}\n")
        endpoints = self._balancer.order(self._endpoints(route))
        if not endpoints:
            return await side.say(503, f"service {route.service.name} has no ready endpoint\n")
        if request.upgrade:
            await self._upgrade(side, request, endpoints)
            return False
        try:
            replayable = request.method in IDEMPOTENT and await side.buffer_body(request, REPLAY_BYTES)
            if replayable:
                answer = await self._first_answer(request, endpoints)
            else:
                answer = await self._single_answer(side, request, endpoints)
        except UpstreamError as error:
            return await side.say(502, f"service {route.service.name}: {error}\n")
        try:
            return await side.send(answer)
        finally:
            answer.exchange.close()

    def _endpoints(self, route: Route) -> tuple[Endpoint, ...]:
        return route.port.endpoints

    async def _single_answer(self, side: _ClientSide, request: Request, endpoints: list[Endpoint]) -> Answer:
        """Send once, streaming the body; only connecting is retried."""
        exchange = await Exchange.connect(self._balancer, self._connections, endpoints[:MAX_ATTEMPTS])
        try:
            return await exchange.send(request, side.body(request))
        except BaseException:
            exchange.close()
            raise

    async def _first_answer(self, request: Request, endpoints: list[Endpoint]) -> Answer:
        """Ask endpoint after endpoint, overlapping when one is silent; the first good answer wins."""
        queue = [*endpoints, *endpoints][:MAX_ATTEMPTS]
        running: dict[asyncio.Task[Answer], Endpoint] = {}
        outcome = _Outcome()
        try:
            while queue or running:
                if queue:
                    endpoint = queue.pop(0)
                    running[asyncio.ensure_future(self._attempt(request, endpoint))] = endpoint
                done, _ = await asyncio.wait(
                    running, timeout=HEDGE_SECONDS if queue else None, return_when=asyncio.FIRST_COMPLETED
                )
                for endpoint in running.values() if not done else ():
                    self._balancer.suspect(endpoint)  # silent: ask another one too, and these last next time
                for task in done:
                    endpoint = running.pop(task)
                    if outcome.take(task):
                        return outcome.answer()
                    if outcome.failed:
                        self._balancer.suspect(endpoint)
            return outcome.answer()
        finally:
            for task in running:
                task.cancel()
                task.add_done_callback(_close_unused)

    async def _attempt(self, request: Request, endpoint: Endpoint) -> Answer:
        """Ask one endpoint and read a small answer whole, so that it can still be replaced."""
        exchange = await Exchange.connect(self._balancer, self._connections, [endpoint])
        try:
            answer = await exchange.send(request, None)
            await answer.buffer()
        except BaseException:
            exchange.close()
            raise
        self._balancer.trust(endpoint)
        return answer

    async def _upgrade(self, side: _ClientSide, request: Request, endpoints: list[Endpoint]) -> None:
        """Hand both connections over to each other, beginning with the request as it was read."""
        exchange = await Exchange.connect(self._balancer, self._connections, endpoints)
        try:
            await relay(side.stream, exchange.stream, first=request.head_bytes() + side.trailing())
        finally:
            exchange.close()


class _Outcome:
    """What became of the attempts so far: the best answer, or the last failure."""

    def __init__(self) -> None:
        self._best: Answer | None = None
        self._failure = UpstreamError("no endpoint answered")
        self.failed = False  # the last attempt brought no answer

    def take(self, attempt: asyncio.Task[Answer]) -> bool:
        """Take note of a finished attempt; True when its answer is good enough to pass on."""
        error = attempt.exception()
        self.failed = error is not None
        if error is None:
            if self._best is not None:
                self._best.exchange.close()
            self._best = attempt.result()
            return self._best.status not in RETRIED_STATUSES
        if not isinstance(error, UpstreamError):
            raise error
        self._failure = error
        return False

    def answer(self) -> Answer:
        """Return the best answer there was.

        Raises:
            UpstreamError: there was none.
        """
        if self._best is None:
            raise self._failure
        return self._best


def _close_unused(task: asyncio.Task[Answer]) -> None:
    """End the exchange of an answer that came too late to be wanted."""
    if not task.cancelled() and task.exception() is None:
        task.result().exchange.close()


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
