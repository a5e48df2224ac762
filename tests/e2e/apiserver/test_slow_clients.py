"""Clients that are slow, never finish or are too many, against a server with little patience."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.certificates import CertificateProtocol
from leeward.cluster.apiserver.limits import InFlight
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.interface.user import AUTHENTICATED, MASTERS, User
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore

pytestmark = pytest.mark.e2e
PATH = "/api/v1/namespaces/default/configmaps"
PATIENCE = 0.3  # seconds
Answer = tuple[int, dict[str, str], bytes]


class Client:
    """Speaks HTTP by hand, as nobody should."""

    def __init__(self, server: ApiServer, token: str, ca: str) -> None:
        self._port, self._token = server.port, token
        self._tls = ssl.create_default_context(cadata=ca)
        self._writers: list[asyncio.StreamWriter] = []

    async def open(self, text: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect and say something."""
        reader, writer = await asyncio.open_connection("localhost", self._port, ssl=self._tls)
        self._writers.append(writer)
        writer.write(text.format(token=self._token).encode())
        await writer.drain()
        return reader, writer

    async def begin(self, method: str, path: str = PATH, size: int = 0) -> asyncio.StreamReader:
        """Send the head of a request, and nothing of its body."""
        length = f"content-length: {size}\r\n" if size else ""
        head = f"{method} {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {{token}}\r\n{length}\r\n"
        return (await self.open(head))[0]

    async def close(self) -> None:
        """Leave."""
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(each.wait_closed() for each in self._writers), return_exceptions=True)


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Return status, headers and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in lines}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return int(first.split()[1]), headers, body


@asynccontextmanager
async def serving(directory: Path, *groups: str) -> AsyncIterator[tuple[Client, Registry]]:
    """Yield a client that may do everything."""
    store = MemoryStore()
    registry = Registry(
        store, clock=SystemClock(), ids=SystemIds(), options=AdmissionOptions(disabled=("ServiceAccount",))
    )
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    subject = {"kind": "User", "name": "slow", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "ClusterRole", "name": "cluster-admin", "apiGroup": "rbac.authorization.k8s.io"}
    binding = {"metadata": {"name": "slow"}, "roleRef": role, "subjects": [subject]}
    registry.client("admin").create("clusterrolebindings.rbac.authorization.k8s.io", binding)
    pki = ensure_pki(directory / "pki", SystemClock())
    server = ApiServer(
        registry.client("admin"),
        store,
        pki=pki,
        clock=SystemClock(),
        port=0,
        admin=User("slow", (AUTHENTICATED, *groups)),
        in_flight=InFlight(reading=2, changing=2),
        seconds=PATIENCE,
    )
    await server.start()
    try:
        client = Client(server, pki.admin_token, pki.ca_certificate.read_text())
        yield client, registry
        await client.close()
    finally:
        await server.stop()


def run(directory: Path, work: Callable[[Client, Registry], Awaitable[None]], *groups: str) -> None:
    async def all_of_it() -> None:
        async with serving(directory, *groups) as (client, registry):
            await asyncio.wait_for(work(client, registry), 30)

    asyncio.run(all_of_it())


def test_a_body_that_does_not_come_is_a_timeout(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        status, _, body = await read_answer(await client.begin("POST", size=10))
        assert (status, json.loads(body)["reason"]) == (504, "Timeout")

    run(tmp_path, work)


def test_more_requests_than_there_are_places_for_are_told_to_come_again(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        held = [await client.begin("POST", size=10) for _ in range(2)]
        status, headers, body = await read_answer(await client.begin("POST", size=10))
        assert (status, headers["retry-after"]) == (429, "1")
        assert body == b"Too many requests, please try again later.\n"
        assert (await read_answer(await client.begin("GET")))[0] == 200  # whoever only reads has a place
        assert [(await read_answer(each))[0] for each in held] == [504, 504]
        assert (await read_answer(await client.begin("DELETE")))[0] == 200

    run(tmp_path, work)


def test_administrators_are_not_turned_away(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        held = [await client.begin("POST", size=10) for _ in range(3)]
        assert [(await read_answer(each))[0] for each in held] == [504, 504, 504]

    run(tmp_path, work, MASTERS)


def test_a_watch_lasts_and_takes_no_place(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        watches = [await client.begin("GET", f"{PATH}?watch=true&resourceVersion=0") for _ in range(5)]
        await read_answer(await client.begin("POST", size=10))  # that takes all the time there is
        made = {"metadata": {"name": "a", "namespace": "default"}}
        registry.client("admin").create("configmaps", made)
        for watch in watches:
            assert b'"name":"a"' in await watch.readuntil(b'"ADDED"') + await watch.readuntil(b"}\n")

    run(tmp_path, work)


@pytest.mark.parametrize("head", ["", "GET / HTTP/1.1\r\nx-slow: "])
def test_a_head_that_does_not_come_ends_the_connection(
    tmp_path: Path, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CertificateProtocol, "head_seconds", PATIENCE)

    async def work(client: Client, registry: Registry) -> None:
        reader, _ = await client.open(head)
        assert await reader.read() == b""

    run(tmp_path, work)


def test_an_answer_that_nobody_reads_is_broken_off(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        for number in range(30):
            made = {"metadata": {"name": f"a{number}", "namespace": "default"}, "data": {"a": "x" * 900_000}}
            registry.client("admin").create("configmaps", made)
        reader = await client.begin("GET")
        await read_answer(await client.begin("POST", size=10))  # that takes all the time there is
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError, ssl.SSLError)):
            await read_answer(reader)
        assert (await read_answer(await client.begin("GET", f"{PATH}/a0")))[0] == 200

    run(tmp_path, work)


def test_a_request_that_comes_byte_by_byte_is_answered(tmp_path: Path) -> None:
    async def work(client: Client, registry: Registry) -> None:
        text = "GET /version HTTP/1.1\r\nhost: a\r\n\r\n"
        reader, writer = await client.open("")
        for byte in text.encode():
            writer.write(bytes((byte,)))
            await writer.drain()
        assert (await read_answer(reader))[0] == 200

    run(tmp_path, work)
