"""Programs that take no input, and clients that leave or send more than anybody takes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leeward.cluster.apiserver.streaming import channels, portforward, spdy
from leeward.cluster.apiserver.streaming.channels import Channels
from leeward.cluster.apiserver.streaming.remotecommand import Speaker
from leeward.cluster.apiserver.streaming.spdy import Frame, SpdyReader, SpdyWriter
from leeward.cluster.apiserver.streaming.tunnel import Tunnel, TunnelEnd
from leeward.cluster.apiserver.streaming.waiting import MAX_WAITING, Waiting
from leeward.cluster.apiserver.streaming.websocket import ClientGoneError, WebSocket
from leeward.cluster.interface.streams import Output, StreamsWanted

NOW = 0.0  # seconds that anybody waits here
BIG = bytes(MAX_WAITING // 2)
WANTED = StreamsWanted(stdin=True, stdout=True)


class Socket:
    """A client's messages; what it is sent; whether it is there."""

    def __init__(self, *messages: bytes) -> None:
        self.messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        for each in messages:
            self.messages.put_nowait(each)
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()
        self.gone = False

    async def receive(self) -> bytes | None:
        return await self.messages.get()

    async def send(self, data: bytes, *, text: bool = False) -> None:
        if self.gone:
            raise ClientGoneError
        self.sent.put_nowait(data)


class Program:
    """One that runs for ever, and takes input when it may."""

    def __init__(self, *, takes: bool = False) -> None:
        self.taken: list[bytes] = []
        self.takes = asyncio.Event()
        if takes:
            self.takes.set()
        self.sizes: list[tuple[int, int]] = []
        self.ended = asyncio.Event()

    async def read(self, output: Output) -> bytes:
        await self.ended.wait()
        return b""

    async def write(self, data: bytes) -> None:
        await self.takes.wait()
        self.taken.append(data)

    async def end_input(self) -> None:
        self.taken.append(b"")
        self.ended.set()

    def resize(self, columns: int, rows: int) -> None:
        self.sizes.append((columns, rows))

    async def exit_code(self) -> int:
        await self.ended.wait()
        return 0

    async def close(self) -> None:
        return


def run(body: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(5):
            await body()

    asyncio.run(whole())


def speaker(socket: Socket, probe: float = NOW) -> Speaker:
    client: Any = socket
    return Speaker(client, Channels(channels.V5), WANTED, probe=probe)


def test_a_client_that_leaves_ends_a_program_that_takes_no_input() -> None:
    async def body() -> None:
        socket = Socket(b"\0input", b"\0more")
        talking = asyncio.create_task(speaker(socket).converse(Program()))
        socket.messages.put_nowait(None)
        await talking

    run(body)


def test_a_client_that_leaves_is_noticed_while_there_is_no_room_for_its_input() -> None:
    async def body() -> None:
        socket = Socket(*(b"\0" + BIG for _ in range(9)))
        talking = asyncio.create_task(speaker(socket).converse(Program()))
        assert await socket.sent.get() == b"\x01"  # nothing, on the channel of the output
        assert socket.messages.qsize() >= 5  # what there is no room for is left to the client
        socket.gone = True
        await talking

    run(body)


def test_a_client_that_waits_loses_nothing_and_its_terminal_has_its_size() -> None:
    async def body() -> None:
        socket = Socket(b'\x04{"Width":80,"Height":24}', *(b"\0" + BIG for _ in range(9)), b"\xff\0")
        program = Program()
        talking = asyncio.create_task(speaker(socket).converse(program))
        await socket.sent.get()
        assert program.sizes == [(80, 24)]
        program.takes.set()
        await talking
        assert program.taken == [BIG] * 9 + [b""]

    run(body)


async def forward(port: int, end: TunnelEnd) -> str:
    """Port 80 echoes, others take nothing."""
    if port != 80:
        await asyncio.Event().wait()
    while data := await end.receive():
        await end.send(data)
    return ""


def test_a_stuck_connection_of_a_tunnel_is_reset_and_others_go_on() -> None:
    async def body() -> None:
        writer, reader, socket = SpdyWriter(), SpdyReader(), Socket()

        async def heard() -> list[Frame]:
            return list(reader.feed(await socket.sent.get()))

        for stream, port in ((1, "81"), (5, "80")):
            for number, kind in ((stream, "error"), (stream + 2, "data")):
                headers = {"streamtype": kind, "port": port, "requestid": port}
                socket.messages.put_nowait(writer.syn_stream(number, headers))
        for _ in range(3):
            socket.messages.put_nowait(writer.data(3, BIG))
        socket.messages.put_nowait(writer.data(7, b"hello"))
        client: Any = socket
        serving = asyncio.create_task(Tunnel(client, forward, patience=NOW).serve())
        replies = [(await heard())[0].kind for _ in range(4)]
        assert replies == [spdy.SYN_REPLY] * 4
        (told,), (reset,), (echoed,) = [await heard() for _ in range(3)]
        assert (told.stream, told.fin) == (1, True)
        assert b"port 81: what listens there does not read" in told.data
        assert reset == Frame(spdy.RST_STREAM, 3)
        assert echoed == Frame(None, 7, data=b"hello")
        socket.messages.put_nowait(None)
        await serving

    run(body)


def test_a_stuck_port_of_channels_is_given_up_and_others_go_on() -> None:
    async def body() -> None:
        socket = Socket(*(b"\0" + BIG for _ in range(3)), b"\x02hello")
        client: Any = socket
        ports = portforward.Ports(client, channels.V4, [81, 80], patience=NOW)
        serving = asyncio.create_task(ports.serve(forward))
        for _ in range(4):  # the ports' numbers
            await socket.sent.get()
        assert (await socket.sent.get()).startswith(b"\x01error forwarding port 81: what listens there")
        assert await socket.sent.get() == b"\x02hello"
        socket.messages.put_nowait(None)
        await serving

    run(body)


def test_many_frames_of_one_message_leave_others_their_turn() -> None:
    async def body() -> None:
        socket, turns = Socket(SpdyWriter().data(1, b"") * 10_000), 0
        socket.messages.put_nowait(None)
        client: Any = socket
        serving = asyncio.create_task(Tunnel(client, forward).serve())
        while not serving.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 30

    run(body)


def test_many_messages_leave_others_their_turn() -> None:
    async def body() -> None:
        async def receive() -> Any:
            return {"type": "websocket.receive", "bytes": b"x"}

        request: Any = Program()
        request.receive = receive
        socket, turns = WebSocket(request, receive), 0  # type: ignore[arg-type]

        async def read() -> None:
            for _ in range(10_000):
                await socket.receive()

        reading = asyncio.create_task(read())
        while not reading.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 30

    run(body)


def test_headers_without_end_are_no_spdy() -> None:
    headers = {f"h{number}": "" for number in range(65)}
    with pytest.raises(spdy.SpdyError, match="65 headers"):
        list(SpdyReader().feed(SpdyWriter().syn_stream(1, headers)))


def test_what_waits_is_bounded_in_bytes_and_small_pieces_count_too() -> None:
    async def body() -> None:
        waiting, pieces = Waiting(1000), 0
        while waiting.has_room:
            waiting.put(b"x")
            pieces += 1
        assert pieces < 20
        assert not await waiting.room(NOW)
        assert await waiting.get() == b"x"
        assert await waiting.room(NOW)
        waiting.put(bytes(2000))
        waiting.close()
        waiting.put(bytes(2000))
        assert await waiting.room(NOW)

    run(body)
