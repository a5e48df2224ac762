"""Talking to programs in Pods: the client's side of ``pods/NAME/exec`` and ``pods/NAME/attach``.

A WebSocket with a channel for each stream; the first byte of a message is the channel's number. What the
program ended with comes as a Status on channel 3. With ``v5.channel.k8s.io`` input can be ended; older
servers speak v4, where it cannot, and the program waits for more.

Invariant: what the program says is read whether or not it takes its input, and a server that is silently gone
is noticed.

Source: k8s.io/client-go/tools/remotecommand/websocket.go, v5.go and errorstream.go (Kubernetes 1.36); RFC
6455.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket as sockets
import ssl
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode, urlsplit

import orjson
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

from leeward.base.errors import OperationError
from leeward.kube import http
from leeward.kube.http import UnreachableError
from leeward.kube.kubeconfig import Access
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError, error_from_status

STDIN, STDOUT, STDERR, ERROR, RESIZE = range(5)
_CLOSE = 255
_V5, _V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
_CHUNK = 1 << 15  # bytes of input in one message
_CONNECT_SECONDS = 20.0
_KEEPALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPALIVE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 9}  # a minute


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which streams of a program a client wants."""

    stdin: bool = False
    stdout: bool = True
    stderr: bool = True  # never with a terminal, which has only one output
    tty: bool = False

    def query(self, container: str, command: Sequence[str] = ()) -> str:
        """Return the query of the request; `command` is for exec only."""
        flags = {"stdin": self.stdin, "stdout": self.stdout, "stderr": self.stderr and not self.tty}
        pairs = [("container", container), *((name, "true") for name, wanted in flags.items() if wanted)]
        pairs += [("tty", "true")] if self.tty else []
        return urlencode([*pairs, *(("command", word) for word in command)])


class Said(NamedTuple):
    """What came from the program."""

    channel: int  # STDOUT or STDERR
    data: bytes


class Conversation:
    """An open exec or attach.

    Args:
        reader: the connection, after the handshake.
        writer: the same.
        socket: its state.
        early: messages that came with the handshake.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        socket: WSConnection,
        protocol: str,
        early: Iterable[Event],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._socket = socket
        self._ends_input = protocol == _V5
        self._waiting = list(early)
        self._partial = bytearray()
        self._status: Obj | None = None

    async def write(self, data: bytes) -> None:
        """Send input; waits while the program is slow in reading."""
        for start in range(0, len(data), _CHUNK):
            await self._send(STDIN, data[start : start + _CHUNK])

    async def end_input(self) -> None:
        """Tell the program that there is no more input, where the server knows how."""
        if self._ends_input:
            await self._send(_CLOSE, bytes((STDIN,)))

    async def resize(self, columns: int, rows: int) -> None:
        """Tell the size of the terminal."""
        await self._send(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())

    async def read(self) -> AsyncIterator[Said]:
        """Yield what the program says, until it ends.

        Raises:
            UnreachableError: the connection was lost.
        """
        while True:
            for event in self._waiting:
                message = self._message(event)
                if message is None or len(message) < 2:
                    continue
                if message[0] in (STDOUT, STDERR):
                    yield Said(message[0], message[1:])
                elif message[0] == ERROR:
                    self._status = _status_of(message[1:])
            self._waiting = []
            if self._status is not None:
                return
            data = await self._receive()
            if not data:
                raise UnreachableError("the connection to the program was lost")
            try:
                self._socket.receive_data(data)
                self._waiting = list(self._socket.events())
            except ProtocolError as error:
                raise UnreachableError(f"the connection to the program broke: {error}") from error

    def exit_code(self) -> int:
        """Return what the program ended with, after :meth:`read`.

        Raises:
            StatusError: it could not be started, or its end is not known.
        """
        return exit_code_of(self._status or {})

    async def _receive(self) -> bytes:
        try:
            return await self._reader.read(1 << 16)
        except (OSError, ssl.SSLError):
            return b""

    def _message(self, event: Event) -> bytes | None:
        """Return a whole message, when `event` is the end of one."""
        if isinstance(event, Ping):  # without waiting: the program may take no input before it is read
            self._writer.write(self._socket.send(event.response()))
        elif isinstance(event, CloseConnection) and self._status is None:
            why = f": {event.reason}" if event.reason else ""
            raise UnreachableError(f"the connection to the program was closed{why}")
        elif isinstance(event, (BytesMessage, TextMessage)):
            data = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
            self._partial += data
            if event.message_finished:
                message, self._partial = bytes(self._partial), bytearray()
                return message
        return None

    async def _send(self, channel: int, data: bytes) -> None:
        try:
            self._writer.write(self._socket.send(BytesMessage(data=bytes((channel,)) + data)))
            await self._writer.drain()
        except ProtocolError as error:  # closed by the other side
            raise UnreachableError("the connection to the program was closed") from error
        except OSError as error:
            raise UnreachableError("the connection to the program was lost") from error

    async def close(self) -> None:
        """Close the connection; the program of an exec loses its input."""
        with contextlib.suppress(ProtocolError):
            self._writer.write(self._socket.send(CloseConnection(code=1000)))
        await _shut(self._writer)


def _status_of(data: bytes) -> Obj:
    """Return the Status that channel 3 tells; a text that is none is a failure's."""
    with contextlib.suppress(orjson.JSONDecodeError):
        found = orjson.loads(data)
        if isinstance(found, dict):
            return found
    return {"status": "Failure", "message": data.decode("utf-8", "replace").strip()}


