"""SPDY over a WebSocket: streams that the client opens, each pair of which is a connection to a port.

What a connection takes too slowly waits, within a bound; then the tunnel waits with it, and in the end a
connection that takes nothing at all is reset.

A connection is two streams with the headers ``port`` and ``requestid``, one of ``streamtype`` error, the
other data. Each binary message is a piece of the SPDY connection's bytes, cut anywhere.

Source: k8s.io/apiserver/pkg/util/proxy/streamtunnel.go, k8s.io/kubelet/pkg/cri/streaming/portforward/
httpstream.go (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from leeward.cluster.apiserver.streaming import spdy
from leeward.cluster.apiserver.streaming.spdy import Frame, SpdyError, SpdyReader, SpdyWriter
from leeward.cluster.apiserver.streaming.waiting import Waiting, let_others
from leeward.cluster.apiserver.streaming.websocket import ClientGoneError, WebSocket

MAX_STREAMS = 2000  # open at a time
PATIENCE = 10.0  # seconds without room for more before a connection counts as stuck
_AT_A_TIME = 256  # frames of one message, before others have their turn
_MAX_PAYLOAD = 1 << 16  # of a frame that is sent


class TunnelEnd:
    """The end of one connection: what `forward` of a Tunnel talks to.

    Args:
        receive: returns what comes next; nothing at the client's end.
        send: sends data.
    """

    def __init__(
        self, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[None]]
    ) -> None:
        self.receive = receive
        self.send = send


Forward = Callable[[int, TunnelEnd], Awaitable[str]]  # the port; returns what went wrong, ""


@dataclass
class _Pair:
    """The two streams of a connection."""

    port: str
    error: int = 0
    data: int = 0
    arrived: Waiting = field(default_factory=Waiting)
    task: asyncio.Task[None] | None = None


class Tunnel:
    """Serves one WebSocket.

    Args:
        socket: it.
        forward: connects to a port and carries data both ways until one end has no more.
        patience: seconds that a connection without room may hold up the others.
    """

    def __init__(self, socket: WebSocket, forward: Forward, *, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._socket = socket
        self._forward = forward
        self._reader = SpdyReader()
        self._writer = SpdyWriter()
        self._pairs: dict[str, _Pair] = {}  # by requestid
        self._streams: dict[int, _Pair] = {}

    async def serve(self) -> None:
        """Serve until the client goes."""
        try:
            while (message := await self._socket.receive()) is not None:
                for at, frame in enumerate(self._reader.feed(message), 1):
                    if frame.headers or at % _AT_A_TIME == 0:
                        await let_others()
                    await self._handle(frame)
        except SpdyError:
            await self._socket.send(self._writer.goaway(max(self._streams, default=0)))
        finally:
            for pair in list(self._pairs.values()):
                await self._end(pair)

    async def _handle(self, frame: Frame) -> None:
        if frame.kind is None:
            await self._arrived(frame)
        elif frame.kind == spdy.SYN_STREAM:
            await self._opened(frame)
        elif frame.kind == spdy.PING:
            await self._socket.send(self._writer.ping(frame.stream))
        elif frame.kind == spdy.RST_STREAM:
            pair = self._streams.get(frame.stream)
            if pair is not None and frame.stream == pair.data:
                await self._end(pair)

    async def _opened(self, frame: Frame) -> None:
        problem = _problem(frame.headers)
        if frame.stream in self._streams or len(self._streams) >= MAX_STREAMS:
            problem = problem or "refused"
        if problem:
            await self._socket.send(self._writer.reset(frame.stream, spdy.REFUSED_STREAM))
            return
        number = frame.headers["requestid"]
        pair = self._pairs.setdefault(number, _Pair(frame.headers["port"]))
        if getattr(pair, frame.headers["streamtype"]):
            await self._socket.send(self._writer.reset(frame.stream, spdy.PROTOCOL_ERROR))
            return
        setattr(pair, frame.headers["streamtype"], frame.stream)
        self._streams[frame.stream] = pair
        await self._socket.send(self._writer.syn_reply(frame.stream))
        if pair.error and pair.data:
            pair.task = asyncio.create_task(self._connect(number, pair))

    async def _arrived(self, frame: Frame) -> None:
        pair = self._streams.get(frame.stream)
        if pair is None or frame.stream != pair.data:
            return  # nobody says anything on a stream for errors, but its end
        if frame.data:
            await self._queue(pair, frame.data)
        if frame.fin:
            await self._queue(pair, b"")

    async def _queue(self, pair: _Pair, data: bytes) -> None:
        """Hand data to a connection when it has room for it, unless it ends before."""
        if pair.task is None and not pair.arrived.has_room:  # the stream for errors does not come
            await self._socket.send(self._writer.reset(pair.data, spdy.PROTOCOL_ERROR))
            await self._end(pair)
        elif await pair.arrived.room(self._patience):
            pair.arrived.put(data)
        else:
            await self._end(pair)
            await self._socket.send(self._writer.data(pair.error, stuck(pair.port).encode(), fin=True))
            await self._socket.send(self._writer.reset(pair.data, spdy.CANCEL))

    async def _connect(self, number: str, pair: _Pair) -> None:
        async def send(data: bytes) -> None:
            for start in range(0, len(data), _MAX_PAYLOAD):
                await self._socket.send(self._writer.data(pair.data, data[start : start + _MAX_PAYLOAD]))

        try:
            problem = await self._forward(int(pair.port), TunnelEnd(pair.arrived.get, send))
            if problem:
                await self._socket.send(self._writer.data(pair.error, problem.encode()))
            for stream in (pair.error, pair.data):
                await self._socket.send(self._writer.data(stream, b"", fin=True))
        except ClientGoneError:
            return
        finally:
            pair.arrived.close()
            self._forget(number, pair)

    def _forget(self, number: str, pair: _Pair) -> None:
        self._pairs.pop(number, None)
        for stream in (pair.error, pair.data):
            self._streams.pop(stream, None)

    async def _end(self, pair: _Pair) -> None:
        if pair.task is not None:
            pair.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pair.task
        for number in [key for key, each in self._pairs.items() if each is pair]:
            self._forget(number, pair)


def _problem(headers: Mapping[str, str]) -> str:
    """Return what is wrong with the headers of a new stream."""
    if headers.get("streamtype") not in ("error", "data"):
        return f"invalid stream type {headers.get('streamtype', '')!r}"
    if not headers.get("requestid"):
        return "requestID header is required"
    return (
        "" if read_port(headers.get("port", "")) else f"unable to parse {headers.get('port', '')!r} as a port"
    )


def stuck(port: int | str) -> str:
    """Return what is told of a connection that takes nothing."""
    return f"error forwarding port {port}: what listens there does not read what is sent"


def read_port(text: str) -> int:
    """Return the number of a port, 0 for what is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
    return number if number < 1 << 16 else 0
