"""Columns of Services, endpoints, Ingresses and network policies.

Source: ``k8s.io/kubernetes/pkg/printers/internalversion`` (1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from leeward.cluster.apiserver.printers.table import (
    NONE,
    UNSET,
    Cell,
    Printer,
    age,
    columns,
    joined,
    label_map,
    label_selector,
    name,
    spec,
    status,
)
from leeward.kube.objects import Obj


def _load_balancer(obj: Obj) -> str:
    found = (status(obj).get("loadBalancer") or {}).get("ingress") or ()
    return ",".join(item.get("ip") or item.get("hostname") or "" for item in found)


def _external(obj: Obj) -> str:
    kind, extra = spec(obj).get("type"), spec(obj).get("externalIPs") or ()
    if kind == "ExternalName":
        return spec(obj).get("externalName") or NONE
    if kind == "LoadBalancer":
        shown = ",".join(part for part in (_load_balancer(obj), *extra) if part)
        return shown or "<pending>"
    return joined(extra)


def _service_ports(obj: Obj) -> str:
    return joined(
        f"{port['port']}:{port['nodePort']}/{port.get('protocol', 'TCP')}"
        if port.get("nodePort")
        else f"{port['port']}/{port.get('protocol', 'TCP')}"
        for port in spec(obj).get("ports") or ()
    )


def _service(obj: Obj, now: datetime) -> list[Cell]:
    addresses = spec(obj).get("clusterIPs") or ()
    return [
        name(obj),
        spec(obj).get("type", ""),
        (addresses[0] if addresses else spec(obj).get("clusterIP")) or NONE,
        _external(obj),
        _service_ports(obj),
        age(obj, now),
        label_map(spec(obj).get("selector")),
    ]


def _endpoints_text(obj: Obj) -> str:
    found: list[str] = []
    for subset in obj.get("subsets") or ():
        ips = [item["ip"] for item in subset.get("addresses") or ()]
        ports = subset.get("ports") or ()
        found.extend(f"{ip}:{port['port']}" for port in ports for ip in ips)
        if not ports:
            found.extend(ips)
    if len(found) > 3:
        return f"{','.join(found[:3])} + {len(found) - 3} more..."
    return joined(found)


def _endpoints(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), _endpoints_text(obj), age(obj, now)]


def _limited(values: list[str], empty: str) -> str:
    if len(values) > 3:
        return f"{','.join(values[:3])} + {len(values) - 3} more..."
    return joined(values, empty)


def _slice(obj: Obj, now: datetime) -> list[Cell]:
    ports = [str(port.get("port") or "*") for port in obj.get("ports") or ()]
    ips = [ip for point in obj.get("endpoints") or () for ip in point.get("addresses") or ()]
    return [
        name(obj),
        obj.get("addressType", ""),
        _limited(ports, UNSET),
        _limited(ips, UNSET),
        age(obj, now),
    ]


def _ingress(obj: Obj, now: datetime) -> list[Cell]:
    hosts = [rule["host"] for rule in spec(obj).get("rules") or () if rule.get("host")]
    shown = f"{','.join(hosts[:3])} + {len(hosts) - 3} more..." if len(hosts) > 3 else joined(hosts, "*")
    return [
        name(obj),
        spec(obj).get("ingressClassName") or NONE,
        shown,
        _load_balancer(obj),
        "80, 443" if spec(obj).get("tls") else "80",
        age(obj, now),
    ]


def _ingress_class(obj: Obj, now: datetime) -> list[Cell]:
    parameters: Mapping[str, Any] | None = spec(obj).get("parameters")
    shown = NONE
    if parameters:
        group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
        shown = f"{parameters.get('kind', '')}{group}/{parameters.get('name', '')}"
    return [name(obj), spec(obj).get("controller", ""), shown, age(obj, now)]


def _policy(obj: Obj, now: datetime) -> list[Cell]:
    return [name(obj), label_selector(spec(obj).get("podSelector")), age(obj, now)]


PRINTERS = {
    "services": Printer(columns("Name,Type,Cluster-IP,External-IP,Port(s),Age,|,Selector"), _service),
    "endpoints": Printer(columns("Name,Endpoints,Age"), _endpoints),
    "endpointslices.discovery.k8s.io": Printer(columns("Name,AddressType,Ports,Endpoints,Age"), _slice),
    "ingresses.networking.k8s.io": Printer(columns("Name,Class,Hosts,Address,Ports,Age"), _ingress),
    "ingressclasses.networking.k8s.io": Printer(columns("Name,Controller,Parameters,Age"), _ingress_class),
    "networkpolicies.networking.k8s.io": Printer(columns("Name,Pod-Selector,Age"), _policy),
}
