"""Host ports that Compose publishes: each is a listener on this machine in front of one Service port.

HTTP is recognised by its first bytes and goes through the ingress, so that it is retried when an
endpoint dies; anything else, or a client that waits for the server to speak first, is relayed as TCP.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from leeward.cluster.interface.client import Reader
from leeward.cluster.network.balancer import Balancer
from leeward.cluster.network.connections import Stream
from leeward.cluster.network.ingress import Ingress
from leeward.cluster.network.proxy import ServiceProxy
from leeward.cluster.network.routes import Route
from leeward.cluster.network.table import ServiceTable
from leeward.kube.objects import ObjectKey, annotations_of
from leeward.kube.wellknown import PUBLISHED_PORTS

logger = logging.getLogger(__name__)
PEEK_SECONDS = 0.2  # how long a client may stay silent before it is taken for one that listens first
METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"PATCH ", b"DELETE ", b"OPTIONS ")


class Published(NamedTuple):
    """One listener."""

    ip: str
    port: int


class Target(NamedTuple):
    """What stands behind it."""

    service: ObjectKey
    port: int


class PublishedPorts:
    """Keeps the listeners that Services ask for in their annotation.

    Args:
        reader: where Services come from.
        table: their endpoints.
        ingress: serves HTTP.
        proxy: serves everything else.
        balancer: orders the endpoints.
        shared: Pods share this machine's network, so one that listens on the published port is published.
    """

    def __init__(
        self,
        reader: Reader,
        table: ServiceTable,
        ingress: Ingress,
        proxy: ServiceProxy,
        balancer: Balancer,
        *,
        shared: bool = False,
    ) -> None:
        self._reader = reader
        self._table = table
        self._ingress = ingress
        self._proxy = proxy
        self._balancer = balancer
        self._shared = shared
        self._asked: dict[ObjectKey, list[tuple[Published, int]]] = {}
        self._wanted: dict[Published, Target] = {}
        self._servers: dict[Published, asyncio.Server] = {}
        self._wake = asyncio.Event()

    def changed(self, keys: set[ObjectKey]) -> None:
        """Take note of changed Services; called by the table."""
        for key in keys:
            service = self._reader.find("services", *key)
            text = annotations_of(service).get(PUBLISHED_PORTS) if service else None
            self._asked[key] = _parse(text) if text else []
            if not self._asked[key]:
                del self._asked[key]
        self._wanted = {
            place: to
            for place, to in self._wanted.items()
            if (place, to.port) in self._asked.get(to.service, ())
        }
        for key in sorted(self._asked):  # of several that ask for a port the first one has it
            for place, number in self._asked[key]:
                if not (self._shared and place.port == number):  # else the container itself listens there
                    self._wanted.setdefault(place, Target(key, number))
        if set(self._wanted) != set(self._servers):
            self._wake.set()

    def wanted(self) -> dict[Published, Target]:
        """Return where there should be listeners, and what stands behind each."""
        return dict(self._wanted)

    async def run(self) -> None:
        """Open and close listeners until cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                for place in [*self._servers.keys() - self._wanted.keys()]:
                    self._servers.pop(place).close()
                for place in sorted(self._wanted.keys() - self._servers.keys()):
                    await self._open(place)
        finally:
            for server in self._servers.values():
                server.close()
            self._servers.clear()

    async def _open(self, place: Published) -> None:
        try:
            server = await asyncio.start_server(self._handler(place), place.ip, place.port, backlog=512)
        except OSError as error:
            logger.warning("cannot publish %s:%s: %s", place.ip, place.port, error)
            target = self._wanted.get(place)
            service = self._reader.find("services", *target.service) if target else None
            if service is not None:
                self.on_conflict(service, f"cannot listen on {place.ip}:{place.port}: {error}")
            return
        self._servers[place] = server

    on_conflict: Callable[[dict[str, Any], str], None] = staticmethod(lambda service, message: None)

    def _handler(
        self, place: Published
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve((reader, writer), place)

        return accept

    def _route(self, place: Published) -> Route | None:
        """Return what stands behind a listener now."""
        target = self._wanted.get(place)
        view = self._table.find(*target.service) if target else None
        port = view.port_numbered(target.port) if view and target else None
        return Route(view, port) if view and port else None

    async def _serve(self, client: Stream, place: Published) -> None:
        if self._route(place) is None:
            client[1].close()
            return
        first = b""
        try:
            async with asyncio.timeout(PEEK_SECONDS):
                first = await client[0].read(65536)
        except TimeoutError:
            pass  # it waits for the server to speak
        except OSError:
            client[1].close()
            return
        if first.startswith(METHODS):
            await self._ingress.serve(client, first, lambda: self._route(place))
        else:
            route = self._route(place)
            await self._proxy.serve(
                client, self._balancer.order(route.port.endpoints if route else ()), first
            )


def _parse(text: str) -> list[tuple[Published, int]]:
    """Read the annotation; entries that make no sense are logged and left out."""
    found: list[tuple[Published, int]] = []
    try:
        for entry in json.loads(text):
            if str(entry.get("protocol", "TCP")).upper() == "TCP":
                place = Published(entry.get("hostIP") or "127.0.0.1", int(entry["published"]))
                if not 0 < place.port < 65536:
                    raise ValueError(place.port)
                found.append((place, int(entry["target"])))
    except (ValueError, KeyError, TypeError, AttributeError):
        logger.warning("annotation %s is not understood: %s", PUBLISHED_PORTS, text)
    return found
