"""The services of the platform, by the word they are started with."""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer

from redis_client import call


def gateway() -> dict[str, object]:
    """Ask the catalogue and count the visit."""
    with urllib.request.urlopen(os.environ["CATALOG_URL"], timeout=5) as answer:
        catalog = json.load(answer)
    return {
        "stage": os.environ["STAGE"],
        "signed": bool(os.environ["SIGNING_KEY"]),
        "limits": Path("/config/limits.ini").read_text(encoding="utf-8").strip(),
        "visits": call("sessions", "INCR", "visits"),
        "catalog": catalog,
    }


def catalog() -> dict[str, object]:
    """Tell what the others have left in the cache."""
    return {key: int(call("cache", "GET", key) or 0) for key in ("indexed", "agents", "cleaned")}


def serve(page: Callable[[], dict[str, object]]) -> None:
    """Answer GET with a page."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"ok": True} if self.path == "/health" else page()).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            pass

    port = {gateway: 3000, catalog: 4000}[page]
    ThreadingHTTPServer(("", int(os.environ.get("PORT", port))), Handler).serve_forever()


def feed() -> None:
    """Send one line to whoever connects."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(f"indexed {call('cache', 'GET', 'indexed') or 0}\n".encode())

    ThreadingTCPServer.allow_reuse_address = True
    ThreadingTCPServer(("", 5000), Handler).serve_forever()


def indexer() -> None:
    """Index, with a scratch file."""
    while True:
        Path("/scratch/index").write_text(str(call("cache", "INCR", "indexed")), encoding="utf-8")
        time.sleep(1)


def agent() -> None:
    """Announce the node, then watch it."""
    call("cache", "INCR", "agents")
    while True:
        time.sleep(60)


def cleanup() -> None:
    """Clean up; a timer starts it."""
    print("cleaned", call("cache", "INCR", "cleaned"), flush=True)


if __name__ == "__main__":
    word = sys.argv[1]
    if word in ("gateway", "catalog"):
        serve({"gateway": gateway, "catalog": catalog}[word])
    else:
        {"feed": feed, "indexer": indexer, "agent": agent, "cleanup": cleanup}[word]()
