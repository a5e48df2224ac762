"""A client of Redis, as small as the platform needs: one command, one answer."""

from __future__ import annotations

import os
import socket
from typing import BinaryIO
from urllib.parse import unquote, urlsplit


def call(resource: str, *words: str) -> str | int | None:
    """Send one command to a resource, such as "cache", and return its answer."""
    url = urlsplit(os.environ[f"{resource.upper()}_URL"])
    with socket.create_connection((url.hostname or "", url.port or 6379), timeout=5) as connection:
        stream = connection.makefile("rwb")
        if url.password:
            _ask(stream, "AUTH", unquote(url.password))
        return _ask(stream, *words)


def _ask(stream: BinaryIO, *words: str) -> str | int | None:
    encoded = [word.encode() for word in words]
    parts = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)
    stream.write(b"*%d\r\n" % len(encoded) + parts)
    stream.flush()
    line = stream.readline().decode().rstrip()
    if line.startswith("$"):
        size = int(line[1:])
        return None if size < 0 else stream.read(size + 2)[:-2].decode()
    if line.startswith("-"):
        raise RuntimeError(line[1:])
    return int(line[1:]) if line.startswith(":") else line[1:]
