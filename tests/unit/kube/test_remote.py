"""Talking to a program in a Pod: the other end is a real WebSocket server over a pair of sockets."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
)

from leeward.kube import remote
from leeward.kube.http import UnreachableError
from leeward.kube.kubeconfig import Access
from leeward.kube.remote import STDERR, STDOUT, Conversation, Said, Wanted, converse, exit_code_of
from leeward.kube.status import ForbiddenError, StatusError

ACCESS = Access(server="http://cluster.example/k8s/one", token="t0ken")
SUCCESS = {"status": "Success"}
SEVEN = {
    "status": "Failure",
    "reason": "NonZeroExitCode",
    "details": {"causes": [{"reason": "ExitCode", "message": "7"}]},
}
Serve = Callable[["Server"], Awaitable[None]]


class Server:
    """What an API server does, step by step."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.socket = WSConnection(ConnectionType.SERVER)
        self.asked: Request | None = None
        self.events: list[Any] = []

    async def next(self) -> Any:
        while not self.events:
            self.socket.receive_data(await self.reader.read(65536) or None)
            self.events = list(self.socket.events())
        return self.events.pop(0)

    async def hear(self) -> bytes:
        """Return the next message, with its channel in front."""
        whole = b""
        while True:
            event = await self.next()
            assert isinstance(event, BytesMessage), event
            whole += bytes(event.data)
            if event.message_finished:
                return whole

    async def send(self, *events: Any) -> None:
        self.writer.write(b"".join(self.socket.send(event) for event in events))
        await self.writer.drain()

    async def say(self, channel: int, data: bytes) -> None:
        await self.send(BytesMessage(data=bytes((channel,)) + data))

    async def accept(self, protocol: str = "v5.channel.k8s.io") -> None:
        self.asked = await self.next()
        assert isinstance(self.asked, Request)
        assert self.asked.subprotocols == ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        await self.send(AcceptConnection(subprotocol=protocol))

    async def end(self, status: dict[str, Any]) -> None:
        await self.say(3, json.dumps(status).encode())


def talk(
    monkeypatch: pytest.MonkeyPatch,
    serve: Serve,
    act: Callable[[Conversation], Awaitable[Any]],
    query: str = "",
) -> Any:
    """Let a client talk to a server; returns what the client's part returns."""

    async def work() -> Any:
        ours, theirs = socket.socketpair()
        server = Server(*await asyncio.open_connection(sock=theirs))

        async def connect(access: Access) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            return await asyncio.open_connection(sock=ours)

        monkeypatch.setattr(remote, "_connect", connect)
        serving = asyncio.ensure_future(serve(server))
        try:
            async with converse(ACCESS, "/api/v1/namespaces/n/pods/p/exec", query) as conversation:
                result = await act(conversation)
            await serving
            return result
        finally:
            serving.cancel()
            server.writer.close()
            ours.close()

    return asyncio.run(work())


async def everything(conversation: Conversation) -> tuple[list[Said], int]:
    said = [each async for each in conversation.read()]
    return said, conversation.exit_code()


def test_output_and_errors_come_apart_and_the_exit_code_last(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept()
        await server.say(STDOUT, b"")
        await server.say(STDOUT, b"out")
        await server.say(STDERR, b"err")
        await server.end(SEVEN)

    said, code = talk(monkeypatch, serve, everything)
    assert said == [Said(STDOUT, b"out"), Said(STDERR, b"err")]
    assert code == 7


def test_the_request_has_the_path_of_the_server_the_credentials_and_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Request] = []

    async def serve(server: Server) -> None:
        await server.accept()
        assert server.asked is not None
        asked.append(server.asked)
        await server.end(SUCCESS)

    query = Wanted(stdin=True).query("web", ["sh", "-c", "a b&c"])
    assert talk(monkeypatch, serve, everything, query)[1] == 0
    assert asked[0].target == (
        "/k8s/one/api/v1/namespaces/n/pods/p/exec?container=web&stdin=true&stdout=true&stderr=true"
        "&command=sh&command=-c&command=a+b%26c"
    )
    assert (b"authorization", b"Bearer t0ken") in asked[0].extra_headers


def test_a_terminal_has_one_output() -> None:
    assert Wanted(stdin=True, tty=True).query("web") == "container=web&stdin=true&stdout=true&tty=true"


