"""The servers behind APIServices: where they are and how they are trusted. Loaded for the first one.

Source: k8s.io/kube-aggregator/pkg/apiserver/handler_proxy.go, pkg/util/proxy (ResolveEndpoint, Kubernetes
1.36).
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Mapping
from random import Random

import httpx

from leeward.cluster.apiserver.aggregation.peers import CHECKER, UnansweredError, identity, server_name
from leeward.cluster.apiserver.pki import Pki
from leeward.cluster.apiserver.streaming.passing import Location, in_go
from leeward.cluster.apiserver.streaming.proxy import unverified
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.user import User
from leeward.cluster.registry.admission.webhooks.targets import UnresolvedError, endpoint
from leeward.kube.objects import Obj

_SECONDS = 5  # for a question of this server's own
_KEPT = 64


class Backends:
    """Reaches the servers of APIServices.

    Args:
        reader: Services and endpoints.
        pki: the certificate that says who this server is.
        random: chooses an endpoint.
    """

    def __init__(self, reader: Reader, pki: Pki, random: Random) -> None:
        self._reader = reader
        self._pki = pki
        self._random = random
        self._transports: dict[tuple[str, bool], httpx.AsyncHTTPTransport] = {}

    def location(self, api_service: Obj) -> Location:
        """Return where an APIService is served now.

        Raises:
            UnresolvedError: nowhere.
        """
        service = api_service["spec"]["service"]
        port = service.get("port") or 443
        found = endpoint(self._reader, service["namespace"], service["name"], port, self._random)
        return Location("https", *found)

    def transport(self, api_service: Obj) -> httpx.AsyncHTTPTransport:
        """Return the way there.

        Raises:
            ValueError: the authority that the APIService names is none.
        """
        spec = api_service["spec"]
        return self._transport(spec.get("caBundle") or "", bool(spec.get("insecureSkipTLSVerify")))

    def _transport(self, bundle: str, insecure: bool) -> httpx.AsyncHTTPTransport:
        found = self._transports.get((bundle, insecure))
        if found is None:
            context = unverified() if insecure else _verified(bundle)
            context.load_cert_chain(self._pki.front_proxy_certificate, self._pki.front_proxy_key)
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            found = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
            while len(self._transports) >= _KEPT:
                self._transports.pop(next(iter(self._transports)))
            self._transports[bundle, insecure] = found
        return found

    async def get(
        self,
        api_service: Obj,
        path: str,
        headers: Mapping[str, str],
        *,
        checked: bool = True,
        user: User = CHECKER,
    ) -> httpx.Response:
        """Ask the server of an APIService something for this server's own use.

        Args:
            api_service: whose.
            path: what.
            headers: how.
            checked: only of a server with the right certificate.
            user: who asks.

        Raises:
            UnansweredError: there is no answer in time.
        """
        try:
            location = self.location(api_service)
        except UnresolvedError as error:
            raise UnansweredError(str(error)) from None
        shown = f"[{location.host}]" if ":" in location.host else location.host
        url = f"https://{shown}:{location.port}{path}"
        try:
            transport = self.transport(api_service) if checked else self._transport("", True)
            async with httpx.AsyncClient(transport=_Lent(transport), timeout=_SECONDS) as client:
                return await client.get(
                    url,
                    headers=[*headers.items(), *identity(user)],
                    extensions={"sni_hostname": server_name(api_service)},
                )
        except httpx.TimeoutException:
            why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        except (httpx.HTTPError, OSError, ValueError) as error:
            why = f"dial tcp {shown}:{location.port}: {in_go(error)}"
        raise UnansweredError(f'failing or missing response from {url}: Get "{url}": {why}')

    async def close(self) -> None:
        """Let all connections go."""
        for each in self._transports.values():
            await each.aclose()
        self._transports.clear()


class _Lent(httpx.AsyncBaseTransport):
    """A transport that a client uses and does not close."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._transport.handle_async_request(request)


def _verified(bundle: str) -> ssl.SSLContext:
    text = base64.b64decode(bundle).decode() if bundle else None
    context = ssl.create_default_context(cadata=text)
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    return context
