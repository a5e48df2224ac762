"""The names of services that somebody else runs: no Pods, only what makes the name resolve.

A DNS name becomes a Service of type ExternalName; an address a Service without selector and its
EndpointSlice. With a port other than the service's own, that Service has an address of its own and
translates; a DNS name cannot be translated, and that is said.

Source: kubernetes.io/docs/concepts/services-networking/service ("Services without selectors",
"ExternalName").
"""

from __future__ import annotations

import ipaddress
from dataclasses import replace
from typing import Any

from leeward.kube.objects import Obj
from leeward.kube.wellknown import SERVICE_NAME
from leeward.render import naming
from leeward.render.model import ProjectContext, Renderer, ServiceContext
from leeward.render.plan import ServicePlan
from leeward.render.ports import ServicePort
from leeward.settings.service import External

_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_PATH = ("x-leeward", "external")


def _address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _ports(plan: ServicePlan, external: External) -> tuple[ServicePort, ...]:
    """Return the ports that callers use."""
    if plan.ports or external.port is None:
        return plan.ports
    return (ServicePort(f"tcp-{external.port}", external.port, "TCP"),)


def _there(ports: tuple[ServicePort, ...], external: External) -> tuple[ServicePort, ...]:
    """Return the ports of the other side: the only one of the service is where `external` says."""
    if external.port is None or len(ports) != 1:
        return ports
    return (replace(ports[0], port=external.port),)


def _entries(ports: tuple[ServicePort, ...]) -> list[dict[str, Any]]:
    return [{"name": port.name, "port": port.port, "protocol": port.protocol} for port in ports]


def _by_name(context: ServiceContext, name: str, external: External) -> list[Obj]:
    ports = _ports(context.plan, external)
    if _there(ports, external) != ports:
        context.warn(
            (*_PATH, "port"),
            "not-translated",
            f"A DNS name cannot be given another port: callers must use {external.port} themselves.",
            "Write the port where the callers are configured.",
        )
    spec: dict[str, Any] = {"type": "ExternalName", "externalName": external.host.lower()}
    return [{**context.object("v1", "Service", name, *_PATH), "spec": spec}]


def _by_address(context: ServiceContext, name: str, external: External, version: int) -> list[Obj]:
    ports = _ports(context.plan, external)
    there = _there(ports, external)
    spec: dict[str, Any] = {"type": "ClusterIP"} if there != ports else {"clusterIP": "None"}
    if ports:
        spec["ports"] = [
            {**entry, "targetPort": other.port} for entry, other in zip(_entries(ports), there, strict=True)
        ]
    slice_ = context.object(
        "discovery.k8s.io/v1", "EndpointSlice", naming.join_label(name, "external"), *_PATH
    )
    slice_["metadata"]["labels"] |= {SERVICE_NAME: name, _MANAGED_BY: "leeward"}
    endpoint = {"addresses": [external.host], "conditions": {"ready": True}}
    return [
        {**context.object("v1", "Service", name, *_PATH), "spec": spec},
        {**slice_, "addressType": f"IPv{version}", "endpoints": [endpoint], "ports": _entries(there)},
    ]


def _project(context: ProjectContext) -> list[Obj]:
    made: list[Obj] = []
    for plan in context.plan.external.values():
        external, service = plan.settings.external, ServiceContext(context, plan)
        if external is None:
            continue
        address = _address_of(external.host)
        for name in (plan.name, *plan.aliases):
            if address is None:
                made += _by_name(service, name, external)
            else:
                made += _by_address(service, name, external, address.version)
    return made


DESCRIPTOR = Renderer(name="external", project=_project)
