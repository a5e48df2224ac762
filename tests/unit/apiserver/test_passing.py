"""Requests that are passed on arrive as they were sent, and end when the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from leeward.cluster.apiserver.http import Message, Request
from leeward.cluster.apiserver.streaming.passing import Location, Proxied, pass_on, redirected
from leeward.kube.status import BadRequestError

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
TOKEN = (b"sec-websocket-protocol", b"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.cm9vdA")
GONE: Message = {"type": "http.disconnect"}


class Asker:
    """A client that sends what it is told to."""

    def __init__(self, method: str = "GET", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        scope = {"method": method, "raw_path": b"/p", "query_string": b"", "headers": headers or []}
        self.request = Request(scope, self.messages.get)

    def say(self, body: bytes = b"", more: bool = False) -> None:
        self.messages.put_nowait({"type": "http.request", "body": body, "more_body": more})

    async def ask(self, port: int, target: str = "/", **more: Any) -> Proxied:
        async with httpx.AsyncHTTPTransport() as transport:
            return await pass_on(self.request, Location("http", "127.0.0.1", port), target, transport, **more)


def run(body: Callable[[int, asyncio.Queue[Streams]], Awaitable[None]]) -> None:
    """Run a test with the port of a server, and the connections to it."""

    async def whole() -> None:
        met: asyncio.Queue[Streams] = asyncio.Queue()

        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            met.put_nowait((reader, writer))

        server = await asyncio.start_server(meet, "127.0.0.1", 0)
        async with asyncio.timeout(10):
            await body(server.sockets[0].getsockname()[1], met)
        server.close()

    asyncio.run(whole())


@pytest.mark.parametrize(
    ("target", "arrives"),
    [
        ("/a/../b//c?d=/../e", b"/a/../b//c?d=/../e"),
        ("/%2e%2E/%zz?a b", b"/%2e%2E/%zz?a%20b"),
        ("/\xe9", b"/%E9"),
    ],
)
def test_a_path_arrives_as_it_was_sent(target: str, arrives: bytes) -> None:
    async def body(port: int, met: asyncio.Queue[Streams]) -> None:
        asking = asyncio.create_task(Asker().ask(port, target))
        reader, writer = await met.get()
        assert (await reader.readline()).split(b" ")[1] == arrives
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        assert (await asking).status == 204
        writer.close()

    run(body)


def test_headers_arrive_whatever_their_bytes_are() -> None:
    async def body(port: int, met: asyncio.Queue[Streams]) -> None:
        asker = Asker(headers=[(b"x-name", "J\xe9r\xf4me".encode()), (b"x-old", b"caf\xe9"), TOKEN])
        asking = asyncio.create_task(asker.ask(port, identity=[("x-remote-user", "J\xe9r\xf4me")]))
        reader, writer = await met.get()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b"x-name: j\xc3\xa9r\xc3\xb4me\r\n" in head
        assert b"x-old: caf\xe9\r\n" in head
        assert b"x-remote-user: j\xc3\xa9r\xc3\xb4me\r\n" in head
        assert b"bearer" not in head
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await asking
        writer.close()

    run(body)


@pytest.mark.parametrize("keeps", [True, False])
def test_the_host_is_that_of_the_client_for_pods_and_services_and_else_that_of_the_server(
    keeps: bool,
) -> None:
    async def body(port: int, met: asyncio.Queue[Streams]) -> None:
        asker = Asker(headers=[(b"host", b"shop.example.com")])
        asking = asyncio.create_task(asker.ask(port, keeps_host=keeps))
        reader, writer = await met.get()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.count(b"\r\nhost: ") == 1
        assert (b"\r\nhost: shop.example.com\r\n" in head) == keeps
        assert (f"\r\nhost: 127.0.0.1:{port}\r\n".encode() in head) != keeps
        assert b"\r\nx-forwarded-host: shop.example.com\r\n" in head
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await asking
        writer.close()

    run(body)


@pytest.mark.parametrize("sent", [b"", b"text"])
def test_who_leaves_before_the_answer_lets_go_of_the_connection(sent: bytes) -> None:
    async def body(port: int, met: asyncio.Queue[Streams]) -> None:
        headers = [(b"content-length", b"%d" % len(sent))] if sent else []
        asker = Asker("POST" if sent else "GET", headers)
        asker.say(sent)
        asking = asyncio.create_task(asker.ask(port))
        reader, writer = await met.get()
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(len(sent)) == sent
        assert head.startswith(b"POST" if sent else b"GET")
        asker.messages.put_nowait(GONE)
        with pytest.raises(BadRequestError, match="the client went away"):
            await asking
        assert await reader.read() == b""
        writer.close()

    run(body)


def test_who_leaves_within_the_body_lets_go_of_the_connection() -> None:
    async def body(port: int, met: asyncio.Queue[Streams]) -> None:
        asker = Asker("POST", [(b"transfer-encoding", b"chunked")])
        asker.say(b"some", more=True)
        asking = asyncio.create_task(asker.ask(port))
        reader, writer = await met.get()
        await reader.readuntil(b"some")
        asker.messages.put_nowait(GONE)
        with pytest.raises(BadRequestError, match="the client went away"):
            await asking
        assert not await reader.read() or reader.at_eof()
        writer.close()

    run(body)


def test_a_redirection_to_nonsense_stays_as_it_is() -> None:
    assert redirected("http://[nonsense/a", Location("http", "10.0.0.7", 80), "/p") == "http://[nonsense/a"
