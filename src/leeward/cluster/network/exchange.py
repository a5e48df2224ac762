"""One HTTP exchange with one endpoint, on a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

import h11

from leeward.cluster.network.balancer import Balancer, NoEndpointError
from leeward.cluster.network.connections import Connections, Stream
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.relay import abort, close

BUFFER_BYTES = 1024 * 1024  # an answer up to this size is read whole before it is passed on
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
Headers = list[tuple[bytes, bytes]]
BodyReader = Callable[[], asyncio.Future[bytes]]


class UpstreamError(Exception):
    """The endpoint could not be reached, or went away."""


class NotSentError(UpstreamError):
    """No endpoint took the connection, so that none has seen the request."""


class BrokenAnswerError(UpstreamError):
    """An answer began and then broke off, or made no sense."""


class Request:
    """A client's request: head as parsed, body as far as it was read."""

    def __init__(self, head: h11.Request, client_ip: str) -> None:
        self.method = bytes(head.method)
        self.target = bytes(head.target)
        self.headers: Headers = [(bytes(name), bytes(value)) for name, value in head.headers]
        self.client_ip = client_ip
        self.body = b""
        self.complete = False  # the whole body is in `body`

    def header(self, name: bytes) -> bytes:
        """Return the first header called `name` (lower case), or b""."""
        return next((value for key, value in self.headers if key == name), b"")

    @property
    def host(self) -> str:
        """The Host without port, lower case."""
        host = self.header(b"host").decode("latin-1").lower()
        return host.rsplit(":", 1)[0] if ":" in host and not host.endswith("]") else host

    @property
    def path(self) -> str:
        """The path without query, whether the target is only that or a whole URL."""
        target = self.target.decode("latin-1").partition("?")[0]
        if target.startswith("/") or "://" not in target:
            return target
        return "/" + target.partition("://")[2].partition("/")[2]

    @property
    def upgrade(self) -> bool:
        """The client wants to speak another protocol."""
        return bool(self.header(b"upgrade")) and b"upgrade" in self.header(b"connection").lower()

    def forwarded_headers(self) -> Headers:
        """Return what the endpoint is told: end-to-end headers and where the request came from."""
        headers = [(key, value) for key, value in self.headers if key not in HOP_BY_HOP]
        if self.header(b"transfer-encoding") and not self.complete:
            headers.append((b"transfer-encoding", b"chunked"))
        elif self.header(b"transfer-encoding"):
            headers.append((b"content-length", str(len(self.body)).encode()))
        chain = self.header(b"x-forwarded-for")
        headers = [pair for pair in headers if not pair[0].startswith(b"x-forwarded-")]
        client = self.client_ip.encode()
        headers.append((b"x-forwarded-for", chain + b", " + client if chain else client))
        headers.append((b"x-forwarded-host", self.header(b"host")))
        headers.append((b"x-forwarded-proto", b"http"))
        headers.append((b"connection", b"close"))
        return headers

    def head_bytes(self) -> bytes:
        """Return the head as it goes over the wire, for upgraded connections."""
        lines = [b"%s %s HTTP/1.1" % (self.method, self.target)]
        lines += [b"%s: %s" % pair for pair in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"


class Answer:
    """An endpoint's answer: head, and a body that is buffered or still to come."""

    def __init__(self, exchange: Exchange, head: h11.Response) -> None:
        self.exchange = exchange
        self.status = head.status_code
        self.reason = bytes(head.reason)
        self.headers: Headers = [
            (bytes(name), bytes(value)) for name, value in head.headers if bytes(name) not in HOP_BY_HOP
        ]
        self._length = next((int(value) for name, value in self.headers if name == b"content-length"), None)
        self._buffered: list[bytes] = []
        self._ended = False

    async def buffer(self) -> None:
        """Read a body of known, small size whole.

        Raises:
            UpstreamError: it broke off.
        """
        if self._length is None or self._length > BUFFER_BYTES:
            return
        while (chunk := await self.exchange.next_chunk()) is not None:
            self._buffered.append(chunk)
        self._ended = True

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body.

        Raises:
            UpstreamError: it broke off.
        """
        for chunk in self._buffered:
            yield chunk
        while not self._ended:
            more = await self.exchange.next_chunk()
            if more is None:
                return
            yield more


class Exchange:
    """The client half towards one endpoint."""

    def __init__(self, endpoint: Endpoint, stream: Stream, connections: Connections) -> None:
        self.endpoint = endpoint
        self.stream = stream
        self._connections = connections
        self._http = h11.Connection(h11.CLIENT)
        self._heard = False  # a byte of the answer arrived
        connections.add(endpoint, stream)

    @classmethod
    async def connect(
        cls, balancer: Balancer, connections: Connections, endpoints: Iterable[Endpoint]
    ) -> Exchange:
        """Connect to the first endpoint that takes it.

        Raises:
            NotSentError: none did.
        """
        try:
            endpoint, stream = await balancer.connect(endpoints)
        except NoEndpointError as error:
            raise NotSentError(str(error)) from error
        return cls(endpoint, stream, connections)

    async def send(self, request: Request, body: BodyReader | None) -> Answer:
        """Send the request and wait for the head of the answer.

        Args:
            request: what to ask; its buffered body is sent first.
            body: reads the rest of the body; b"" ends it; None when all is buffered.

        Raises:
            UpstreamError: the endpoint went away; BrokenAnswerError when it had begun to answer.
        """
        head = h11.Request(method=request.method, target=request.target, headers=request.forwarded_headers())
        try:
            self._write(head)
            if request.body:
                self._write(h11.Data(data=request.body))
            while body is not None and (chunk := await body()):
                self._write(h11.Data(data=chunk))
                await self.stream[1].drain()
            self._write(h11.EndOfMessage())
            await self.stream[1].drain()
            while True:
                event = await self._next_event()
                if isinstance(event, h11.Response):
                    return Answer(self, event)
        except OSError as error:
            raise self._gone(str(error)) from error

    async def next_chunk(self) -> bytes | None:
        """Return more of the body; None at its end.

        Raises:
            UpstreamError: it broke off.
        """
        event = await self._next_event()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def _next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                data = await self.stream[0].read(65536)
                self._heard = self._heard or bool(data)
                self._http.receive_data(data)
        except (OSError, h11.RemoteProtocolError) as error:
            raise self._gone(str(error)) from error
        if isinstance(event, h11.ConnectionClosed):
            raise self._gone("the connection ended early")
        return event

    def _gone(self, reason: str) -> UpstreamError:
        kind = BrokenAnswerError if self._heard else UpstreamError
        return kind(f"{self.endpoint.ip}: {reason}")

    def _write(self, event: h11.Event) -> None:
        data = self._http.send(event)
        if data:
            self.stream[1].write(data)

    def close(self) -> None:
        """End the connection."""
        self._connections.remove(self.endpoint, self.stream)
        close(self.stream)

    def abandon(self) -> None:
        """End the connection without waiting for what a silent peer does not take."""
        self._connections.remove(self.endpoint, self.stream)
        abort(self.stream)
