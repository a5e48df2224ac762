"""Gives Services their cluster IPs and node ports.

What is taken is read from the Services themselves, so nothing has to be repaired after a crash.

Source: pkg/registry/core/service/storage/alloc.go (Kubernetes 1.36).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.failures import Failure, duplicate, invalid, raise_if_any
from leeward.kube.objects import Obj, key_of
from leeward.kube.resources import Resource
from leeward.kube.status import StatusError

_FIRST = 100  # addresses below are for Services that ask for a fixed one, such as DNS
_NODE_PORTS = range(30000, 32768)
_EXPOSED = ("NodePort", "LoadBalancer")


class IpAllocator:
    """Chooses free addresses and ports.

    Args:
        reader: the Services.
        network: where addresses come from.
    """

    def __init__(self, reader: Reader, network: IPv4Network) -> None:
        self._reader = reader
        self._network = network
        self._first = _FIRST if network.num_addresses > 2 * _FIRST else 1
        self._next = self._first

    def assign(self, resource: Resource, service: Obj, old: Obj | None) -> Obj:
        """Return `service` with the addresses and ports it needs.

        Raises:
            InvalidError: it asks for an address or port that is taken or outside the range.
            StatusError: no address or port is free.
        """
        before = (old or {}).get("spec", {})
        spec = _without_exposure(service["spec"], before)
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
            return {**service, "spec": spec}
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or self._free_address()
        elif spec["clusterIP"] != before.get("clusterIP") and spec["clusterIP"] != "None":
            self._check(resource, service, spec["clusterIP"])
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec.get("type") in _EXPOSED:
            spec["ports"] = self._with_node_ports(resource, service, before.get("ports") or [])
        return {**service, "spec": spec}

    def _used(self) -> set[str]:
        return {each["spec"].get("clusterIP") or "" for each in self._reader.list("services")}

    def _free_address(self) -> str:
        used, size = self._used(), self._network.num_addresses - 2
        for _ in range(size):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next < size else self._first
            if address not in used:
                return address
        raise StatusError("range is full: no cluster IP is free")

    def _check(self, resource: Resource, service: Obj, address: str) -> None:
        try:
            inside = IPv4Address(address) in self._network
        except ValueError:
            inside = False
        detail = "" if inside else f"the provided IP ({address}) is not in the valid range {self._network}"
        if inside and address in self._used():
            detail = f"failed to allocate IP {address}: provided IP is already allocated"
        if detail:
            name = service["metadata"]["name"]
            raise_if_any(resource, name, [invalid("spec.clusterIPs", [address], detail)])

    def _with_node_ports(self, resource: Resource, service: Obj, before: list[Any]) -> list[Any]:
        """Return the ports, each with its node port: the one asked for, else its old one, else a free one."""
        ports = service["spec"].get("ports") or []
        taken = {
            port.get("nodePort")
            for each in self._reader.list("services")
            if key_of(each) != key_of(service)
            for port in each["spec"].get("ports") or ()
        }
        raise_if_any(resource, service["metadata"]["name"], _node_port_failures(ports, taken))
        taken |= {port.get("nodePort") for port in ports}
        kept = {port.get("name"): port.get("nodePort") for port in before}
        old = [kept.get(port.get("name")) for port in ports]
        numbers = [
            port.get("nodePort") or (number if number not in taken else None)
            for port, number in zip(ports, old, strict=True)
        ]
        taken.update(numbers)
        free = (number for number in _NODE_PORTS if number not in taken)
        result = [
            {**port, "nodePort": number or next(free, None)}
            for port, number in zip(ports, numbers, strict=True)
        ]
        if any(port["nodePort"] is None for port in result):
            raise StatusError("range is full: no node port is free")
        return result


def _node_port_failures(ports: list[Any], taken: set[Any]) -> list[Failure]:
    """Check the node ports that are asked for; two protocols may share one."""
    found: list[Failure] = []
    seen = set()
    for index, port in enumerate(ports):
        number, field = port.get("nodePort"), f"spec.ports[{index}].nodePort"
        if not number:
            continue
        if number not in _NODE_PORTS:
            limits = f"{_NODE_PORTS.start}-{_NODE_PORTS.stop - 1}"
            text = f"provided port is not in the valid range. The range of valid ports is {limits}"
            found.append(invalid(field, number, text))
        elif number in taken:
            found.append(invalid(field, number, "provided port is already allocated"))
        elif (port.get("protocol"), number) in seen:
            found.append(duplicate(field, number))
        seen.add((port.get("protocol"), number))
    return found


def _without_exposure(spec: Obj, before: Obj) -> Obj:
    """Return a copy of `spec` without what only its former type needed."""
    result = dict(spec)
    if before.get("type") == "LoadBalancer" != spec.get("type"):
        result.pop("allocateLoadBalancerNodePorts", None)
    if before.get("type") in _EXPOSED and spec.get("type") not in _EXPOSED:
        result.pop("externalTrafficPolicy", None)
        ports = spec.get("ports") or []
        result["ports"] = [{k: v for k, v in port.items() if k != "nodePort"} for port in ports]
    return result
