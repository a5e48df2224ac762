"""A stand-in for Redis, where images cannot run: the protocol and a few commands, in memory.

Source: redis.io/docs/latest/develop/reference/protocol-spec.
"""

from __future__ import annotations

import os
import threading
from socketserver import StreamRequestHandler, ThreadingTCPServer

LOCK = threading.Lock()
NUMBERS: dict[str, int] = {}
LISTS: dict[str, list[str]] = {}
PASSWORD = os.environ.get("REDIS_PASSWORD", "")


def answer(words: list[str]) -> bytes:
    """Return what Redis says to a command."""
    command, *arguments = (words[0].upper(), *words[1:])
    with LOCK:
        if command == "AUTH":
            return b"+OK\r\n" if arguments[-1] == PASSWORD else b"-WRONGPASS\r\n"
        if command == "PING":
            return b"+PONG\r\n"
        if command == "INCR":
            NUMBERS[arguments[0]] = NUMBERS.get(arguments[0], 0) + 1
            return b":%d\r\n" % NUMBERS[arguments[0]]
        if command == "GET":
            return _text(str(NUMBERS[arguments[0]]) if arguments[0] in NUMBERS else None)
        if command == "LPUSH":
            LISTS.setdefault(arguments[0], []).insert(0, arguments[1])
            return b":%d\r\n" % len(LISTS[arguments[0]])
        if command == "RPOP":
            waiting = LISTS.get(arguments[0]) or []
            return _text(waiting.pop() if waiting else None)
    return b"-ERR unknown command\r\n"


def _text(value: str | None) -> bytes:
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value.encode())


class Handler(StreamRequestHandler):
    """One connection."""

    def handle(self) -> None:
        """Answer commands until the client goes."""
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2].decode())
            self.wfile.write(answer(words))


class Server(ThreadingTCPServer):
    """Restarts at once on its port."""

    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("", 6379), Handler).serve_forever()
