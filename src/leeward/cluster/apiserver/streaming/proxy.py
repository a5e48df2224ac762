"""``pods/NAME/proxy/PATH`` and ``services/NAME/proxy/PATH``: requests that go on to what runs there.

NAME may be ``name:port``, where the port of a Service is a name or number of its own, or ``https:name:port``.
Links in HTML are not rewritten.

Source: pkg/registry/core/{pod/strategy.go,service/storage/storage.go} (ResourceLocation, Kubernetes 1.36).
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

import httpx

from leeward.cluster.apiserver.http import Answer, Request, Response
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.apiserver.streaming.connecting import admitted
from leeward.cluster.apiserver.streaming.passing import PORTS, Location, pass_on
from leeward.cluster.interface.client import TrackingClient
from leeward.cluster.registry.validation.formats import parse_ip
from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, NotFoundError, ServiceUnavailableError

_SLICES = "endpointslices.discovery.k8s.io"
_SERVICE = "kubernetes.io/service-name"


class Wanted(NamedTuple):
    """A name in a URL, taken apart."""

    scheme: str
    name: str
    port: str  # "" for the default


class Proxy:
    """Passes requests on.

    Args:
        client: reads Pods, Services and endpoints, and asks admission.
    """

    def __init__(self, client: TrackingClient) -> None:
        self._client = client
        self._turn = itertools.count()
        one = httpx.Limits(max_connections=None, max_keepalive_connections=0)  # what answers may be gone next
        self._plain = httpx.AsyncHTTPTransport(trust_env=False, limits=one)
        self._secure = httpx.AsyncHTTPTransport(verify=unverified(), trust_env=False, limits=one)

    async def forward(self, request: Request, path: ResourcePath, served: Served) -> Answer:
        """Answer any method on ``proxy``."""
        await admitted(self._client, request, path, served, {"path": path.rest and f"/{path.rest}"})
        wanted = read_name(path.name, served.singular)
        if served.name == "pods":
            location = pod_location(self._client.get(served.name, path.namespace, wanted.name), wanted)
        else:
            location = self._service_location(path.namespace, wanted)
        prefix, rest = split_target(request.uri)
        if not rest.partition("?")[0] and request.method in ("GET", "HEAD"):
            return Response(b"", status=301, content_type="", headers=[("location", f"{prefix}/{rest}")])
        transport = self._secure if location.scheme == "https" else self._plain
        target = rest if rest.startswith("/") else f"/{rest}"
        return await pass_on(request, location, target, transport, prefix=prefix)

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
    port = wanted.port or (str(named[0]) if named else str(PORTS[wanted.scheme]))
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


def unverified() -> ssl.SSLContext:
    """Certificates of Pods are their own, as upstream takes them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
