"""WebSockets over bare ASGI: an answer that accepts one and talks over it, and refusals before that.

Source: ASGI 3.0, WebSocket connection scope with the extension "WebSocket Denial Response"; RFC 6455.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from leeward.cluster.apiserver.http import Message, Request, Send
from leeward.cluster.apiserver.streaming.waiting import let_others

_log = logging.getLogger(__name__)
_INTERNAL_ERROR = 1011
MAX_MESSAGE = 1 << 24  # bytes; Python clients send a whole file at once
_AT_A_TIME = 256  # messages that may have come at once, before others have their turn


class ClientGoneError(Exception):
    """Nobody is there any more to whom something could be sent."""


class WebSocket:
    """An accepted WebSocket; messages are bytes.

    Args:
        request: that became it.
        send: of ASGI.
    """

    def __init__(self, request: Request, send: Send) -> None:
        self._request = request
        self._send = send
        self._received = 0

    async def receive(self) -> bytes | None:
        """Return the next message; None when the client has gone."""
        self._received += 1
        if self._received % _AT_A_TIME == 0:
            await let_others()
        while True:
            message = await self._request.receive()
            if message["type"] == "websocket.receive":
                data = message.get("bytes")
                return bytes(data) if data is not None else message["text"].encode()
            if message["type"] == "websocket.disconnect":
                return None

    async def send(self, data: bytes, *, text: bool = False) -> None:
        """Send a message, when the client keeps up with reading.

        Raises:
            ClientGoneError: it has gone.
        """
        body = {"text": data.decode()} if text else {"bytes": data}
        await self._tell({"type": "websocket.send", **body})

    async def close(self, code: int = 1000) -> None:
        """Close it.

        Raises:
            ClientGoneError: the client was faster.
        """
        await self._tell({"type": "websocket.close", "code": code})

    async def _tell(self, message: Message) -> None:
        try:
            await self._send(message)
        except (OSError, RuntimeError) as error:  # as uvicorn tells both sides of closing
            raise ClientGoneError from error


Conversation = Callable[[WebSocket], Awaitable[None]]


class Upgrade:
    """An answer that becomes a conversation; the WebSocket is closed after it.

    Args:
        request: that asks for it.
        protocol: the one chosen of those offered; "": none was offered.
        talk: the conversation.
    """

    status = 101

    def __init__(self, request: Request, protocol: str, talk: Conversation) -> None:
        self.headers: list[tuple[str, str]] = []
        self._request = request
        self._protocol = protocol
        self._talk = talk

    async def send(self, send: Send) -> None:
        """Accept and talk."""
        socket, code = WebSocket(self._request, send), 1000
        head = [(key.encode(), value.encode()) for key, value in self.headers]
        await send({"type": "websocket.accept", "subprotocol": self._protocol or None, "headers": head})
        try:
            await self._talk(socket)
        except ClientGoneError:
            return
        except Exception:  # noqa: BLE001 - the HTTP edge
            _log.exception("%s failed", self._request.path)
            code = _INTERNAL_ERROR
        try:
            await socket.close(code)
        except ClientGoneError:
            return


def refusing(send: Send) -> Send:
    """Return a `send` for plain answers to whoever wanted a WebSocket."""

    async def translated(message: Message) -> None:
        kind: str = message["type"]
        await send({**message, "type": f"websocket.{kind}" if kind.startswith("http.response") else kind})

    return translated
