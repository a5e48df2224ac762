"""Open connections by endpoint: how busy each one is, and what to reset when its node is lost."""

from __future__ import annotations

import asyncio
import errno
from collections import defaultdict

from leeward.cluster.network.endpoints import Endpoint

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """What proxy and ingress have open at this moment.

    Invariant: every ``add`` is followed by a ``remove`` with the same arguments; a second ``remove``
    changes nothing.
    """

    def __init__(self) -> None:
        self._by_node: dict[str, set[Stream]] = defaultdict(set)
        self._by_address: dict[str, set[Stream]] = defaultdict(set)

    def add(self, endpoint: Endpoint, upstream: Stream, client: Stream | None = None) -> None:
        """Remember a connection to `endpoint`, and the client's that ends with it."""
        self._by_address[endpoint.ip].add(upstream)
        self._by_node[endpoint.node].update((upstream,) if client is None else (upstream, client))

    def remove(self, endpoint: Endpoint, upstream: Stream, client: Stream | None = None) -> None:
        """Forget a connection."""
        for table, key in ((self._by_address, endpoint.ip), (self._by_node, endpoint.node)):
            open_ones = table[key]
            open_ones.discard(upstream)
            if client is not None:
                open_ones.discard(client)
            if not open_ones:
                del table[key]

    def count(self, node: str) -> int:
        """Return how many connections depend on `node`."""
        return len(self._by_node.get(node, ()))

    def load(self, endpoint: Endpoint) -> int:
        """Return how many connections `endpoint` has."""
        return len(self._by_address.get(endpoint.ip, ()))

    def reset(self, node: str) -> None:
        """Reset every connection that depends on `node`; whoever reads from one gets an error."""
        for stream in self._by_node.pop(node, set()):
            # the end alone would pass for the end of an answer that has no length
            stream[0].set_exception(ConnectionResetError(errno.ECONNRESET, f"node {node} is lost"))
            stream[1].transport.abort()
