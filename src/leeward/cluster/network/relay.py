"""Moves bytes between two TCP connections until one side ends."""

from __future__ import annotations

import asyncio
import contextlib

from leeward.cluster.network.connections import Stream

CHUNK_BYTES = 65536


async def relay(client: Stream, upstream: Stream, *, first: bytes = b"") -> None:
    """Copy both ways; a half-close is passed on, an error on one side aborts the other.

    Args:
        client: the accepted connection.
        upstream: the connection to the endpoint.
        first: bytes already read from the client.
    """
    if first:
        upstream[1].write(first)
    tasks = [
        asyncio.ensure_future(_copy(client[0], upstream[1])),
        asyncio.ensure_future(_copy(upstream[0], client[1])),
    ]
    try:
        await asyncio.gather(*tasks)
    except OSError:
        abort(client)
        abort(upstream)
    finally:
        for task in tasks:
            task.cancel()
        close(client)
        close(upstream)


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Copy until the source ends, then half-close the target."""
    while data := await source.read(CHUNK_BYTES):
        target.write(data)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()


def close(stream: Stream) -> None:
    """Close without waiting."""
    stream[1].close()


def abort(stream: Stream) -> None:
    """Reset the connection, so that the peer knows at once."""
    stream[1].transport.abort()
