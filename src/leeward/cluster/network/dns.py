"""The cluster's DNS server: Service and Pod names under ``cluster.local``, everything else forwarded.

Compose names resolve because a Pod's resolv.conf searches ``<namespace>.svc.cluster.local``: the name
``db`` becomes the Service ``db`` of the Pod's own namespace.

Source: kubernetes/dns specification 1.1.0 (A, SRV, PTR, headless and ExternalName records).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from leeward.cluster.network.endpoints import Backend, ServiceView
from leeward.cluster.network.table import ServiceTable

if TYPE_CHECKING:
    import dnslib

logger = logging.getLogger(__name__)
TTL_SECONDS = 5
DOMAIN = "cluster.local"
MAX_ANSWERS = 1000
Peer = tuple[str, int]


class Names:
    """Answers questions about names in the cluster domain; pure but for the table it reads."""

    def __init__(self, table: ServiceTable) -> None:
        self._table = table

    def listen(self, changed: Callable[[], None]) -> None:
        """Call `changed` whenever an answer may have become another."""
        self._table.listen(lambda _keys: changed())

    def addresses(self, name: str) -> list[str] | str | None:
        """Return the addresses of `name`.

        Args:
            name: lower case, without the final dot.

        Returns:
            Addresses in order; a str is the target of a CNAME; None when the name does not exist.
        """
        labels = name.removesuffix(f".{DOMAIN}").split(".")
        if len(labels) not in (3, 4) or labels[-1] != "svc":
            return None
        view = self._table.find(labels[-2], labels[-3])
        if view is None:
            return None
        if len(labels) == 4:
            named = [backend.ip for backend in _visible(view) if _host_label(backend) == labels[0]]
            return named or None
        if view.external_name:
            return view.external_name
        if view.cluster_ip:
            return [view.cluster_ip]
        visible = _visible(view)
        return [backend.ip for backend in visible if not backend.terminating] or [b.ip for b in visible]

    def services(self, name: str) -> list[tuple[int, str]] | None:
        """Return (port, target name) for an SRV question ``_port._tcp.service.namespace.svc``."""
        labels = name.removesuffix(f".{DOMAIN}").split(".")
        if len(labels) != 5 or labels[-1] != "svc":
            return None
        view = self._table.find(labels[3], labels[2])
        port = view.port_named(labels[0].removeprefix("_")) if view else None
        if view is None or port is None or port.protocol.lower() != labels[1].removeprefix("_"):
            return None
        base = f"{view.name}.{view.namespace}.svc.{DOMAIN}"
        if view.cluster_ip:
            return [(port.port, base)]
        ready = {endpoint.ip: endpoint.port for endpoint in port.endpoints}
        return [(ready[b.ip], f"{_host_label(b)}.{base}") for b in view.backends if b.ip in ready]

    def name_of(self, ip: str) -> str | None:
        """Return the name for a PTR question about `ip`, if a Service has that address."""
        found = next((view for view in self._table.views() if view.cluster_ip == ip), None)
        return f"{found.name}.{found.namespace}.svc.{DOMAIN}" if found else None


def _visible(view: ServiceView) -> list[Backend]:
    return [backend for backend in view.backends if backend.ready or view.publish_not_ready]


def _host_label(backend: Backend) -> str:
    return backend.hostname or backend.ip.replace(".", "-")


def answer(names: Names, query: bytes) -> bytes | None:
    """Answer one DNS message; None when it is about a name outside the cluster.

    Raises:
        ValueError: `query` is no DNS question.
    """
    import dnslib  # imported late: heavy, and not needed before the first question

    try:
        record = dnslib.DNSRecord.parse(query)
        name, kind = str(record.q.qname).rstrip(".").lower(), dnslib.QTYPE[record.q.qtype]
    except Exception as error:  # dnslib raises many kinds for garbage
        raise ValueError("not a DNS question") from error
    reply: dnslib.DNSRecord = record.reply(ra=1)
    if kind == "PTR" and name.endswith(".in-addr.arpa"):
        target = names.name_of(".".join(reversed(name.removesuffix(".in-addr.arpa").split("."))))
        if target is None:
            return None
        _add(reply, name, "PTR", dnslib.PTR(target))
    elif not name.endswith(f".{DOMAIN}"):
        return None
    elif kind == "SRV":
        found = names.services(name)
        for port, host in found or ():
            _add(reply, name, "SRV", dnslib.SRV(0, 100, port, host))
        reply.header.rcode = dnslib.RCODE.NOERROR if found is not None else dnslib.RCODE.NXDOMAIN
    else:
        _add_addresses(reply, name, kind, names.addresses(name))
    return bytes(reply.pack())


def _add_addresses(reply: dnslib.DNSRecord, name: str, kind: str, found: Sequence[str] | str | None) -> None:
    import dnslib

    if found is None:
        reply.header.rcode = dnslib.RCODE.NXDOMAIN
    elif isinstance(found, str):
        _add(reply, name, "CNAME", dnslib.CNAME(found))
    elif kind in ("A", "ANY"):
        for ip in found:
            _add(reply, name, "A", dnslib.A(ip))


def _add(reply: dnslib.DNSRecord, name: str, kind: str, data: Any) -> None:
    import dnslib

    reply.add_answer(dnslib.RR(name, getattr(dnslib.QTYPE, kind), rdata=data, ttl=TTL_SECONDS))


class DnsServer(asyncio.DatagramProtocol):
    """Serves UDP on one address; TCP is refused, as answers are small.

    Answers are kept until a Service changes, because programs ask the same few questions all the time.

    Args:
        names: the cluster's names.
        upstreams: nameservers of the machine, for every other name.
    """

    def __init__(self, names: Names, upstreams: Sequence[str]) -> None:
        self._names = names
        self._upstreams = [ip for ip in upstreams if ":" not in ip]
        self._transport: asyncio.DatagramTransport | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._answers: dict[bytes, bytes] = {}  # by what follows the id of a question
        names.listen(self._answers.clear)

    async def start(self, ip: str, port: int = 53) -> None:
        """Bind.

        Raises:
            OSError: the address cannot be bound.
        """
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(ip, port))

    def stop(self) -> None:
        """Stop serving."""
        if self._transport:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        """Answer, or forward and answer later."""
        known = self._answers.get(data[2:])
        if known is not None:
            self._send(data[:2] + known, addr)
            return
        try:
            reply = answer(self._names, data)
        except ValueError:
            return
        if reply is not None:
            self._keep(data, reply)
            self._send(reply, addr)
            return
        task = asyncio.ensure_future(self._forward(data, addr))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _keep(self, question: bytes, reply: bytes) -> None:
        if len(self._answers) >= MAX_ANSWERS:
            self._answers.clear()
        self._answers[question[2:]] = reply[2:]

    async def _forward(self, data: bytes, client: Peer) -> None:
        """Ask the machine's nameservers in turn; NXDOMAIN when none answers."""
        loop = asyncio.get_running_loop()
        for upstream in self._upstreams:
            waiter: asyncio.Future[bytes] = loop.create_future()
            once = _Once(waiter)
            with contextlib.suppress(OSError, TimeoutError):
                transport, _ = await loop.create_datagram_endpoint(_same(once), remote_addr=(upstream, 53))
                try:
                    transport.sendto(data)
                    async with asyncio.timeout(2):
                        self._send(await waiter, client)
                        return
                finally:
                    transport.close()
        self._send(_no_such_name(data), client)

    def _send(self, reply: bytes, client: Peer) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.sendto(reply, client)


class _Once(asyncio.DatagramProtocol):
    """Hands the first datagram, or the first error, to a future."""

    def __init__(self, waiter: asyncio.Future[bytes]) -> None:
        self._waiter = waiter

    def datagram_received(self, data: bytes, addr: Peer) -> None:
        if not self._waiter.done():
            self._waiter.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._waiter.done():
            self._waiter.set_exception(exc)


def _same(once: _Once) -> Callable[[], _Once]:
    return lambda: once


def _no_such_name(query: bytes) -> bytes:
    """Turn a question into its NXDOMAIN answer."""
    return query[:2] + bytes([query[2] | 0x80, 0x83]) + query[4:]
