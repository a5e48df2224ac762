"""WebSockets over TLS with the client's certificate in the scope.

Source: uvicorn's protocol over wsproto.
"""

from __future__ import annotations

import asyncio
import logging

from uvicorn.protocols.websockets.wsproto_impl import WSProtocol
from wsproto.events import Request as WebSocketRequest

from leeward.cluster.apiserver.certificates import certificate_of
from leeward.cluster.apiserver.http import CERTIFICATE, Scope

_quiet = logging.getLogger("uvicorn.websockets")
_quiet.setLevel(logging.WARNING)  # it would tell every command with its arguments, secret ones too


class CertificateWebSocketProtocol(WSProtocol):
    """A WebSocket."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Log where it is quiet."""
        self.logger = _quiet
        super().connection_made(transport)

    def handle_connect(self, event: WebSocketRequest) -> None:
        """Begin; what answers runs after this."""
        super().handle_connect(event)
        scope: Scope = self.scope  # type: ignore[assignment] # as above
        scope[CERTIFICATE] = certificate_of(self.transport)
