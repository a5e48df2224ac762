"""Requests as customers make them, and an open loop of them."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import UserInputError
from leeward.drill import load as load_module
from leeward.drill.load import Load, Sample
from leeward.drill.request import Answer, Door, RequestKind, ask, json_body

GET = RequestKind("GET", "/")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def test_a_url_names_a_door() -> None:
    assert Door.of("http://web.localhost:8080") == Door(("127.0.0.1", 8080), "web.localhost:8080", "/")
    assert Door.of("http://shop.example/a b?q=1 2") == Door(
        ("shop.example", 80), "shop.example", "/a%20b?q=1%202"
    )
    assert Door.of("http://u:p@[::1]:81/é").host == "[::1]:81"
    assert Door.of("http://x/%20").path == "/%20"


@pytest.mark.parametrize(
    "url", ["web.localhost:8080", "https://web.localhost", "http://", "http://x:port", "/x"]
)
def test_what_is_no_url_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(UserInputError) as caught:
        Door.of(url)
    assert "http://web.localhost:8080/health" in caught.value.remedy


def answered(reply: bytes, *, kind: RequestKind = GET, asked: list[bytes] | None = None) -> Answer:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.append(head)
        writer.write(reply)
        writer.close()

    async def body() -> Answer:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await ask(Door.of(f"http://web.localhost:{port}"), kind)

    return asyncio.run(body())


@pytest.mark.parametrize(
    ("status", "failure"),
    [(200, ""), (302, ""), (404, "status 404"), (401, "status 401"), (503, "status 503")],
)
def test_success_is_2xx_and_3xx(status: int, failure: str) -> None:
    found = answered(b"HTTP/1.1 %d X\r\ncontent-length: 2\r\n\r\nhi" % status)

    assert found == Answer(status, failure, "hi")


def test_an_answer_that_breaks_off_is_none() -> None:
    assert answered(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\nhi").failure.startswith("connection broke")
    assert answered(b"").failure.startswith("connection broke")
    assert answered(b"+PONG\r\n").failure.startswith("connection broke")


def test_a_long_answer_is_read_and_not_kept() -> None:
    found = answered(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300_000)

    assert (found.failure, len(found.excerpt)) == ("", 200)


def test_a_request_names_the_host_and_brings_its_body() -> None:
    asked: list[bytes] = []
    answered(b"HTTP/1.1 204 X\r\n\r\n", kind=RequestKind("POST", "/o", json_body({})), asked=asked)

    assert asked[0].startswith(b"POST /o HTTP/1.1\r\n")
    assert b"\r\nhost: web.localhost:" in asked[0].lower()
    assert b"content-length: 2" in asked[0].lower()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "connection refused"),
        (ConnectionResetError(), "connection broke (ConnectionResetError)"),
        (OSError(errno.EMFILE, "Too many open files"), "not sent (Too many open files)"),
        (TimeoutError(), "timeout"),
    ],
)
def test_failures_have_kinds(monkeypatch: pytest.MonkeyPatch, error: OSError, failure: str) -> None:
    async def fail(*_: object) -> Any:
        raise error

    monkeypatch.setattr(asyncio, "open_connection", fail)

    assert asyncio.run(ask(Door.of("http://localhost:1"), GET)) == Answer(failure=failure)


def run_load(
    monkeypatch: pytest.MonkeyPatch, reply: Callable[[VirtualClock], Awaitable[Answer]]
) -> list[Sample]:
    """Run 1 s of 10 requests a second in virtual time."""

    async def body() -> list[Sample]:
        clock = VirtualClock()
        monkeypatch.setattr(load_module, "ask", lambda door, kind: reply(clock))
        load = Load(Door.of("http://x"), [GET], rate=10, duration=1, clock=clock)
        running = asyncio.ensure_future(load.run())
        while not running.done():
            for _ in range(10):
                await asyncio.sleep(0)
            clock.advance(0.05)
        return running.result()

    return asyncio.run(body())


def test_requests_are_due_whether_or_not_earlier_ones_were_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stalled(clock: VirtualClock) -> Answer:
        await clock.sleep(3.0 - clock.monotonic())  # nothing is answered for 3 s
        return Answer(200)

    samples = run_load(monkeypatch, stalled)

    assert [round(sample.due, 1) for sample in samples] == [round(0.1 * n, 1) for n in range(10)]
    assert samples[0].latency == pytest.approx(3.0, abs=0.06)
    assert samples[-1].latency == pytest.approx(2.1, abs=0.06)
    assert max(sample.lag for sample in samples) < 0.06


def test_a_machine_that_is_late_says_so_and_latency_counts_from_when_it_was_due(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def slow_machine(clock: VirtualClock) -> Answer:
        clock.advance(0.5)  # everything stands still meanwhile
        return Answer(200)

    samples = run_load(monkeypatch, slow_machine)

    assert samples[-1].lag > 1.0
    assert samples[-1].latency == pytest.approx(samples[-1].lag + 0.5, abs=0.06)
