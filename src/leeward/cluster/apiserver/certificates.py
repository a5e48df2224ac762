"""Client certificates: uvicorn verifies them, and here they get into the scope of every request.

A WebSocket begins only where the API has one. Elsewhere an Upgrade header is ignored, as HTTP wants it.

Source: uvicorn's protocols over httptools and wsproto; ASGI has no agreed place for a peer's certificate.
"""

from __future__ import annotations

import asyncio
import logging
import re

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Request as WebSocketRequest

from leeward.cluster.apiserver.http import CERTIFICATE, Scope

_WEBSOCKETS = re.compile(rb"/api/v1/namespaces/[^/?]+/pods/[^/?]+/(exec|attach|portforward)/?(\?|$)")

_quiet = logging.getLogger("uvicorn.websockets")
_quiet.setLevel(logging.WARNING)  # it would tell every command with its arguments, secret ones too


class CertificateProtocol(HttpToolsProtocol):
    """HTTP over TLS, with the certificate of the client, if it sent one that the authority signed."""

    _certificate = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take note of the certificate."""
        super().connection_made(transport)
        self._certificate = _certificate(transport)

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        scope: Scope = self.scope  # type: ignore[assignment] # its type has no place for what is our own
        scope[CERTIFICATE] = self._certificate

    def _should_upgrade(self) -> bool:
        return super()._should_upgrade() and _WEBSOCKETS.match(self.url) is not None

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: clients try, and read the answer."""


class CertificateWebSocketProtocol(WSProtocol):
    """WebSockets over TLS, likewise."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Log where it is quiet."""
        self.logger = _quiet
        super().connection_made(transport)

    def handle_connect(self, event: WebSocketRequest) -> None:
        """Begin; what answers runs after this."""
        super().handle_connect(event)
        scope: Scope = self.scope  # type: ignore[assignment] # as above
        scope[CERTIFICATE] = _certificate(self.transport)


def _certificate(transport: asyncio.Transport) -> bytes:
    session = transport.get_extra_info("ssl_object")
    return (session.getpeercert(binary_form=True) or b"") if session is not None else b""
