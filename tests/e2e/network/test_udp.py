"""The UDP relay over real sockets: clients follow their Service, and are forgotten."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from random import Random
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.endpoints import Endpoint
from leeward.cluster.network.udp import IDLE_SECONDS, UdpRelay

pytestmark = pytest.mark.e2e


class NoLostNodes:
    lost_nodes: frozenset[str] = frozenset()


class Echo(asyncio.DatagramProtocol):
    """Answers with its name and what it was sent; remembers who sent it."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.peers: list[tuple[str, int]] = []

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.peers.append(addr)
        self.transport.sendto(self.name + b" " + data, addr)


class Client(asyncio.DatagramProtocol):
    """One client socket."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bytes] = asyncio.Queue()

    transport: Any

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.answers.put_nowait(data)

    async def answer(self) -> bytes:
        async with asyncio.timeout(2):
            return await self.answers.get()

    async def ask(self, data: bytes) -> bytes:
        self.transport.sendto(data)
        return await self.answer()


def same(echo: Echo) -> Callable[[], Echo]:
    return lambda: echo


class Bench:
    """A relay in front of the endpoints a and b; only a is ready at first."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.echoes = {name: Echo(name.encode()) for name in "ab"}
        self.endpoints: dict[str, Endpoint] = {}
        self.ready: list[Endpoint] = []

    async def client(self) -> Client:
        loop = asyncio.get_running_loop()
        _, client = await loop.create_datagram_endpoint(Client, remote_addr=self.relay.address)
        self.clients.append(client)
        return client

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        self.clients: list[Client] = []
        for echo in self.echoes.values():
            await loop.create_datagram_endpoint(same(echo), local_addr=("127.0.0.1", 0))
            port = echo.transport.get_extra_info("sockname")[1]
            self.endpoints[echo.name.decode()] = Endpoint("127.0.0.1", port, "n1")
        self.ready = [self.endpoints["a"]]
        balancer = Balancer(NoLostNodes(), self.clock, Connections(), Random(1))  # type: ignore[arg-type]
        self.relay = await UdpRelay.listen(
            "127.0.0.1", 0, lambda: self.ready, balancer=balancer, clock=self.clock
        )
        try:
            yield
        finally:
            self.relay.close()
            for transport in [e.transport for e in self.echoes.values()] + [
                c.transport for c in self.clients
            ]:
                transport.close()
            await asyncio.sleep(0.01)  # lets transports finish closing


def test_a_client_follows_its_service_to_another_endpoint() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            client = await bench.client()
            assert await client.ask(b"1") == b"a 1"
            bench.ready = [bench.endpoints["b"]]
            assert await client.ask(b"2") == b"b 2"

    asyncio.run(run())


def test_a_client_stays_with_its_endpoint_while_that_is_ready() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            client = await bench.client()
            await client.ask(b"1")
            bench.ready = [bench.endpoints["b"], bench.endpoints["a"]]
            assert [await client.ask(b"2") for _ in range(3)] == [b"a 2"] * 3

    asyncio.run(run())


def test_two_quick_datagrams_come_from_one_socket() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            client = await bench.client()
            client.transport.sendto(b"1")
            client.transport.sendto(b"2")
            assert [await client.answer(), await client.answer()] == [b"a 1", b"a 2"]
            assert len(set(bench.echoes["a"].peers)) == 1
            assert bench.relay.clients == 1

    asyncio.run(run())


def test_an_idle_client_is_forgotten_and_may_come_back() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            idle, busy = await bench.client(), await bench.client()
            await idle.ask(b"1")
            await busy.ask(b"1")
            bench.clock.advance(IDLE_SECONDS / 2)
            await busy.ask(b"2")
            bench.clock.advance(IDLE_SECONDS / 2)
            assert bench.relay.clients == 1
            bench.clock.advance(IDLE_SECONDS / 2)
            assert bench.relay.clients == 0
            assert await idle.ask(b"3") == b"a 3"

    asyncio.run(run())


def test_a_client_leaves_an_endpoint_where_nobody_listens() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            client = await bench.client()
            await client.ask(b"1")
            bench.ready = [bench.endpoints["a"], bench.endpoints["b"]]
            bench.echoes["a"].transport.close()
            await asyncio.sleep(0.01)
            client.transport.sendto(b"2")  # is lost, as UDP may be; the machine says so
            await asyncio.sleep(0.05)
            assert bench.relay.clients == 0

    asyncio.run(run())


def test_without_endpoints_nobody_is_remembered() -> None:
    async def run() -> None:
        bench = Bench()
        async with bench.running():
            bench.ready = []
            client = await bench.client()
            client.transport.sendto(b"1")
            await asyncio.sleep(0.05)
            assert bench.relay.clients == 0

    asyncio.run(run())
