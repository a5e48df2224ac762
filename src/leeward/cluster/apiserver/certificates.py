"""Client certificates: uvicorn verifies them, and here they get into the scope of every request.

Source: uvicorn's protocol over httptools; ASGI has no agreed place for a peer's certificate.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leeward.cluster.apiserver.http import CERTIFICATE, Scope


class CertificateProtocol(HttpToolsProtocol):
    """HTTP over TLS, with the certificate of the client, if it sent one that the authority signed."""

    _certificate = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take note of the certificate."""
        super().connection_made(transport)
        session = transport.get_extra_info("ssl_object")
        self._certificate = (session.getpeercert(binary_form=True) or b"") if session is not None else b""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        scope: Scope = self.scope  # type: ignore[assignment] # its type has no place for what is our own
        scope[CERTIFICATE] = self._certificate
