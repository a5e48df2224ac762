"""Data on its way from a client to a program: as much of it waits as there is room for, in bytes.

Whoever reads a client's socket waits for room, never for the program: only who reads the socket learns that
the client has gone.
"""

from __future__ import annotations

import asyncio
from collections import deque

MAX_WAITING = 1 << 20  # bytes; what comes last may be more than what is left of them
_PIECE = 64  # bytes that a piece of data takes besides its own


class Waiting:
    """Pieces of data, in order.

    Args:
        most: bytes that may wait before there is no room.
    """

    def __init__(self, most: int = MAX_WAITING) -> None:
        self._most = most
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._closed = False
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    @property
    def has_room(self) -> bool:
        """Whether more may come."""
        return self._room.is_set()

    async def room(self, seconds: float) -> bool:
        """Wait for room; tells whether there is some in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return False
        return True

    def put(self, data: bytes) -> None:
        """Let data wait; nothing is its end."""
        if self._closed:
            return
        self._pieces.append(data)
        self._size += len(data) + _PIECE
        self._arrived.set()
        if self._size >= self._most:
            self._room.clear()

    async def get(self) -> bytes:
        """Return what came first."""
        while not self._pieces:
            self._arrived.clear()
            await self._arrived.wait()
        data = self._pieces.popleft()
        self._size -= len(data) + _PIECE
        if self._size < self._most:
            self._room.set()
        return data

    def close(self) -> None:
        """Drop everything, also what comes from now on: nobody takes it any more."""
        self._closed = True
        self._pieces.clear()
        self._size = 0
        self._room.set()


async def let_others() -> None:
    """Leave others their turn, in the middle of much that has come at once."""
    await asyncio.sleep(0)  # noqa: TID251 - no time passes
