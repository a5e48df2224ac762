"""WebSockets over TLS, spoken by hand: who asks, what is refused before, what is too much."""

from __future__ import annotations

import asyncio
import base64
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cluster.apiserver.pki import ensure_pki
from leeward.cluster.apiserver.server import ApiServer
from leeward.cluster.apiserver.streaming.websocket import MAX_MESSAGE
from leeward.cluster.interface.streams import Output, StreamsWanted
from leeward.cluster.interface.user import AUTHENTICATED, MASTERS, User
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore

pytestmark = pytest.mark.e2e
TARGET = "/api/v1/namespaces/default/pods/web/exec?command=sleep&stdin=true&stdout=true"
GROUP = "admissionregistration.k8s.io"


class Program:
    """Runs until it is closed, and counts what it takes."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = asyncio.Event()

    async def read(self, output: Output) -> bytes:
        await self.closed.wait()
        return b""

    async def write(self, data: bytes) -> None:
        self.taken += len(data)

    async def end_input(self) -> None:
        return

    def resize(self, columns: int, rows: int) -> None:
        return

    async def exit_code(self) -> int:
        await self.closed.wait()
        return 0

    async def close(self) -> None:
        self.closed.set()


class Runtime:
    """Executes one program."""

    def __init__(self) -> None:
        self.program = Program()

    async def open_exec(self, container: str, command: Sequence[str], wanted: StreamsWanted) -> Program:
        return self.program


class World:
    """A server with a Pod that runs."""

    def __init__(self, server: ApiServer, registry: Registry, token: str, ca: str, program: Program) -> None:
        self.registry, self.token, self.program = registry, token, program
        self._port, self._tls = server.port, ssl.create_default_context(cadata=ca)
        self._writers: list[asyncio.StreamWriter] = []

    async def ask(self, *protocols: str) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for a WebSocket; returns the head of the answer and the connection."""
        reader, writer = await asyncio.open_connection("localhost", self._port, ssl=self._tls)
        self._writers.append(writer)
        writer.write(
            f"GET {TARGET} HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
            "sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"sec-websocket-protocol: {', '.join(protocols)}\r\n\r\n".encode()
        )
        return (await reader.readuntil(b"\r\n\r\n")).decode().lower(), reader, writer

    @property
    def as_protocol(self) -> str:
        """The administrator's token."""
        encoded = base64.urlsafe_b64encode(self.token.encode()).decode().rstrip("=")
        return f"base64url.bearer.authorization.k8s.io.{encoded}"

    async def close(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*(each.wait_closed() for each in self._writers), return_exceptions=True)


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[World]:
    store = MemoryStore()
    options = AdmissionOptions(disabled=("ServiceAccount",))
    registry = Registry(store, clock=SystemClock(), ids=SystemIds(), options=options)
    bootstrap(registry, api_address="127.0.0.1", api_port=6443)
    client = registry.client("admin")
    spec = {"containers": [{"name": "c", "image": "web:1"}]}
    client.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
    client.bind("default", "web", "n")
    pod = client.get("pods", "default", "web")
    running = {"name": "c", "containerID": "x://1", "state": {"running": {}}}
    client.update_status("pods", {**pod, "status": {**pod["status"], "containerStatuses": [running]}})
    pki = ensure_pki(directory / "pki", SystemClock())
    made = Runtime()
    runtime: Any = made
    admin = User("admin", (AUTHENTICATED, MASTERS))
    server = ApiServer(client, store, pki=pki, clock=SystemClock(), port=0, admin=admin, runtime=runtime)
    await server.start()
    world = World(server, registry, pki.admin_token, pki.ca_certificate.read_text(), made.program)
    try:
        yield world
    finally:
        await world.close()
        await server.stop()


def run(directory: Path, body: Callable[[World], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(30), serving(directory) as world:
            await body(world)

    asyncio.run(whole())


def frame(data: bytes) -> bytes:
    """Return a binary message of a client, with a mask that changes nothing."""
    size = len(data)
    length = bytes((0x80 | size,)) if size < 126 else b"\xff" + struct.pack(">Q", size)
    return b"\x82" + length + bytes(4) + data


def test_a_token_is_taken_from_the_protocols_and_the_answer_names_another(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        head, reader, _ = await world.ask(world.as_protocol, "v5.channel.k8s.io")
        assert head.startswith("http/1.1 101")
        assert "sec-websocket-protocol: v5.channel.k8s.io\r\n" in head
        assert await reader.readexactly(3) == b"\x82\x01\x01"
        head, _, _ = await world.ask("v5.channel.k8s.io")
        assert head.startswith("http/1.1 403")
        head, _, _ = await world.ask("v5.channel.k8s.io", f"{world.as_protocol}AAAA")
        assert head.startswith("http/1.1 401")

    run(tmp_path, body)


def test_a_policy_refuses_before_there_is_a_websocket(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        client = world.registry.client("admin")
        rule = {
            "apiGroups": [""],
            "apiVersions": ["v1"],
            "operations": ["CONNECT"],
            "resources": ["pods/exec"],
        }
        spec = {
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "object.command != ['sleep']", "reason": "Forbidden"}],
        }
        client.create(f"validatingadmissionpolicies.{GROUP}", {"metadata": {"name": "p"}, "spec": spec})
        bound = {"policyName": "p", "validationActions": ["Deny"]}
        client.create(
            f"validatingadmissionpolicybindings.{GROUP}", {"metadata": {"name": "p"}, "spec": bound}
        )
        head, reader, _ = await world.ask(world.as_protocol, "v5.channel.k8s.io")
        assert head.startswith("http/1.1 403")
        assert b"denied request" in await reader.read(4096)

    run(tmp_path, body)


def test_a_message_that_is_too_large_ends_the_conversation_and_the_command(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        _, reader, writer = await world.ask(world.as_protocol, "v5.channel.k8s.io")
        await reader.readexactly(3)
        writer.write(frame(b"\0" + bytes(2_000_000)) + frame(b"\0" + bytes(MAX_MESSAGE)))
        assert (await reader.read(4096))[2:4] == struct.pack(">H", 1009)
        await world.program.closed.wait()
        assert world.program.taken in (0, 2_000_000)

    run(tmp_path, body)


def test_many_small_messages_leave_others_their_turn(tmp_path: Path) -> None:
    async def body(world: World) -> None:
        _, reader, writer = await world.ask(world.as_protocol, "v5.channel.k8s.io")
        await reader.readexactly(3)
        loop, longest, last = asyncio.get_running_loop(), 0.0, 0.0
        writer.write(frame(b"\0x") * 100_000)
        last = loop.time()
        while world.program.taken < 100_000:
            await asyncio.sleep(0)
            longest, last = max(longest, loop.time() - last), loop.time()
        assert longest < 0.5

    run(tmp_path, body)
