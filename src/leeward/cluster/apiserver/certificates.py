"""Client certificates: uvicorn verifies them, and here they get into the scope of every request.

A WebSocket begins only where the API has one. Elsewhere an Upgrade header is ignored, as HTTP wants it.

Source: uvicorn's protocol over httptools; ASGI has no agreed place for a peer's certificate.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leeward.cluster.apiserver.http import CERTIFICATE, Scope

_WEBSOCKETS = re.compile(rb"/api/v1/namespaces/[^/?]+/pods/[^/?]+/(exec|attach|portforward)/?(\?|$)")

_UNREAD = 1 << 16  # bytes that wait for a slow client; TLS would let eight times as many


class CertificateProtocol(HttpToolsProtocol):
    """HTTP over TLS, with the certificate of the client, if it sent one that the authority signed.

    A head of a request that takes too long to come ends the connection.
    """

    head_seconds = 32.0  # as kube-apiserver has it
    _certificate = b""
    _head: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take note of the certificate."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=_UNREAD)
        self._certificate = certificate_of(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._have_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        scope: Scope = self.scope  # type: ignore[assignment] # its type has no place for what is our own
        scope[CERTIFICATE] = self._certificate
        self._await_head()

    def on_headers_complete(self) -> None:
        """Begin to answer."""
        self._have_head()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._have_head()
        self._head = self.loop.call_later(self.head_seconds, self.transport.close)

    def _have_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _should_upgrade(self) -> bool:
        return super()._should_upgrade() and _WEBSOCKETS.match(self.url) is not None

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: clients try, and read the answer."""


def websocket_protocol(**arguments: Any) -> asyncio.Protocol:
    """Return what speaks WebSockets; it is loaded for the first."""
    from leeward.cluster.apiserver.streaming.protocol import CertificateWebSocketProtocol

    return CertificateWebSocketProtocol(**arguments)


def certificate_of(transport: asyncio.Transport) -> bytes:
    """Return the certificate of the client at the other end in DER, verified; empty for none."""
    session = transport.get_extra_info("ssl_object")
    return (session.getpeercert(binary_form=True) or b"") if session is not None else b""
