"""``pods/NAME/proxy/PATH`` and ``services/NAME/proxy/PATH``: requests that go on to what runs there.

NAME may be ``name:port``, where the port of a Service is a name or number of its own, or ``https:name:port``.
Bodies pass as they come, both ways. Credentials for the API stay here. Links in HTML are not rewritten.

Source: pkg/registry/core/{pod/strategy.go,service/storage/storage.go} (ResourceLocation),
k8s.io/apimachinery/pkg/util/{net/http.go,proxy/upgradeaware.go,proxy/transport.go} (Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

from leeward.cluster.apiserver.http import Answer, Request, Response, Send
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.interface.client import Client
from leeward.cluster.registry.validation.formats import parse_ip
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, NotFoundError, ServiceUnavailableError

_SLICES = "endpointslices.discovery.k8s.io"
_SERVICE = "kubernetes.io/service-name"
_TIMEOUT = httpx.Timeout(None, connect=10)  # as long as the client waits
_PORTS = {"http": 80, "https": 443}
# What belongs to one connection, and what is for the API only.
_HOP = frozenset(
    ("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer", "upgrade")
)
_OURS = frozenset(("authorization", "host"))
_CORS = "access-control-allow-"


class Wanted(NamedTuple):
    """A name in a URL, taken apart."""

    scheme: str
    name: str
    port: str  # "" for the default


class Location(NamedTuple):
    """Where a request goes."""

    scheme: str
    host: str
    port: int


class Proxy:
    """Passes requests on.

    Args:
        client: reads Pods, Services and endpoints.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._turn = itertools.count()
        one = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # what answers may be gone next
        self._plain = httpx.AsyncHTTPTransport(trust_env=False, limits=one)
        self._secure = httpx.AsyncHTTPTransport(verify=_unverified(), trust_env=False, limits=one)

    async def forward(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer any method on ``proxy``."""
        wanted = read_name(path.name, served.singular)
        if served.name == "pods":
            location = pod_location(self._client.get(served.name, path.namespace, wanted.name), wanted)
        else:
            location = self._service_location(path.namespace, wanted)
        prefix, rest = split_target(request.uri)
        if not rest.partition("?")[0] and request.method in ("GET", "HEAD"):
            return Response(b"", status=301, content_type="", headers=[("location", f"{prefix}/{rest}")])
        asked = httpx.Request(
            request.method,
            httpx.URL(
                scheme=location.scheme,
                host=location.host,
                port=location.port,
                raw_path=(rest if rest.startswith("/") else f"/{rest}").encode("latin-1"),
            ),
            headers=_request_headers(request, location),
            content=request.chunks() if request.has_body else None,
            extensions={"timeout": _TIMEOUT.as_dict()},
        )
        transport = self._secure if location.scheme == "https" else self._plain
        try:
            answer = await transport.handle_async_request(asked)
        except (httpx.HTTPError, OSError) as error:
            where = f"{location.host}:{location.port}"
            text = f"error trying to reach service: dial tcp {where}: {_in_go(error)}"
            raise ServiceUnavailableError(text) from error
        return Proxied(answer, request, location, prefix)

    def _service_location(self, namespace: str, wanted: Wanted) -> Location:
        """Return an endpoint of a Service, each in its turn.

        Raises:
            NotFoundError: nobody keeps endpoints for it, as for one without a selector.
            ServiceUnavailableError: there is none.
        """
        service = self._client.get("services", namespace, wanted.name)
        name = service_port(service, wanted.port)
        slices = [each for each in self._client.list(_SLICES, namespace) if _service_of(each) == wanted.name]
        if not slices:
            details = {"name": wanted.name, "kind": "services"}
            raise NotFoundError(f'services "{wanted.name}" not found', details=details)
        found = list(endpoints(slices, name))
        if not found:
            raise ServiceUnavailableError(f'no endpoints available for service "{wanted.name}"')
        host, port = found[next(self._turn) % len(found)]
        return Location(wanted.scheme, host, port)


class Proxied:
    """What was answered there, as it comes.

    Args:
        answer: it, of which nothing but the head was read.
        request: of our client.
        location: where it comes from.
        prefix: our path of that place.
    """

    def __init__(self, answer: httpx.Response, request: Request, location: Location, prefix: str) -> None:
        self.status = answer.status_code
        self.headers = [
            (key, _redirected(value, location, prefix) if key == "location" else value)
            for key, value in _pairs(answer.headers)
            if key not in _HOP and not key.startswith(_CORS)
        ]
        self._answer = answer
        self._request = request

    async def send(self, send: Send) -> None:
        """Write it; it ends where the other one ends, or when the client has gone."""
        head = [
            (key.encode("latin-1"), value.encode("latin-1"))
            for key, value in self.headers
            if key != "transfer-encoding"
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": head})
        pump = asyncio.ensure_future(self._pump(send))
        gone = asyncio.ensure_future(self._request.gone())
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, pump):
                task.cancel()
            await asyncio.gather(gone, pump, return_exceptions=True)
            await self._answer.aclose()
        if pump.done() and not pump.cancelled():
            pump.result()  # a body that was broken off is not to look whole

    async def _pump(self, send: Send) -> None:
        async for chunk in self._answer.aiter_raw():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def read_name(text: str, kind: str) -> Wanted:
    """Return what a name in a URL says.

    Raises:
        BadRequestError: it says nothing.
    """
    parts = text.split(":")
    if len(parts) == 3 and parts[0] in ("", "http", "https") and parts[1]:
        return Wanted(parts[0] or "http", parts[1], parts[2])
    if len(parts) <= 2 and parts[0]:
        return Wanted("http", parts[0], parts[1] if len(parts) == 2 else "")
    raise BadRequestError(f'invalid {kind} request "{text}"')


def pod_location(pod: Obj, wanted: Wanted) -> Location:
    """Return where a Pod answers: at the port wanted, or the first one that it names.

    Pods that share this machine's network are at its loopback address, where they answer at the ports that
    they name only: what else listens there is none of theirs.

    Raises:
        BadRequestError: it has no address, or the port is none.
    """
    address = parse_ip((pod.get("status") or {}).get("podIP") or "")
    named = [port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports") or ()]
    port = wanted.port or (str(named[0]) if named else str(_PORTS[wanted.scheme]))
    if not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise BadRequestError(f'invalid pod request "{wanted.name}:{wanted.port}"')
    if address is None or not _is_allowed(address) or (address.is_loopback and int(port) not in named):
        raise BadRequestError("address not allowed")
    return Location(wanted.scheme, str(address), int(port))


def _is_allowed(address: IPv4Address | IPv6Address) -> bool:
    return not (address.is_unspecified or address.is_link_local or address.is_multicast)


def service_port(service: Obj, wanted: str) -> str:
    """Return the name of a Service's port from its name or number.

    Raises:
        ServiceUnavailableError: it has no such port.
    """
    if not wanted.isdigit():
        return wanted
    for port in service["spec"].get("ports") or ():
        if port["port"] == int(wanted):
            return str(port.get("name") or "")
    name = service["metadata"]["name"]
    raise ServiceUnavailableError(f'no service port {wanted} found for service "{name}"')


def _service_of(piece: Obj) -> str:
    return str((piece["metadata"].get("labels") or {}).get(_SERVICE, ""))


def endpoints(slices: list[Obj], port: str) -> Iterator[tuple[str, int]]:
    """Yield address and port of what is ready in EndpointSlices, for one port by its name."""
    for each in slices:
        numbers = [one["port"] for one in each.get("ports") or () if (one.get("name") or "") == port]
        for endpoint in each.get("endpoints") or () if numbers else ():
            if (endpoint.get("conditions") or {}).get("ready", True):
                yield endpoint["addresses"][0], numbers[0]


def split_target(uri: str) -> tuple[str, str]:
    """Return the path up to ``proxy``, and what follows it with the query."""
    path, mark, query = uri.partition("?")
    parts = path.split("/")  # "", api, v1, namespaces, NAMESPACE, pods, NAME, proxy, …
    prefix = "/".join(parts[:8])
    return prefix, path[len(prefix) :] + mark + query


def _request_headers(request: Request, location: Location) -> list[tuple[str, str]]:
    kept = [
        (key, value)
        for key, value in request.header_list
        if key not in _HOP and key not in _OURS and not key.startswith("impersonate-")
    ]
    where = location.host if _PORTS[location.scheme] == location.port else f"{location.host}:{location.port}"
    return [
        ("host", where),
        *kept,
        ("x-forwarded-for", request.client),
        ("x-forwarded-host", request.headers.get("host", "")),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-uri", request.uri.partition("?")[0]),
    ]


def _pairs(headers: httpx.Headers) -> list[tuple[str, str]]:
    return [(key.decode("latin-1").lower(), value.decode("latin-1")) for key, value in headers.raw]


def _redirected(target: str, location: Location, prefix: str) -> str:
    """Return a redirection as our client can follow it, when it stays where it was."""
    parts = urlsplit(target)
    with contextlib.suppress(ValueError):
        same = parts.hostname == location.host and (parts.port or _PORTS.get(parts.scheme)) == location.port
        if (same or not parts.netloc) and parts.path.startswith("/"):
            return prefix + parts._replace(scheme="", netloc="").geturl()
    return target


def _in_go(error: Exception) -> str:
    text = str(error)
    if isinstance(error, httpx.ConnectTimeout):
        return "i/o timeout"
    if isinstance(error, httpx.ConnectError):
        return (
            "connect: connection refused" if "All connection attempts failed" in text else f"connect: {text}"
        )
    return text or "EOF"


def _unverified() -> ssl.SSLContext:
    """Certificates of Pods are their own, as upstream takes them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
