"""Requests and responses over bare ASGI: no framework between the socket and the handlers.

Invariants: a body is read whole and at most ``MAX_BODY`` bytes; a streaming response ends as soon as
the client goes away.

Source: ASGI 3.0, HTTP connection scope; body limit of kube-apiserver (3 MiB).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from itertools import accumulate
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote

import orjson

from leeward.cluster.interface.user import ANONYMOUS, UNAUTHENTICATED, User
from leeward.kube.status import BadRequestError, StatusError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

NOBODY = User(ANONYMOUS, (UNAUTHENTICATED,))
CERTIFICATE = "client_certificate"  # in the scope of a request, in DER
MAX_BODY = 3 * 2**20
_ALL_WARNINGS, _A_WARNING = 4096, 256  # characters
_PIECE = 1 << 18  # bytes that are given to a connection before the client has read some
TOKEN_PROTOCOL = "base64url.bearer.authorization.k8s.io."  # how a token begins that is sent as a protocol
JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class BodyTooLargeError(StatusError):
    """The body is larger than the server reads."""

    code = 413
    reason = "RequestEntityTooLarge"


class Request:
    """One HTTP request."""

    __slots__ = ("_receive", "_scope", "headers", "method", "path", "query", "time", "user")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._scope = scope
        self._receive = receive
        self.time: asyncio.Timeout | None = None  # that it may take
        self.method: str = scope.get("method", "GET")  # that of a WebSocket's is not told
        self.path = unquote(scope["raw_path"].decode("latin-1").partition("?")[0])
        self.headers: Mapping[str, str] = {
            key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]
        }
        self.user = NOBODY  # who asks, once that is known
        text = scope["query_string"].decode("latin-1")
        self.query = Query(parse_qsl(text, keep_blank_values=True) if text else ())

    def may_last(self) -> None:
        """Let it take as long as it likes."""
        if self.time is not None:
            self.time.reschedule(None)

    @property
    def header_list(self) -> list[tuple[str, str]]:
        """All headers, in lower case; one that is repeated is there as often as it was sent."""
        return [
            (key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in self._scope["headers"]
        ]

    @property
    def certificate(self) -> bytes:
        """The client's certificate in DER, verified; empty for none."""
        return bytes(self._scope.get(CERTIFICATE, b""))

    @property
    def client(self) -> str:
        """Address of who asks, "" where it is not known."""
        return str((self._scope.get("client") or ("",))[0])

    @property
    def is_websocket(self) -> bool:
        """Tell whether the client wants a WebSocket, in a place where there is one."""
        return self._scope.get("type") == "websocket"

    @property
    def protocols(self) -> list[str]:
        """The protocols that the client of a WebSocket offers, the one that it likes best first."""
        offered = self._scope.get("subprotocols") or ()
        return [each for each in offered if not each.startswith(TOKEN_PROTOCOL)]

    @property
    def protocol_tokens(self) -> list[str]:
        """The bearer tokens, encoded, that the client of a WebSocket sends as protocols, as browsers do."""
        offered = self._scope.get("subprotocols") or ()
        return [each.removeprefix(TOKEN_PROTOCOL) for each in offered if each.startswith(TOKEN_PROTOCOL)]

    @property
    def has_body(self) -> bool:
        """Tell whether a body was announced."""
        return self.headers.get("content-length", "0") != "0" or "transfer-encoding" in self.headers

    @property
    def uri(self) -> str:
        """Path and query as they were sent."""
        text: str = self._scope["raw_path"].decode("latin-1").partition("?")[0]
        query = self._scope["query_string"].decode("latin-1")
        return f"{text}?{query}" if query else text

    @property
    def content_type(self) -> str:
        """The body's media type, without parameters; "application/json" when none is named."""
        return self.headers.get("content-type", JSON).partition(";")[0].strip().lower() or JSON

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            BodyTooLargeError: it is too large.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequestError("the client went away")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > MAX_BODY:
                raise BodyTooLargeError(f"Request entity too large: limit is {MAX_BODY}")
            parts.append(chunk)
            if not message.get("more_body"):
                return b"".join(parts)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, however long it is."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise BadRequestError("the client went away")
            more = message.get("more_body", False)
            yield message.get("body", b"")

    async def receive(self) -> Message:
        """Return the next message of the connection, as ASGI has it."""
        return await self._receive()

    async def gone(self) -> None:
        """Return when the client has gone away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Query:
    """Query parameters; a repeated one keeps all its values."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for key, value in pairs:
            self._values.setdefault(key, []).append(value)

    def text(self, name: str, default: str = "") -> str:
        """Return the first value."""
        found = self._values.get(name)
        return found[0] if found else default

    def all(self, name: str) -> list[str]:
        """Return every value."""
        return self._values.get(name, [])

    def flag(self, name: str) -> bool:
        """Tell whether a boolean parameter is set: anything but "", "0" and "false"."""
        return name in self._values and self.text(name).lower() not in ("0", "false", "f")

    def number(self, name: str) -> int | None:
        """Return an integer, or None.

        Raises:
            BadRequestError: it is no integer.
        """
        text = self.text(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError:
            raise BadRequestError(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


class Response:
    """A complete answer."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        body: bytes,
        *,
        status: int = 200,
        content_type: str = JSON,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.body = body
        self.status = status
        self.content_type = content_type
        self.headers = list(headers)

    async def send(self, send: Send) -> None:
        """Write it, as fast as the client reads it."""
        head = [
            *([(b"content-type", self.content_type.encode())] if self.content_type else ()),
            *([] if self._is_cached() else [(b"cache-control", b"no-cache, private")]),
            *((key.encode(), value.encode()) for key, value in self.headers),
        ]
        if self.status != 304:  # a cache would take the length for that of what it keeps
            head.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        at = 0
        while len(self.body) - at > _PIECE:
            piece = self.body[at : at + _PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            at += _PIECE
        await send({"type": "http.response.body", "body": self.body[at:]})

    def _is_cached(self) -> bool:
        return any(key == "cache-control" for key, _ in self.headers)


class StreamResponse:
    """An answer whose chunks come over time; ends when they end or the client goes away."""

    status = 200
    __slots__ = ("chunks", "content_type", "headers", "request")

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        request: Request,
        *,
        content_type: str = JSON,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.chunks = chunks
        self.request = request
        self.content_type = content_type
        self.headers = list(headers)

    async def send(self, send: Send) -> None:
        """Write it, chunk by chunk."""
        head = [
            (b"content-type", self.content_type.encode()),
            (b"cache-control", b"no-cache, private"),
            *((key.encode(), value.encode()) for key, value in self.headers),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        pump = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(self.request.gone())
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            pump.cancel()
            for task in (gone, pump):
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _pump(self, send: Send) -> None:
        chunks = self.chunks
        try:
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            close = getattr(chunks, "aclose", None)
            if close is not None:
                await close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Answer(Protocol):
    """What is answered, in any form."""

    status: int
    headers: list[tuple[str, str]]

    async def send(self, send: Send) -> None:
        """Write it."""
        ...


def json_response(document: Any, *, status: int = 200, headers: Iterable[tuple[str, str]] = ()) -> Response:
    """Return `document` as JSON, ended by a newline as kube-apiserver ends it."""
    body = orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE)
    return Response(body, status=status, headers=headers)


def text_response(text: str, *, status: int = 200) -> Response:
    """Return plain text."""
    return Response(text.encode(), status=status, content_type=TEXT)


def warning_headers(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return a Warning header for each text; when they are too long together, what fits of their beginnings.

    Source: k8s.io/apiserver/pkg/endpoints/filters/warning.go (Kubernetes 1.36).
    """
    texts = list(dict.fromkeys(texts))
    if sum(map(len, texts)) > _ALL_WARNINGS:
        texts = [text[:_A_WARNING] for text in texts]
    told = [texts[at] for at, size in enumerate(accumulate(map(len, texts))) if size <= _ALL_WARNINGS]
    return [("warning", f'299 - "{_quoted(text)}"') for text in told]


def _quoted(text: str) -> str:
    """Return `text` as the inside of a quoted string."""
    flat = "".join(each for each in " ".join(text.split()) if each.isprintable())
    return flat.replace("\\", "\\\\").replace('"', '\\"')


def status_response(error: StatusError) -> Response:
    """Return the Status of a failure."""
    headers = [] if error.retry_after is None else [("retry-after", str(error.retry_after))]
    headers += warning_headers(error.warnings)
    return json_response(error.to_status(), status=error.code, headers=headers)
