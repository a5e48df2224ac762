"""Gives Services their cluster IPs and node ports.

What is taken is read from the Services themselves, so nothing has to be repaired after a crash.

Source: pkg/registry/core/service/storage/alloc.go (Kubernetes 1.36).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.failures import invalid, raise_if_any
from leeward.kube.objects import Obj
from leeward.kube.resources import Resource
from leeward.kube.status import StatusError

_FIRST = 100  # addresses below are for Services that ask for a fixed one, such as DNS
_NODE_PORTS = range(30000, 32768)


class IpAllocator:
    """Chooses free addresses and ports.

    Args:
        reader: the Services.
        network: where addresses come from.
    """

    def __init__(self, reader: Reader, network: IPv4Network) -> None:
        self._reader = reader
        self._network = network
        self._next = _FIRST
        self._next_port = _NODE_PORTS.start

    def assign(self, resource: Resource, service: Obj, old: Obj | None) -> Obj:
        """Return `service` with the addresses and ports it needs.

        Raises:
            InvalidError: it asks for an address that is taken or outside the range.
            StatusError: no address is free.
        """
        spec = dict(service["spec"])
        if spec.get("type") == "ExternalName":
            for field in ("clusterIP", "clusterIPs"):
                spec.pop(field, None)
            return {**service, "spec": spec}
        before = (old or {}).get("spec", {})
        if not spec.get("clusterIP"):
            spec["clusterIP"] = before.get("clusterIP") or self._free_address()
        elif spec["clusterIP"] != before.get("clusterIP") and spec["clusterIP"] != "None":
            self._check(resource, service, spec["clusterIP"])
        spec["clusterIPs"] = [spec["clusterIP"]]
        if spec.get("type") in ("NodePort", "LoadBalancer"):
            spec["ports"] = self._with_node_ports(spec.get("ports") or [], before.get("ports") or [])
        return {**service, "spec": spec}

    def _used(self) -> set[str]:
        return {each["spec"].get("clusterIP") or "" for each in self._reader.list("services")}

    def _free_address(self) -> str:
        used, size = self._used(), self._network.num_addresses - 2
        for _ in range(size):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next < size else _FIRST
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

    def _with_node_ports(self, ports: list[Any], before: list[Any]) -> list[Any]:
        used = {
            port.get("nodePort")
            for each in self._reader.list("services")
            for port in each["spec"].get("ports") or ()
        }
        kept = {(port.get("name"), port.get("port")): port.get("nodePort") for port in before}
        result = []
        for port in ports:
            number = port.get("nodePort") or kept.get((port.get("name"), port.get("port")))
            if not number:
                number = next((each for each in _NODE_PORTS if each not in used), 0)
                used.add(number)
            result.append({**port, "nodePort": number})
        return result
