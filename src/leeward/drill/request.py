"""One HTTP request, on a connection of its own, as a customer makes it who was never here before."""

from __future__ import annotations

import asyncio
import errno
import json
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import h11

from leeward.base.errors import UserInputError

ANSWER_SECONDS = 10.0  # a customer waits no longer
EXCERPT_BYTES = 200  # of a body; the rest is read and dropped
_PATH = "/%:@!$&'()*+,;=~"  # what a path may hold unquoted, besides letters and digits
_OWN_LIMITS = frozenset((errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS))


@dataclass(frozen=True, slots=True)
class RequestKind:
    """One request of the mix."""

    method: str
    path: str
    body: bytes = b""
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request."""

    status: int = 0  # 0 when there was no whole answer
    failure: str = ""  # "" for 2xx and 3xx, else a kind such as "timeout" or "status 404"
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """Where requests go."""

    address: tuple[str, int]
    host: str  # the Host header
    path: str  # with the query

    @classmethod
    def of(cls, url: str) -> Door:
        """Return what a URL means; every name below localhost is this machine.

        Raises:
            UserInputError: it is no http:// URL.
        """
        try:
            parts = urlsplit(url)
            name, port = parts.hostname, parts.port
        except ValueError as error:
            raise _no_url(url, str(error)) from error
        if parts.scheme != "http" or not name:
            raise _no_url(url, "it does not begin with http:// and a host")
        host = f"[{name}]" if ":" in name else name
        path = quote(parts.path or "/", safe=_PATH)
        return cls(
            ("127.0.0.1" if name == "localhost" or name.endswith(".localhost") else name, port or 80),
            host if port is None else f"{host}:{port}",
            f"{path}?{quote(parts.query, safe=f'{_PATH}?')}" if parts.query else path,
        )


def _no_url(url: str, why: str) -> UserInputError:
    return UserInputError(
        f"{url!r} cannot be requested: {why}", remedy="Write it like http://web.localhost:8080/health."
    )


def failure_of(status: int) -> str:
    """Return what a customer would call a failure; "" for 2xx and 3xx."""
    return "" if 200 <= status < 400 else f"status {status}"


async def ask(door: Door, kind: RequestKind, seconds: float = ANSWER_SECONDS) -> Answer:
    """Make one request and wait `seconds` for the whole answer; what goes wrong is in it.

    "not sent" means that this machine ran out of sockets: the service is not to blame.
    """
    try:
        async with asyncio.timeout(seconds):
            return await _exchange(door, kind)
    except TimeoutError:
        return Answer(failure="timeout")
    except ConnectionRefusedError:
        return Answer(failure="connection refused")
    except OSError as error:
        if error.errno in _OWN_LIMITS:
            return Answer(failure=f"not sent ({error.strerror})")
        return Answer(failure=f"connection broke ({type(error).__name__})")
    except h11.RemoteProtocolError as error:
        return Answer(failure=f"connection broke ({type(error).__name__})")


async def _exchange(door: Door, kind: RequestKind) -> Answer:
    reader, writer = await asyncio.open_connection(*door.address)
    try:
        http = h11.Connection(h11.CLIENT)
        writer.write(_sent(http, door, kind))
        answer = await _answer(http, reader)
    except BaseException:
        writer.transport.abort()  # a peer that says nothing would never take what is still to be written
        raise
    writer.close()
    return answer


def _sent(http: h11.Connection, door: Door, kind: RequestKind) -> bytes:
    headers = [("host", door.host), ("connection", "close"), ("user-agent", "leeward-drill")]
    if kind.body:
        headers += [("content-type", "application/json"), ("content-length", str(len(kind.body)))]
    head = h11.Request(method=kind.method, target=kind.path, headers=headers)
    parts = [head, *([h11.Data(data=kind.body)] if kind.body else []), h11.EndOfMessage()]
    return b"".join(http.send(part) or b"" for part in parts)


async def _answer(http: h11.Connection, reader: asyncio.StreamReader) -> Answer:
    status, text = 0, b""
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            http.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Response):
            status = event.status_code
        elif isinstance(event, h11.Data):
            text += bytes(event.data)[: EXCERPT_BYTES - len(text)]
        elif isinstance(event, h11.EndOfMessage):
            return Answer(status, failure_of(status), text.decode("utf-8", "replace").strip())
        elif isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("no answer")


def json_body(value: object) -> bytes:
    """Return a request body."""
    return json.dumps(value).encode()
