"""A client of Redis, as small as the shop needs: one command, one answer."""

from __future__ import annotations

import os
import socket
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

URL = urlsplit(os.environ["CACHE_URL"])


def call(*words: str) -> str | int | None:
    """Send one command to the cache and return its answer."""
    with socket.create_connection((URL.hostname or "", URL.port or 6379), timeout=5) as connection:
        stream = connection.makefile("rwb")
        if URL.password:
            _ask(stream, "AUTH", unquote(URL.password))
        return _ask(stream, *words)


def _ask(stream: BinaryIO, *words: str) -> str | int | None:
    encoded = [word.encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    stream.flush()
    line = stream.readline().decode().rstrip()
    if line.startswith("$"):
        size = int(line[1:])
        return None if size < 0 else stream.read(size + 2)[:-2].decode()
    if line.startswith("-"):
        raise RuntimeError(line[1:])
    return int(line[1:]) if line.startswith(":") else line[1:]
