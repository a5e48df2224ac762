"""Asking webhooks over HTTPS: a server of our own, and what goes wrong."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import SystemClock
from leeward.cluster.apiserver.admission import ask
from leeward.cluster.apiserver.pki import Pki, ensure_pki
from leeward.cluster.registry.admission.webhooks.calls import HookCall, Outcome

Serve = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    directory: Path = tmp_path_factory.mktemp("pki")
    return ensure_pki(directory, SystemClock())


def answer(body: bytes, status: str = "200 OK") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


def asked(
    pki: Pki, serve: Serve | None, url: str = "https://127.0.0.1:{port}/v?timeout=5s", **call: Any
) -> tuple[Outcome, int]:
    """Ask a server that answers requests with what `serve` returns, or never; returns also its port."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        if serve is None:
            await reader.read()
        else:
            writer.write(serve(head + body))
            await writer.drain()
        writer.close()

    async def whole() -> tuple[Outcome, int]:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pki.server_certificate, pki.server_key)
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        fields = {"certificates": pki.ca_certificate.read_text(), "review": {"request": {"uid": "1"}}, **call}
        if "address" in fields:
            fields["address"] = ("127.0.0.1", port)
        outcome: Awaitable[Outcome] = ask(HookCall(url=url.format(port=port), **fields))
        try:
            return await outcome, port
        finally:
            server.close()

    return asyncio.run(whole())


def test_the_review_is_posted_and_the_answer_comes_back(pki: Pki) -> None:
    def serve(request: bytes) -> bytes:
        assert request.startswith(b"POST /v?timeout=5s HTTP/1.1")
        review = json.loads(request.split(b"\r\n\r\n", 1)[1])
        return answer(json.dumps({"response": review["request"]}).encode())

    assert asked(pki, serve)[0] == Outcome(document={"response": {"uid": "1"}})


def test_a_service_is_reached_at_an_endpoint_under_its_own_name(pki: Pki) -> None:
    def serve(request: bytes) -> bytes:
        return answer(
            json.dumps({"host": request.lower().split(b"host: ")[1].split(b"\r\n")[0].decode()}).encode()
        )

    url = "https://kubernetes.default.svc:443/v"
    assert asked(pki, serve, url, address=())[0].document == {"host": "kubernetes.default.svc:443"}


def test_a_certificate_of_another_authority_is_not_trusted(pki: Pki) -> None:
    outcome, port = asked(pki, lambda request: answer(b"{}"), certificates="")
    assert outcome.failure == (
        f'Post "https://127.0.0.1:{port}/v?timeout=5s": '
        "tls: failed to verify certificate: x509: certificate signed by unknown authority"
    )


def test_a_slow_webhook_is_given_up(pki: Pki) -> None:
    outcome, port = asked(pki, None, timeout=0)
    assert outcome.failure == f'Post "https://127.0.0.1:{port}/v?timeout=5s": context deadline exceeded'


@pytest.mark.parametrize(
    ("response", "failure"),
    [
        (answer(b"", "404 Not Found"), "the server could not find the requested resource"),
        (
            answer(b"oops", "500 Internal Server Error"),
            'an error on the server ("oops") has prevented the request from succeeding',
        ),
        (answer(b"<html>"), "couldn't get version/kind; json parse error: "),
    ],
)
def test_an_answer_that_is_none_is_told(pki: Pki, response: bytes, failure: str) -> None:
    assert asked(pki, lambda request: response)[0].failure.startswith(failure)


def test_a_webhook_that_is_not_there_is_told() -> None:
    outcome = asyncio.run(ask(HookCall(url="https://127.0.0.1:1/v")))  # nobody listens on port 1
    assert (
        outcome.failure == 'Post "https://127.0.0.1:1/v": dial tcp 127.0.0.1:1: connect: connection refused'
    )
