"""A request passed on to another server, and its answer as it comes.

Bodies pass as they come, both ways. Credentials for the API stay here.

Source: k8s.io/apimachinery/pkg/util/{net/http.go,proxy/upgradeaware.go,proxy/transport.go} (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterable
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import httpx

from leeward.cluster.apiserver.http import TOKEN_PROTOCOL, Request, Send
from leeward.kube.status import BadRequestError, ServiceUnavailableError

_TIMEOUT = httpx.Timeout(None, connect=10)  # as long as the client waits
_AS_SENT = "".join(map(chr, range(0x21, 0x7F)))  # of a path and query; other bytes are quoted
PORTS = {"http": 80, "https": 443}
# What belongs to one connection, and what is for the API only.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade")
)
_OURS = frozenset(("authorization", "host"))
_CORS = "access-control-allow-"
_IDENTITY = ("impersonate-", "x-remote-")  # who is meant is for this server to say


class Location(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int


async def pass_on(
    request: Request,
    location: Location,
    target: str,
    transport: httpx.AsyncHTTPTransport,
    *,
    prefix: str = "",
    identity: Iterable[tuple[str, str]] = (),
    name: str = "",
    keeps_host: bool = False,
) -> Proxied:
    """Return the answer of another server to a request.

    Args:
        request: of our client.
        location: where it goes.
        target: path and query there.
        transport: how.
        prefix: our path of that place.
        identity: headers that say who asks; the client's own ones of this kind never pass.
        name: of the server, as its certificate has it; "" for its address.
        keeps_host: the Host header is the client's, as upstream has it for Pods and Services.

    Raises:
        BadRequestError: the client has gone.
        ServiceUnavailableError: nobody answers.
    """
    body = _Body(request)
    sent = _request_headers(request, location, keeps_host=keeps_host)
    headers = [(key.encode(), value.encode("latin-1")) for key, value in sent]
    headers += [(key.encode(), value.encode()) for key, value in identity]
    asked = httpx.Request(
        request.method,
        httpx.URL(scheme=location.scheme, host=location.host, port=location.port),
        headers=headers,
        content=body.chunks() if request.has_body else None,
        extensions={
            "timeout": _TIMEOUT.as_dict(),
            "target": quote(target, safe=_AS_SENT, encoding="latin-1").encode(),  # dots stay, too
            **({"sni_hostname": name} if name else {}),
        },
    )
    try:
        answer = await _unless_gone(transport.handle_async_request(asked), body)
    except (httpx.HTTPError, OSError) as error:
        where = f"{location.host}:{location.port}"
        text = f"error trying to reach service: dial tcp {where}: {in_go(error)}"
        raise ServiceUnavailableError(text) from error
    return Proxied(answer, request, location, prefix)


class _Body:
    """The body of a request while it passes, and what comes after it: that the client goes."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._passed = asyncio.Event()
        if not request.has_body:
            self._passed.set()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield it; who goes meanwhile breaks it off."""
        async for chunk in self._request.chunks():
            yield chunk
        self._passed.set()

    async def gone(self) -> None:
        """Return when all of it has passed and the client has gone: only one may listen at a time."""
        await self._passed.wait()
        await self._request.gone()


async def _unless_gone(answering: Coroutine[Any, Any, httpx.Response], body: _Body) -> httpx.Response:
    """Return an answer's head, as long as somebody waits for it.

    Raises:
        BadRequestError: nobody does any more.
    """
    answer, gone = asyncio.ensure_future(answering), asyncio.ensure_future(body.gone())
    try:
        await asyncio.wait((answer, gone), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise BadRequestError("the client went away")
    finally:
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)


class Proxied:
    """What was answered there, as it comes.

    Args:
        answer: it, of which nothing but the head was read.
        request: of our client.
        location: where it comes from.
        prefix: our path of that place.
    """

    def __init__(self, answer: httpx.Response, request: Request, location: Location, prefix: str) -> None:
        self.status = answer.status_code
        self.headers = [
            (key, redirected(value, location, prefix) if key == "location" else value)
            for key, value in _pairs(answer.headers)
            if key not in _HOP and not key.startswith(_CORS)
        ]
        self._answer = answer
        self._request = request

    async def send(self, send: Send) -> None:
        """Write it; it ends where the other one ends, or when the client has gone."""
        head = [
            (key.encode("latin-1"), value.encode("latin-1"))
            for key, value in self.headers
            if key != "transfer-encoding"
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        pump = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(self._request.gone())
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, pump):
                task.cancel()
            await asyncio.gather(gone, pump, return_exceptions=True)
            await self._answer.aclose()
        if pump.done() and not pump.cancelled():
            pump.result()  # a body that was broken off is not to look whole

    async def _pump(self, send: Send) -> None:
        async for chunk in self._answer.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _request_headers(request: Request, location: Location, *, keeps_host: bool) -> list[tuple[str, str]]:
    kept = [
        (key, value)
        for key, value in request.header_list
        if key not in _HOP
        and key not in _OURS
        and not key.startswith(_IDENTITY)
        and TOKEN_PROTOCOL not in value
    ]
    where = location.host if PORTS[location.scheme] == location.port else f"{location.host}:{location.port}"
    asked = request.headers.get("host", "")
    return [
        ("host", (keeps_host and asked) or where),
        *kept,
        ("x-forwarded-for", request.client),
        ("x-forwarded-host", asked),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", request.uri.partition("?")[0]),
    ]


def _pairs(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers.raw]


def redirected(target: str, location: Location, prefix: str) -> str:
    """Return a redirection as our client can follow it, when it stays where it was."""
    with contextlib.suppress(ValueError):
        parts = urlsplit(target)
        same = parts.hostname == location.host and (parts.port or PORTS.get(parts.scheme)) == location.port
        if (same or not parts.netloc) and parts.path.startswith("/"):
            return prefix + parts._replace(scheme="", netloc="").geturl()
    return target


def in_go(error: Exception) -> str:
    """Return a failure to connect as Go tells it."""
    text = str(error)
    if isinstance(error, httpx.ConnectTimeout):
        return "i/o timeout"
    if isinstance(error, httpx.ConnectError):
        return (
            "connect: connection refused" if "All connection attempts failed" in text else f"connect: {text}"
        )
    return text or "EOF"
