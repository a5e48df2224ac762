"""``pods/NAME/proxy/PATH`` and ``services/NAME/proxy/PATH``: requests that go on to what runs there.

NAME may be ``name:port``, where the port of a Service is a name or number of its own, or ``https:name:port``.
Links in HTML are not rewritten.

Source: pkg/registry/core/{pod/strategy.go,service/storage/storage.go} (ResourceLocation, Kubernetes 1.36).
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from urllib.parse import unquote

import httpx

from leeward.cluster.apiserver.http import Answer, Request, Response
from leeward.cluster.apiserver.paths import ResourcePath
from leeward.cluster.apiserver.served import Served
from leeward.cluster.apiserver.streaming.connecting import admitted
from leeward.cluster.apiserver.streaming.passing import PORTS, Location, pass_on
from leeward.cluster.apiserver.streaming.tunnel import read_port
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


class Endpoint(NamedTuple):
    """Where a Service may answer, as an EndpointSlice has it."""

    address: str
    port: int
    target: Mapping[str, str]  # whose address it is said to be


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
            location = self.service_location(path.namespace, wanted)
        prefix, rest = split_target(request.uri, path.rest)
        if not rest.partition("?")[0] and request.method in ("GET", "HEAD"):
            return Response(b"", status=301, content_type="", headers=[("location", f"{prefix}/{rest}")])
        transport = self._secure if location.scheme == "https" else self._plain
        target = rest if rest.startswith("/") else f"/{rest}"
        return await pass_on(request, location, target, transport, prefix=prefix, keeps_host=True)

    def service_location(self, namespace: str, wanted: Wanted) -> Location:
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
        turn = next(self._turn)
        for at in range(len(found)):
            endpoint = found[(turn + at) % len(found)]
            if self._is_of_pod(namespace, endpoint):
                return Location(wanted.scheme, endpoint.address, endpoint.port)
        raise ServiceUnavailableError(f'no endpoints available for service "{wanted.name}"')

    def _is_of_pod(self, namespace: str, endpoint: Endpoint) -> bool:
        """Tell whether an endpoint is what it says: a Pod that is there and has this address.

        Who may write EndpointSlices could have requests sent anywhere otherwise.
        """
        target = endpoint.target
        if target.get("kind") != "Pod" or target.get("namespace") != namespace:
            return False
        pod = self._client.find("pods", namespace, target.get("name") or "")
        return pod is not None and has_address(pod, endpoint.address) and may_answer(pod, endpoint)


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
    named = named_ports(pod)
    port = read_port(wanted.port) if wanted.port else named[0] if named else PORTS[wanted.scheme]
    if not port:
        raise BadRequestError(f'invalid pod request "{wanted.name}:{wanted.port}"')
    address = str((pod.get("status") or {}).get("podIP") or "")
    if not may_answer(pod, Endpoint(address, port, {})):
        raise BadRequestError("address not allowed")
    return Location(wanted.scheme, address, port)


def named_ports(pod: Obj) -> list[int]:
    """Return the ports that a Pod's containers name."""
    return [port["containerPort"] for each in pod["spec"]["containers"] for port in each.get("ports") or ()]


def has_address(pod: Obj, address: str) -> bool:
    """Tell whether an address is one of a Pod's."""
    return address in [each.get("ip") for each in (pod.get("status") or {}).get("podIPs") or ()]


def may_answer(pod: Obj, endpoint: Endpoint) -> bool:
    """Tell whether requests to a Pod may go there; at a loopback address to the ports that it names only."""
    address = parse_ip(endpoint.address)
    if address is None:
        return False
    plain = getattr(address, "ipv4_mapped", None) or address
    if plain.is_unspecified or plain.is_link_local or plain.is_multicast:
        return False
    return not plain.is_loopback or endpoint.port in named_ports(pod)


def service_port(service: Obj, wanted: str) -> str:
    """Return the name of a Service's port from its name or number.

    Raises:
        ServiceUnavailableError: it has no such port.
    """
    if not (wanted.isascii() and wanted.isdigit()):
        return wanted
    number = read_port(wanted)
    for port in service["spec"].get("ports") or ():
        if port["port"] == number:
            return str(port.get("name") or "")
    name = service["metadata"]["name"]
    raise ServiceUnavailableError(f'no service port {wanted} found for service "{name}"')


def _service_of(piece: Obj) -> str:
    return str((piece["metadata"].get("labels") or {}).get(_SERVICE, ""))


def endpoints(slices: list[Obj], port: str) -> Iterator[Endpoint]:
    """Yield what is ready in EndpointSlices, for one port by its name; names of hosts are no addresses."""
    for each in slices:
        named = [one for one in each.get("ports") or () if (one.get("name") or "") == port]
        numbers = [one["port"] for one in named if one.get("port")]
        addressed = numbers and each.get("addressType") != "FQDN"
        for endpoint in each.get("endpoints") or () if addressed else ():
            if (endpoint.get("conditions") or {}).get("ready") is not False:
                yield Endpoint(endpoint["addresses"][0], numbers[0], endpoint.get("targetRef") or {})


def split_target(uri: str, rest: str) -> tuple[str, str]:
    """Return the path up to ``proxy``, and what follows it with the query.

    Args:
        uri: as it was sent.
        rest: what follows as the router reads it, which takes empty segments for none.
    """
    path, mark, query = uri.partition("?")
    segments = path.split("/")
    left = sum(map(_names, segments)) - sum(1 for each in rest.split("/") if each)
    end = 0
    while left > 0:
        left -= _names(segments[end])
        end += 1
    prefix = "/".join(segments[:end])
    return prefix, path[len(prefix) :] + mark + query


def _names(text: str) -> int:
    """Return how many segments the router finds in a part of a path."""
    return sum(1 for each in unquote(text).split("/") if each)


def unverified() -> ssl.SSLContext:
    """Certificates of Pods are their own, as upstream takes them."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