def exit_code_of(status: Obj) -> int:
    """Return the exit code that a Status of channel 3 tells.

    Raises:
        StatusError: it tells of something else that went wrong.
    """
    if status.get("status") == "Success":
        return 0
    if status.get("reason") == "NonZeroExitCode":
        for cause in (status.get("details") or {}).get("causes") or ():
            if cause.get("reason") == "ExitCode" and str(cause.get("message")).isdecimal():
                return int(cause["message"])
    raise error_from_status(status)


@asynccontextmanager
async def converse(access: Access, path: str, query: str) -> AsyncIterator[Conversation]:
    """Open an exec or attach.

    Args:
        access: how to reach the API server.
        path: ``/api/v1/namespaces/NAMESPACE/pods/POD/exec``.
        query: :meth:`Wanted.query`.

    Raises:
        StatusError: it is refused.
        UnreachableError: the server does not answer.
    """
    if access.credentials is not None:
        access = await asyncio.to_thread(http.with_current_credentials, access)
    reader, writer = await _connect(access)
    try:
        talk = await _shake_hands(access, reader, writer, f"{path}?{query}")
    except BaseException:
        await _shut(writer)
        raise
    try:
        yield talk
    finally:
        await talk.close()


async def _connect(access: Access) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if access.proxy is not None:
        raise OperationError(
            f"exec and attach do not go through the proxy {access.proxy}",
            remedy="Reach the API over a VPN or a tunnel: `leeward infra kubeconfig NAME --endpoint URL`.",
        )
    parts = urlsplit(access.server)
    secure = parts.scheme == "https"
    host, port = parts.hostname or "localhost", parts.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            name = (access.server_name or host) if secure else None
            context = http.ssl_context(access) if secure else None
            reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(
            f"cannot reach the Kubernetes API at {access.server}: {str(error) or type(error).__name__}",
            remedy=access.remedy or "Check that the cluster is running: `leeward cluster status`.",
        ) from error
    _keep_alive(writer.get_extra_info("socket"))
    return reader, writer


def _keep_alive(connection: sockets.socket) -> None:
    """Let the kernel find out that the other side is gone without a word."""
    connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if (option := getattr(sockets, name, None)) is not None:
            connection.setsockopt(sockets.IPPROTO_TCP, option, value)


async def _shake_hands(
    access: Access, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str
) -> Conversation:
    parts, socket = urlsplit(access.server), WSConnection(ConnectionType.CLIENT)
    headers = [(key.encode(), value.encode()) for key, value in http.authorization(access).items()]
    asked = Request(
        host=parts.netloc,
        target=parts.path.rstrip("/") + target,
        extra_headers=[(b"user-agent", http.USER_AGENT.encode()), *headers],
        subprotocols=[_V5, _V4],
    )
    try:
        writer.write(socket.send(asked))
        await writer.drain()
        async with asyncio.timeout(_CONNECT_SECONDS):
            accepted, early = await _answer(reader, socket)
    except (OSError, TimeoutError, ProtocolError) as error:
        raise UnreachableError(
            f"the Kubernetes API at {access.server} does not open the connection: "
            f"{str(error) or type(error).__name__}"
        ) from error
    return Conversation(reader, writer, socket, accepted.subprotocol or _V4, early)


async def _answer(reader: asyncio.StreamReader, socket: WSConnection) -> tuple[AcceptConnection, list[Event]]:
    """Return that the server accepts, and what it said at once.

    Raises:
        StatusError: it refuses.
        OSError: it went away.
    """
    status, body = 0, b""
    while True:
        data = await reader.read(1 << 16)
        socket.receive_data(data or None)
        events = list(socket.events())
        for number, event in enumerate(events):
            if isinstance(event, AcceptConnection):
                return event, events[number + 1 :]
            if isinstance(event, RejectConnection):
                status = event.status_code
            if isinstance(event, RejectData):
                body += bytes(event.data)
            if status and (getattr(event, "body_finished", False) or not getattr(event, "has_body", True)):
                raise _refused(status, body)
        if not data:
            raise _refused(status, body) if status else ConnectionError("it closed the connection")


def _refused(code: int, body: bytes) -> StatusError:
    with contextlib.suppress(orjson.JSONDecodeError):
        document = orjson.loads(body)
        if isinstance(document, dict) and document.get("kind") == "Status":
            return error_from_status(document)
    text = body.decode("utf-8", "replace").strip() or f"the server answers {code}"
    return error_from_status({"message": text, "code": code})


async def _shut(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
    except (OSError, ssl.SSLError, TimeoutError):
        writer.transport.abort()  # nobody takes what is left to say
