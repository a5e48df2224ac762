"""SPDY frames, and the connections that a tunnel makes of them."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.cluster.apiserver.http import Query
from leeward.cluster.apiserver.streaming import spdy
from leeward.cluster.apiserver.streaming.portforward import read_ports
from leeward.cluster.apiserver.streaming.spdy import Frame, SpdyError, SpdyReader, SpdyWriter
from leeward.cluster.apiserver.streaming.tunnel import Tunnel, TunnelEnd
from leeward.kube.status import BadRequestError

# The first header block of any SPDY/3 connection names its dictionary: 0xe3c6a7c2.
_DICTIONARY_ID = 0xE3C6A7C2


def test_the_dictionary_is_that_of_the_protocol() -> None:
    assert zlib.adler32(spdy.DICTIONARY) == _DICTIONARY_ID
    assert SpdyWriter().syn_reply(1)[14:18] == struct.pack(">I", _DICTIONARY_ID)


def test_a_frame_has_the_bytes_of_the_protocol() -> None:
    assert SpdyWriter().data(5, b"hi", fin=True) == b"\x00\x00\x00\x05\x01\x00\x00\x02hi"
    assert SpdyWriter().ping(7) == b"\x80\x03\x00\x06\x00\x00\x00\x04\x00\x00\x00\x07"
    assert SpdyWriter().reset(3, spdy.REFUSED_STREAM) == (
        b"\x80\x03\x00\x03\x00\x00\x00\x08\x00\x00\x00\x03\x00\x00\x00\x03"
    )


@given(
    headers=st.lists(
        st.dictionaries(st.text("abcdef-", min_size=1, max_size=9), st.text("xyz0189 ")), max_size=4
    ),
    cut=st.integers(1, 40),
)
def test_frames_are_read_however_they_are_cut(headers: list[dict[str, str]], cut: int) -> None:
    writer, reader = SpdyWriter(), SpdyReader()
    sent = b"".join(writer.syn_stream(2 * n + 1, each) for n, each in enumerate(headers))
    sent += writer.data(1, b"x" * 50) + writer.ping(9)
    found = [f for start in range(0, len(sent), cut) for f in reader.feed(sent[start : start + cut])]
    assert found[:-2] == [Frame(spdy.SYN_STREAM, 2 * n + 1, headers=each) for n, each in enumerate(headers)]
    assert found[-2:] == [Frame(None, 1, data=b"x" * 50), Frame(spdy.PING, 9)]


@given(data=st.binary(max_size=60))
def test_what_is_no_spdy_is_an_error_and_nothing_else(data: bytes) -> None:
    try:
        list(SpdyReader().feed(data))
    except SpdyError:
        return


@pytest.mark.parametrize(
    "block",
    [b"", struct.pack(">I", 9), struct.pack(">II", 1, 99) + b"name", struct.pack(">I", 1) + b"\0" * 70_000],
)
def test_headers_that_are_wrong_or_too_long_are_an_error(block: bytes) -> None:
    packing = zlib.compressobj(zdict=spdy.DICTIONARY)
    packed = packing.compress(block) + packing.flush(zlib.Z_SYNC_FLUSH)
    frame = struct.pack(">HHI", 0x8003, spdy.SYN_STREAM, 10 + len(packed)) + bytes(10) + packed
    with pytest.raises(SpdyError):
        list(SpdyReader().feed(frame))


class Client:
    """The other end of a tunnel, without a WebSocket between."""

    def __init__(self) -> None:
        self.writer, self._reader = SpdyWriter(), SpdyReader()
        self.to_server: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._frames: asyncio.Queue[Frame] = asyncio.Queue()

    async def receive(self) -> bytes | None:
        return await self.to_server.get()

    async def send(self, data: bytes) -> None:
        for frame in self._reader.feed(data):
            self._frames.put_nowait(frame)

    async def open(self, stream: int, kind: str, request: str = "0", port: str = "80") -> Frame:
        headers = {"streamType": kind, "port": port, "requestID": request}
        self.to_server.put_nowait(self.writer.syn_stream(stream, headers))
        return await self._frames.get()

    async def next(self) -> Frame:
        return await self._frames.get()


async def echo(port: int, end: TunnelEnd) -> str:
    if port == 81:
        return "connection refused"
    while data := await end.receive():
        await end.send(data.upper())
    return ""


def tunnel(body: Callable[[Client], Awaitable[None]]) -> None:
    async def whole() -> None:
        client = Client()
        serving = asyncio.create_task(Tunnel(client, echo).serve())  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            await body(client)
            client.to_server.put_nowait(None)
            await serving

    asyncio.run(whole())


def test_two_streams_are_a_connection_that_carries_data_both_ways() -> None:
    async def body(client: Client) -> None:
        assert await client.open(1, "error") == Frame(spdy.SYN_REPLY, 1)
        client.to_server.put_nowait(client.writer.data(1, b"", fin=True))
        assert await client.open(3, "data") == Frame(spdy.SYN_REPLY, 3)
        client.to_server.put_nowait(client.writer.data(3, b"hello"))
        assert await client.next() == Frame(None, 3, data=b"HELLO")
        client.to_server.put_nowait(client.writer.data(3, b"", fin=True))
        assert [await client.next(), await client.next()] == [Frame(None, 1, True), Frame(None, 3, True)]

    tunnel(body)


def test_connections_do_not_mix_and_pings_are_answered() -> None:
    async def body(client: Client) -> None:
        for number, stream in enumerate((1, 5)):
            await client.open(stream, "error", str(number))
            await client.open(stream + 2, "data", str(number))
        client.to_server.put_nowait(client.writer.data(7, b"b") + client.writer.ping(4))
        found = [await client.next(), await client.next()]
        assert Frame(None, 7, data=b"B") in found
        assert Frame(spdy.PING, 4) in found
        client.to_server.put_nowait(client.writer.reset(7, 5) + client.writer.data(3, b"a"))
        assert await client.next() == Frame(None, 3, data=b"A")

    tunnel(body)


def test_what_went_wrong_is_told_on_the_stream_for_errors() -> None:
    async def body(client: Client) -> None:
        await client.open(1, "error", port="81")
        await client.open(3, "data", port="81")
        assert await client.next() == Frame(None, 1, data=b"connection refused")
        assert [await client.next(), await client.next()] == [Frame(None, 1, True), Frame(None, 3, True)]

    tunnel(body)


@pytest.mark.parametrize(
    ("kind", "request_id", "port"),
    [
        ("other", "0", "80"),
        ("data", "", "80"),
        ("data", "0", "http"),
        ("data", "0", "0"),
        ("data", "0", "65536"),
    ],
)
def test_streams_that_say_too_little_are_reset(kind: str, request_id: str, port: str) -> None:
    async def body(client: Client) -> None:
        assert (await client.open(1, kind, request_id, port)).kind == spdy.RST_STREAM

    tunnel(body)


def test_a_stream_that_is_there_twice_is_reset() -> None:
    async def body(client: Client) -> None:
        assert (await client.open(1, "error")).kind == spdy.SYN_REPLY
        assert (await client.open(3, "error")).kind == spdy.RST_STREAM
        assert (await client.open(1, "data")).kind == spdy.RST_STREAM

    tunnel(body)


def test_data_that_waits_for_a_connection_that_never_comes_is_bounded() -> None:
    async def body(client: Client) -> None:
        await client.open(1, "data")
        for _ in range(17):
            client.to_server.put_nowait(client.writer.data(1, bytes(1 << 16)))
        assert (await client.next()).kind == spdy.RST_STREAM

    tunnel(body)


def test_nonsense_ends_the_tunnel() -> None:
    async def body(client: Client) -> None:
        client.to_server.put_nowait(b"\x80\x09" + bytes(10))
        assert (await client.next()).kind == spdy.GOAWAY

    tunnel(body)


def test_ports_of_the_query_are_numbers() -> None:
    assert read_ports(Query([("ports", "80,81"), ("ports", "82")])) == [80, 81, 82]
    for wrong in ("http", "0", "70000", ""):
        with pytest.raises(BadRequestError, match="as a port"):
            read_ports(Query([("ports", wrong)]))
    with pytest.raises(BadRequestError, match="is required"):
        read_ports(Query([]))
