"""WebSockets over TLS with the client's certificate in the scope.

What has come is read a piece at a time, and others have their turn between: a thousand small frames take some
fifty milliseconds. Nothing more is taken from the connection meanwhile.

Source: uvicorn's protocol over wsproto.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from uvicorn._types import WebSocketEvent
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Request as WebSocketRequest

from leeward.cluster.apiserver.certificates import certificate_of
from leeward.cluster.apiserver.http import CERTIFICATE, Scope

_quiet = logging.getLogger("uvicorn.websockets")
_quiet.setLevel(logging.WARNING)  # it would tell every command with its arguments, secret ones too


_PIECE = 1 << 13  # bytes


class CertificateWebSocketProtocol(WSProtocol):
    """A WebSocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unread = bytearray()
        self._is_reading = False
        self._lost: tuple[Exception | None] | None = None  # the connection, and why

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Log where it is quiet."""
        self.logger = _quiet
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Read a piece of it now, and the rest in turn."""
        self._unread += data
        if not self._is_reading:
            self._read()

    def _read(self) -> None:
        piece = bytes(self._unread[:_PIECE])
        del self._unread[:_PIECE]
        try:
            super().data_received(piece)
        finally:
            self._go_on()

    def _go_on(self) -> None:
        if self._unread:
            self._is_reading = True
            self.transport.pause_reading()
            self.loop.call_soon(self._read)
        elif self._is_reading:
            self._is_reading = False
            if self._lost is not None:
                super().connection_lost(*self._lost)
            elif self.queue.empty() or not self.read_paused:
                self.read_paused = False
                self.transport.resume_reading()

    async def receive(self) -> WebSocketEvent:
        """Return the next message, and let more come when there is none left."""
        message = await self.queue.get()
        if self.read_paused and self.queue.empty() and not self._is_reading:
            self.read_paused = False
            self.transport.resume_reading()
        return message

    def connection_lost(self, exc: Exception | None) -> None:
        """End, when all that has come is read."""
        if self._is_reading:
            self._lost = (exc,)
        else:
            super().connection_lost(exc)

    def handle_connect(self, event: WebSocketRequest) -> None:
        """Begin; what answers runs after this."""
        super().handle_connect(event)
        scope: Scope = self.scope  # type: ignore[assignment] # as above
        scope[CERTIFICATE] = certificate_of(self.transport)
