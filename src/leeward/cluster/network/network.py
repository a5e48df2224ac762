"""The network of one cluster: starts and stops table, DNS, Service proxy, ingress and published ports."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from random import Random

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.cluster.interface.client import Client
from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Connections
from leeward.cluster.network.dns import DnsServer, Names
from leeward.cluster.network.ingress import Ingress
from leeward.cluster.network.ingressstatus import publish_status
from leeward.cluster.network.proxy import ServiceProxy
from leeward.cluster.network.published import PublishedPorts
from leeward.cluster.network.routes import find_route
from leeward.cluster.network.table import ServiceTable

logger = logging.getLogger(__name__)


class Network:
    """Everything between a name and an endpoint.

    Args:
        client: its identity towards the API.
        clock: batches changes, measures suspicion.
        rng: which of equally busy endpoints is next.
        plan: the cluster's addresses; None for simulated Pods, which nothing can connect to.
        ingress_port: where the ingress listens on 127.0.0.1.
        nameservers: the machine's own, for names outside the cluster.
    """

    def __init__(
        self,
        *,
        client: Client,
        clock: Clock,
        rng: Random,
        plan: AddressPlan | None,
        ingress_port: int,
        nameservers: Sequence[str] = (),
    ) -> None:
        self._client = client
        self._isolated = plan if plan is not None and plan.isolated else None
        self._ingress_port = ingress_port
        self._table = ServiceTable(client, clock)
        self._connections = Connections()
        self._balancer = Balancer(self._table, clock, self._connections, rng)
        self._proxy = ServiceProxy(
            self._table,
            self._balancer,
            self._connections,
            clock=clock,
            reserved=str(plan.dns) if plan else "",
        )
        self._ingress = Ingress(
            lambda host, path: find_route(client, self._table, host, path), self._balancer, self._connections
        )
        self._published = PublishedPorts(
            client,
            self._table,
            self._ingress,
            self._proxy,
            self._balancer,
            shared=plan is not None and not plan.isolated,
        )
        self._dns = DnsServer(Names(self._table), nameservers)
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to serve.

        Raises:
            OperationError: the ingress port or the DNS port is taken; nothing serves then.
        """
        self._table.on_node_lost = self._connections.reset
        self._published.on_conflict = lambda service, message: self._client.record(
            service, event_type="Warning", reason="PortConflict", message=message
        )
        try:
            await self._listen()
        except BaseException:
            await self.stop()
            raise
        self._table.listen(self._published.changed)
        self._table.listen(lambda keys: publish_status(self._client, self._ingress_port))
        self._tasks.append(asyncio.ensure_future(self._published.run()))
        if self._isolated is not None:
            self._table.listen(self._proxy.changed)
            self._tasks.append(asyncio.ensure_future(self._proxy.run()))
        self._table.start()

    async def _listen(self) -> None:
        """Open the ingress and the DNS server."""
        try:
            self._server = await asyncio.start_server(
                lambda reader, writer: self._ingress.serve((reader, writer)),
                "127.0.0.1",
                self._ingress_port,
                backlog=1024,
            )
        except OSError as error:
            raise OperationError(
                f"the ingress cannot listen on 127.0.0.1:{self._ingress_port}: {error.strerror or error}",
                remedy="Choose another port with --ingress-port, or stop the program that has it.",
            ) from error
        if self._isolated is None:
            return
        try:
            await self._dns.start(str(self._isolated.dns))
        except OSError as error:
            raise OperationError(
                f"the cluster DNS cannot listen on {self._isolated.dns}:53: {error.strerror or error}",
                remedy="Stop this machine's DNS server that listens on every address, or limit it to some.",
            ) from error

    async def stop(self) -> None:
        """Close every listener."""
        self._table.stop()
        if self._server:
            self._server.close()
        self._dns.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
