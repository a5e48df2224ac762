"""The Service proxy over real sockets."""

import asyncio
import contextlib
from random import Random
from typing import Any, cast

import pytest

from leeward.base.clock import SystemClock
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.endpoints import Endpoint, ServicePort, ServiceView
from leeward.cluster.network.proxy import Address, ServiceProxy
from leeward.kube.objects import ObjectKey

pytestmark = pytest.mark.e2e
KEY = ObjectKey("shop", "web")


class OneService:
    """A table with one Service at 127.0.0.9."""

    lost_nodes: frozenset[str] = frozenset()

    def __init__(self, port: int, endpoint: Endpoint) -> None:
        ports = (ServicePort("tcp", "TCP", port, (endpoint,)),)
        self.view = ServiceView(*KEY, "127.0.0.9", "", False, ports, ())

    def find(self, namespace: str, name: str) -> ServiceView:
        return self.view


async def slow_echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    data = await reader.read()
    await asyncio.sleep(0.3)
    writer.write(b"you said " + data)
    writer.close()


def test_a_client_that_has_said_everything_still_gets_its_answer() -> None:
    async def run() -> bytes:
        back = await asyncio.start_server(slow_echo, "127.0.0.2", 0)
        with contextlib.closing(back):
            number = back.sockets[0].getsockname()[1]
            table = cast("Any", OneService(number, Endpoint("127.0.0.2", number, "n1")))
            clock = SystemClock()
            connections = Connections()
            balancer = Balancer(table, clock, connections, Random(1))
            proxy = ServiceProxy(table, balancer, connections, clock=clock)
            proxy.changed({KEY})
            assert proxy.wanted() == [Address("127.0.0.9", number, "TCP")]
            running = asyncio.ensure_future(proxy.run())
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection("127.0.0.9", number)
            writer.write(b"hello")
            writer.write_eof()
            received = await reader.read()
            writer.close()
            running.cancel()
            await asyncio.sleep(0.01)
            return received

    assert asyncio.run(run()) == b"you said hello"
