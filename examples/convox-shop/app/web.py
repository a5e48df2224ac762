"""The shop: ``POST /orders`` queues one, ``GET /`` tells how many were shipped and reported."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cache import call


class Handler(BaseHTTPRequestHandler):
    """Answers customers."""

    def do_GET(self) -> None:
        """Tell how the shop does."""
        if self.path == "/health":
            self._answer(200, {"ok": call("PING") == "PONG"})
            return
        numbers = {key: int(call("GET", key) or 0) for key in ("shipped", "reported")}
        self._answer(200, {"currency": os.environ["CURRENCY"], **numbers})

    def do_POST(self) -> None:
        """Take an order."""
        self._answer(201, {"waiting": call("LPUSH", "orders", "one")})

    def _answer(self, status: int, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    ThreadingHTTPServer(("", int(os.environ.get("PORT", "3000"))), Handler).serve_forever()
