"""Which addresses stand behind a Service port, now.

Pure: built from a Service and its EndpointSlices. Only ready endpoints receive traffic; when none is
ready, endpoints that are terminating but still serving do, as kube-proxy decides.

Source: pkg/proxy/topology.go, CategorizeEndpoints (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """One address that can take a connection."""

    ip: str
    port: int
    node: str  # "" when unknown


@dataclass(frozen=True, slots=True)
class Backend:
    """One address of a headless Service or of the DNS view, whatever its ports."""

    ip: str
    hostname: str  # "" when the Pod has none of its own
    ready: bool
    terminating: bool


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service with everything behind it."""

    name: str
    protocol: str
    port: int
    endpoints: tuple[Endpoint, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What the network knows about one Service."""

    namespace: str
    name: str
    cluster_ip: str  # "" when headless or ExternalName
    external_name: str
    publish_not_ready: bool
    ports: tuple[ServicePort, ...]
    backends: tuple[Backend, ...]

    def port_numbered(self, number: int) -> ServicePort | None:
        """Return the port with Service port `number`, if any."""
        return next((port for port in self.ports if port.port == number), None)

    def port_named(self, name: str) -> ServicePort | None:
        """Return the port called `name`, if any."""
        return next((port for port in self.ports if port.name == name), None)


def view_service(service: Obj, slices: Iterable[Obj]) -> ServiceView:
    """Combine a Service with its slices; endpoints are ordered by address."""
    spec = service.get("spec") or {}
    slices = list(slices)
    ip = spec.get("clusterIP") or ""
    return ServiceView(
        namespace=service["metadata"]["namespace"],
        name=service["metadata"]["name"],
        cluster_ip="" if ip == "None" else ip,
        external_name=spec.get("externalName") or "",
        publish_not_ready=bool(spec.get("publishNotReadyAddresses")),
        ports=tuple(_port(entry, slices) for entry in spec.get("ports") or ()),
        backends=tuple(_backends(slices)),
    )


def _port(entry: Mapping[str, Any], slices: Iterable[Obj]) -> ServicePort:
    """Collect what stands behind one Service port."""
    name = entry.get("name") or ""
    protocol = entry.get("protocol") or "TCP"
    ready: set[Endpoint] = set()
    draining: set[Endpoint] = set()
    for item in slices:
        number = next(
            (
                port.get("port")
                for port in item.get("ports") or ()
                if (port.get("name") or "") == name and (port.get("protocol") or "TCP") == protocol
            ),
            None,
        )
        if number is None:
            continue
        for endpoint in item.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            found = {Endpoint(ip, number, endpoint.get("nodeName") or "") for ip in endpoint["addresses"]}
            if conditions.get("ready", True) and not conditions.get("terminating"):
                ready |= found
            elif conditions.get("serving", conditions.get("ready")) and conditions.get("terminating"):
                draining |= found
    return ServicePort(name, protocol, entry["port"], tuple(sorted(ready or draining)))


def _backends(slices: Iterable[Obj]) -> Iterable[Backend]:
    """List every address once, ready or not, in order."""
    found: dict[str, Backend] = {}
    for item in slices:
        for endpoint in item.get("endpoints") or ():
            conditions = endpoint.get("conditions") or {}
            ready, leaving = conditions.get("ready", True), bool(conditions.get("terminating"))
            for ip in endpoint["addresses"]:
                found[ip] = Backend(ip, endpoint.get("hostname") or "", ready, leaving)
    return sorted(found.values(), key=lambda backend: backend.ip)
