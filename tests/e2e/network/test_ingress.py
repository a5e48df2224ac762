"""The ingress over real sockets: retries, hedges, streams and says what is wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from leeward.base.clock import SystemClock
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.endpoints import Endpoint, ServicePort, ServiceView
from leeward.cluster.network.ingress import Ingress
from leeward.cluster.network.proxy import Connections
from leeward.cluster.network.routes import Route

pytestmark = pytest.mark.e2e
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class NoLostNodes:
    lost_nodes: frozenset[str] = frozenset()


async def good(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    body = b"you said " + head.split(b" ")[0]
    if b"content-length: 4" in head.lower():
        body += b" " + await reader.readexactly(4)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    try:
        await asyncio.sleep(30)
    finally:
        writer.close()


async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    writer.close()


async def unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
    writer.close()


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
    writer.close()


@contextlib.asynccontextmanager
async def serving(*handlers: Serve | None) -> AsyncIterator[int]:
    """Serve the ingress in front of endpoints 127.0.0.2, 127.0.0.3, …; None refuses connections."""
    servers, endpoints, tasks = [], [], set[asyncio.Task[None]]()

    def accepting(handler: Serve) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            tasks.add(asyncio.ensure_future(handler(reader, writer)))

        return accept

    for number, handler in enumerate(handlers, 2):
        server = await asyncio.start_server(accepting(handler or good), f"127.0.0.{number}", 0)
        endpoints.append(Endpoint(f"127.0.0.{number}", server.sockets[0].getsockname()[1], f"n{number}"))
        if handler is None:
            server.close()
        else:
            servers.append(server)
    port = ServicePort("http", "TCP", 80, tuple(endpoints))
    view = ServiceView("shop", "web", "10.0.0.5", "", False, (port,), ())
    balancer = Balancer(NoLostNodes(), SystemClock())  # type: ignore[arg-type]
    ingress = Ingress(
        lambda host, path: Route(view, port) if host == "web.localhost" else None, balancer, Connections()
    )
    front = await asyncio.start_server(
        accepting(lambda reader, writer: ingress.serve((reader, writer))), "127.0.0.1", 0
    )
    try:
        yield front.sockets[0].getsockname()[1]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for server in (*servers, front):
            server.close()
        await asyncio.sleep(0.01)  # lets transports finish closing


async def request(port: int, method: str = "GET", body: bytes = b"", host: str = "web.localhost") -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = f"content-length: {len(body)}\r\n" if body else ""
    writer.write(
        f"{method} / HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n{length}\r\n".encode() + body
    )
    try:
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def ask(*handlers: Serve | None, times: int = 4, method: str = "GET", body: bytes = b"") -> list[bytes]:
    async def run() -> list[bytes]:
        async with serving(*handlers) as port:
            return [await request(port, method, body) for _ in range(times)]

    return asyncio.run(run())


def test_a_request_is_answered() -> None:
    assert all(reply.endswith(b"you said GET") for reply in ask(good))


@pytest.mark.parametrize("bad", [None, breaks_off, unavailable], ids=["refuses", "breaks-off", "unavailable"])
def test_a_get_is_repeated_on_another_endpoint(bad: Serve | None) -> None:
    assert all(reply.endswith(b"you said GET") for reply in ask(bad, good))


def test_a_get_to_a_silent_endpoint_is_hedged() -> None:
    assert all(reply.endswith(b"you said GET") for reply in ask(silent, good, times=2))


def test_a_post_reaches_a_live_endpoint_when_the_other_refuses_connections() -> None:
    replies = ask(None, good, method="POST", body=b"data")
    assert all(reply.endswith(b"you said POST data") for reply in replies)


def test_a_post_that_was_sent_is_not_sent_again() -> None:
    (reply,) = ask(breaks_off, times=1, method="POST", body=b"data")
    assert b"half" in reply


def test_an_answer_without_length_is_streamed() -> None:
    (reply,) = ask(stream, times=1)
    assert b"one" in reply
    assert b"two" in reply


def test_a_service_without_endpoints_is_unavailable() -> None:
    (reply,) = ask(times=1)
    assert b"503" in reply.split(b"\r\n")[0]
    assert b"no ready endpoint" in reply


def test_an_unknown_host_is_not_found() -> None:
    async def run() -> bytes:
        async with serving(good) as port:
            return await request(port, host="other.localhost")

    assert b"no service is published as 'other.localhost'" in asyncio.run(run())
