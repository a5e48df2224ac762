"""A way to a Kubernetes API with TLS on both sides: what it does with each request is its user's."""

from __future__ import annotations

import ssl
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

_PASSED_ON = ("content-type", "accept", "user-agent")
_ANSWERED = ("content-type", "date", "retry-after", "warning")


class PassingHandler(BaseHTTPRequestHandler, ABC):
    """One connection; :meth:`serve` decides what becomes of a request."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    client: httpx.Client  # to the API

    @abstractmethod
    def serve(self, body: bytes) -> None:
        """Answer a request."""

    def forward(self, body: bytes) -> httpx.Response:
        """Return what the API answers."""
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        return self.client.request(self.command, self.path, content=body or None, headers=headers)

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, *, sent: int | None = None
    ) -> None:
        """Answer, with only `sent` bytes of the body if that is given."""
        self.send_response_only(status)
        for name in _ANSWERED:
            if name in headers:
                self.send_header(name, headers[name])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[:sent])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.serve(self.rfile.read(length) if length else b"")

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815


class _Server(ThreadingHTTPServer):
    context: ssl.SSLContext
    daemon_threads = True
    request_queue_size = 64

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], OSError):  # who asked has gone
            super().handle_error(request, client_address)


@contextmanager
def serving(handler: type[PassingHandler], context: ssl.SSLContext) -> Iterator[int]:
    """Serve on a port of this machine until the end; gives the port."""
    server = _Server(("127.0.0.1", 0), handler)
    server.context = context
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