def test_input_is_sent_in_pieces_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[bytes] = []

    async def serve(server: Server) -> None:
        await server.accept()
        while (message := await server.hear())[0] != 255:
            heard.append(message)
        assert message == b"\xff\x00"
        await server.end(SUCCESS)

    async def act(conversation: Conversation) -> int:
        await conversation.write(b"x" * 70_000)
        await conversation.end_input()
        return (await everything(conversation))[1]

    assert talk(monkeypatch, serve, act) == 0
    assert {message[0] for message in heard} == {0}
    assert b"".join(message[1:] for message in heard) == b"x" * 70_000
    assert len(heard) == 3


def test_a_server_of_the_older_protocol_is_not_told_that_input_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept("v4.channel.k8s.io")
        assert await server.hear() == b'\x04{"Width": 100, "Height": 30}'
        await server.end(SUCCESS)

    async def act(conversation: Conversation) -> int:
        await conversation.end_input()
        await conversation.resize(100, 30)
        return (await everything(conversation))[1]

    assert talk(monkeypatch, serve, act) == 0


def test_pings_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept()
        await server.send(Ping(payload=b"there?"))
        assert await server.next() == Pong(payload=b"there?")
        await server.end(SUCCESS)

    assert talk(monkeypatch, serve, everything) == ([], 0)


def test_a_refusal_is_the_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    body = json.dumps({"kind": "Status", "reason": "Forbidden", "code": 403, "message": "no"}).encode()

    async def serve(server: Server) -> None:
        await server.next()
        head = [(b"content-length", str(len(body)).encode())]
        await server.send(
            RejectConnection(status_code=403, headers=head, has_body=True), RejectData(data=body)
        )

    with pytest.raises(ForbiddenError, match="no"):
        talk(monkeypatch, serve, everything)


@pytest.mark.parametrize("answers", [True, False])
def test_a_connection_that_is_lost_is_told(monkeypatch: pytest.MonkeyPatch, answers: bool) -> None:
    async def serve(server: Server) -> None:
        if answers:
            await server.accept()
            await server.say(STDOUT, b"half of it")
            await server.send(CloseConnection(code=1011))
        server.writer.close()

    with pytest.raises(UnreachableError):
        talk(monkeypatch, serve, everything)


def test_what_could_not_be_started_is_an_error_and_no_exit_code() -> None:
    with pytest.raises(StatusError, match="no such program"):
        exit_code_of({"status": "Failure", "reason": "InternalError", "message": "no such program"})


def test_a_server_that_says_goodbye_and_stays_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept()
        await server.send(CloseConnection(code=1001, reason="the kubelet goes"))
        await asyncio.Event().wait()

    with pytest.raises(UnreachableError, match="the kubelet goes"):
        talk(monkeypatch, serve, everything)


def test_output_and_pings_are_taken_while_the_program_takes_no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept()
        while not stuck.is_set():
            await asyncio.sleep(0)
        await server.send(Ping(payload=b"there?"))
        await server.say(STDOUT, b"first read what I say")
        await server.end(SUCCESS)

    async def act(conversation: Conversation) -> tuple[list[Said], int]:
        feeding = asyncio.ensure_future(conversation.write(b"x" * (8 << 20)))
        transport, turns = conversation._writer.transport, 0
        while turns < 100:  # until nothing of it goes any more
            await asyncio.sleep(0)
            turns = turns + 1 if transport.get_write_buffer_size() > 1 << 16 else 0
        stuck.set()
        try:
            return await everything(conversation)
        finally:
            feeding.cancel()

    stuck = asyncio.Event()
    assert talk(monkeypatch, serve, act) == ([Said(STDOUT, b"first read what I say")], 0)


def test_an_end_that_cannot_be_read_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def serve(server: Server) -> None:
        await server.accept()
        await server.say(3, b"command terminated oddly")

    with pytest.raises(StatusError, match="command terminated oddly"):
        talk(monkeypatch, serve, everything)


def test_a_server_that_is_gone_without_a_word_is_noticed_by_the_kernel() -> None:
    async def work() -> int:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        _, writer = await remote._connect(Access(server=f"http://127.0.0.1:{port}"))
        try:
            connection: socket.socket = writer.get_extra_info("socket")
            return connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        finally:
            writer.close()
            await writer.wait_closed()
            server.close()
            await server.wait_closed()

    assert asyncio.run(work()) == 1
