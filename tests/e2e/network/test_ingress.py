"""The ingress over real sockets: retries, hedges, streams and says what is wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from random import Random
from typing import NamedTuple

import h11
import pytest

from leeward.base.clock import SystemClock
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.endpoints import Endpoint, ServicePort, ServiceView
from leeward.cluster.network.exchange import Request
from leeward.cluster.network.ingress import Ingress
from leeward.cluster.network.routes import Route

pytestmark = pytest.mark.e2e


class Front(NamedTuple):
    """What a test holds of the ingress under test."""

    port: int
    endpoints: list[Endpoint]  # what the Service has now; a test may change it
    balancer: Balancer
    connections: Connections

    def suspects(self) -> set[str]:
        """Return the nodes whose endpoints are tried last: those that are never first."""
        first = {self.balancer.order(self.endpoints)[0].node for _ in self.endpoints}
        return {endpoint.node for endpoint in self.endpoints} - first


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
    head = await reader.readuntil(b"\r\n\r\n")
    if b"content-length: 4" in head.lower():
        await reader.readexactly(4)  # closing with something unread would be a reset
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    writer.close()


async def unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n")
    writer.close()


def slow(seconds: float, seen: list[bytes]) -> Serve:
    """Answer after a while; `seen` gets the method of every request that arrives."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        seen.append(head.split(b" ")[0])
        try:
            await asyncio.sleep(seconds)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nslow")
        finally:
            writer.close()

    return serve


async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


async def until_closed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.0 200 OK\r\n\r\nhalf")
    try:
        await asyncio.sleep(30)
    finally:
        writer.close()


async def stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(65536)
    writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
    await writer.drain()
    await asyncio.sleep(0.2)
    writer.write(b"3\r\ntwo\r\n0\r\n\r\n")
    writer.close()


@contextlib.asynccontextmanager
async def serving(*handlers: Serve | None) -> AsyncIterator[Front]:
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
    view = ServiceView("shop", "web", "10.0.0.5", "", False, (), ())
    connections = Connections()
    balancer = Balancer(NoLostNodes(), SystemClock(), connections, Random(1))  # type: ignore[arg-type]

    def find(host: str, path: str) -> Route | None:
        port = ServicePort("http", "TCP", 80, tuple(endpoints))
        return Route(view, port) if host == "web.localhost" else None

    ingress = Ingress(find, balancer, connections)
    front = await asyncio.start_server(
        accepting(lambda reader, writer: ingress.serve((reader, writer))), "127.0.0.1", 0
    )
    try:
        yield Front(front.sockets[0].getsockname()[1], endpoints, balancer, connections)
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
        async with serving(*handlers) as front:
            return [await request(front.port, method, body) for _ in range(times)]

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
        async with serving(good) as front:
            return await request(front.port, host="other.localhost")

    assert b"no service is published as 'other.localhost'" in asyncio.run(run())


def test_a_get_passes_a_second_silent_endpoint_too() -> None:
    assert all(reply.endswith(b"you said GET") for reply in ask(silent, silent, good, times=3))


def test_many_endpoints_that_refuse_do_not_fail_a_request() -> None:
    dead: list[Serve | None] = [None] * 6
    assert all(reply.endswith(b"you said GET") for reply in ask(*dead, good, times=7))
    assert all(reply.endswith(b"you said PUT") for reply in ask(*dead, good, times=7, method="PUT"))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_slow_request_reaches_the_only_endpoint_once(method: str) -> None:
    seen: list[bytes] = []
    (reply,) = ask(slow(2.5, seen), times=1, method=method)
    assert reply.endswith(b"slow")
    assert seen == [method.encode()]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_a_slow_request_that_changes_something_is_not_hedged(method: str) -> None:
    seen: list[bytes] = []
    (reply,) = ask(slow(1.5, seen), slow(1.5, seen), times=1, method=method)
    assert reply.endswith(b"slow")
    assert len(seen) == 1


def test_a_put_is_repeated_elsewhere_when_the_connection_is_reset() -> None:
    replies = ask(resets, good, method="PUT", body=b"data")
    assert all(reply.endswith(b"you said PUT data") for reply in replies)


@pytest.mark.parametrize("bad", [breaks_off, unavailable], ids=["breaks-off", "unavailable"])
def test_a_put_that_was_answered_is_not_repeated(bad: Serve) -> None:
    assert not any(b"you said" in reply for reply in ask(bad, good, times=1, method="PUT"))


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_a_lost_node_was_asked_is_asked_of_a_new_endpoint(method: str) -> None:
    async def run() -> bytes:
        async with serving(silent, good) as front:
            replacement = front.endpoints.pop()
            asked = asyncio.ensure_future(request(front.port, method))
            await asyncio.sleep(0.3)
            assert not asked.done()
            front.endpoints[:] = [replacement]
            front.connections.reset("n2")
            return await asked

    assert asyncio.run(run()).endswith(b"you said " + method.encode())


def test_a_post_that_a_lost_node_was_sent_fails() -> None:
    async def run() -> bytes:
        async with serving(silent, good) as front:
            front.endpoints.pop()
            asked = asyncio.ensure_future(request(front.port, "POST"))
            await asyncio.sleep(0.3)
            front.connections.reset("n2")
            return await asked

    assert asyncio.run(run()).startswith(b"HTTP/1.1 502")


def test_an_endpoint_that_was_only_slow_is_trusted_again_when_it_answers() -> None:
    async def run() -> list[bytes]:
        seen: list[bytes] = []
        async with serving(slow(1.6, seen), good) as front:
            assert (await request(front.port)).endswith(b"you said GET")
            assert front.suspects() == {"n2"}
            await asyncio.sleep(0.9)
            assert front.suspects() == set()
            assert not any(front.connections.count(node) for node in ("n2", "n3"))
        return seen

    assert asyncio.run(run()) == [b"GET"]


def test_an_endpoint_that_stays_silent_is_abandoned() -> None:
    async def run() -> None:
        async with serving(silent, good) as front:
            assert (await request(front.port)).endswith(b"you said GET")
            assert front.connections.count("n2") == 1
            await asyncio.sleep(3.2)
            assert front.connections.count("n2") == 0

    asyncio.run(run())


def test_an_answer_that_a_lost_node_cut_short_does_not_look_complete() -> None:
    async def run() -> bytes:
        async with serving(until_closed) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            writer.write(b"GET / HTTP/1.1\r\nhost: web.localhost\r\n\r\n")
            received = await reader.readuntil(b"half")
            front.connections.reset("n2")
            with contextlib.suppress(ConnectionResetError):
                received += await reader.read()
            writer.close()
            return received

    assert not asyncio.run(run()).endswith(b"0\r\n\r\n")


def test_an_upgrade_that_no_endpoint_takes_is_answered() -> None:
    async def run() -> bytes:
        async with serving(None) as front:
            reader, writer = await asyncio.open_connection("127.0.0.1", front.port)
            writer.write(
                b"GET / HTTP/1.1\r\nhost: web.localhost\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n"
            )
            try:
                async with asyncio.timeout(10):
                    return await reader.read()
            finally:
                writer.close()

    assert asyncio.run(run()).startswith(b"HTTP/1.1 502")


def test_a_path_that_looks_like_a_host_is_a_path() -> None:
    head = h11.Request(method="GET", target="//[a/b?c", headers=[("host", "x")])
    assert Request(head, "").path == "//[a/b"
    absolute = h11.Request(method="GET", target="http://x/a/b?c", headers=[("host", "x")])
    assert Request(absolute, "").path == "/a/b"
