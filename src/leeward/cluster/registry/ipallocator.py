"""Gives Services their cluster IPs and node ports.

What is taken is read from the Services themselves, so nothing has to be repaired after a crash.

Source: pkg/registry/core/service/storage/alloc.go (Kubernetes 1.36).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Any

from leeward.cluster.interface.client import Reader
from leeward.cluster.registry.failures import Failure, duplicate, invalid, raise_if_any
from leeward.cluster.registry.validation.services import (
    cluster_ip_failures,
    is_headless,
    needs_external_policy,
    needs_health_port,
)
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
        spec = _with_addresses(_without_exposure(service["spec"], before), before)
        name = service["metadata"]["name"]
        raise_if_any(resource, name, cluster_ip_failures(spec))
        if spec.get("type") == "ExternalName":
            return {**service, "spec": spec}
        spec = _with_families(spec)
        if not is_headless(spec) or spec.get("selector"):
            raise_if_any(resource, name, _family_failures(spec))
        if not spec.get("clusterIP"):
            spec["clusterIP"] = self._free_address()
            spec["clusterIPs"] = [spec["clusterIP"]]
        elif (
            spec["clusterIP"] != before.get("clusterIP")
            and not is_headless(spec)
            and not before.get("clusterIP")
        ):
            self._check(resource, service, spec["clusterIP"])
        if _has_node_ports(spec):
            spec["ports"] = self._with_node_ports(
                resource, {**service, "spec": spec}, before.get("ports") or []
            )
        if needs_health_port(spec) and not spec.get("healthCheckNodePort"):
            spec["healthCheckNodePort"] = before.get("healthCheckNodePort") or self._free_port(spec)
        return {**service, "spec": spec}

    def _free_port(self, spec: Obj) -> int:
        taken = {port.get("nodePort") for port in spec.get("ports") or ()}
        for each in self._reader.list("services"):
            taken |= {port.get("nodePort") for port in each["spec"].get("ports") or ()}
            taken.add(each["spec"].get("healthCheckNodePort"))
        found = next((number for number in _NODE_PORTS if number not in taken), None)
        if found is None:
            raise StatusError("range is full: no node port is free")
        return found

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
        detail = "" if inside else "the provided network does not match the current range"
        if inside and address in self._used():
            detail = "provided IP is already allocated"
        if detail:
            detail = f"failed to allocate IP {address}: {detail}"
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


def _has_node_ports(spec: Obj) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (
        kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False
    )


def _without_exposure(spec: Obj, before: Obj) -> Obj:
    """Return a copy of `spec` without what only its former type needed and nobody has changed."""
    result = dict(spec)
    kind, was = spec.get("type"), before.get("type")

    def drop(name: str) -> None:
        if result.get(name) == before.get(name):
            result.pop(name, None)

    if was == "LoadBalancer" != kind:
        for name in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
            drop(name)
    if before and needs_health_port(before) and not needs_health_port(spec):
        drop("healthCheckNodePort")
    if before and needs_external_policy(before) and not needs_external_policy(spec):
        drop("externalTrafficPolicy")
    if was in _EXPOSED and kind not in _EXPOSED:
        kept = {port.get("nodePort") for port in before.get("ports") or ()}
        result["ports"] = [
            {k: v for k, v in port.items() if k != "nodePort" or v not in kept}
            for port in spec.get("ports") or []
        ]
    if kind == "ExternalName" != was and before:
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            drop(name)
    return result


def _with_addresses(spec: Obj, before: Obj) -> Obj:
    """Return `spec` with ``clusterIP`` and ``clusterIPs`` in step, kept where they were left out."""
    if spec.get("type") == "ExternalName":
        own = spec.get("clusterIP")  # refused later
        return {**spec, "clusterIPs": [own]} if own and not spec.get("clusterIPs") else spec
    address, addresses = _in_step(spec, before if before.get("type") != "ExternalName" else {})
    for name in ("ipFamilies", "ipFamilyPolicy") if before.get("type") != "ExternalName" else ():
        if not spec.get(name) and before.get(name):
            spec[name] = before[name]
    for name, value in (("clusterIP", address), ("clusterIPs", addresses)):
        if value:
            spec[name] = value
        else:
            spec.pop(name, None)
    return spec


def _in_step(spec: Obj, before: Obj) -> tuple[str, list[str]]:
    """Return ``clusterIP`` and ``clusterIPs``, each of which says what the other leaves out."""
    address, addresses = spec.get("clusterIP") or "", spec.get("clusterIPs") or []
    was, all_were = before.get("clusterIP") or "", before.get("clusterIPs") or []
    if not before:
        return address, addresses or ([address] if address else [])
    address = address or was
    if address != was and addresses == all_were:
        return address, [address]
    return address, all_were if address == was and not addresses else addresses


def _with_families(spec: Obj) -> Obj:
    """Return `spec` with families of addresses: who brings the endpoints of a headless one may use all."""
    policy, families = "SingleStack", ["IPv4"]
    if is_headless(spec) and not spec.get("selector"):
        policy, families = "RequireDualStack", ["IPv4", "IPv6"]
    elif len(spec.get("ipFamilies") or ()) > 1 or len(spec.get("clusterIPs") or ()) > 1:
        policy = "RequireDualStack"
    return {
        **spec,
        "ipFamilyPolicy": spec.get("ipFamilyPolicy") or policy,
        "ipFamilies": spec.get("ipFamilies") or families,
    }


def _family_failures(spec: Obj) -> list[Failure]:
    """Check that the cluster, which has IPv4 only, has the families."""
    found: list[Failure] = []
    if spec.get("ipFamilyPolicy") == "RequireDualStack":
        text = "this cluster is not configured for dual-stack services"
        found.append(invalid("spec.ipFamilyPolicy", "RequireDualStack", text))
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4":
            found.append(invalid(f"spec.ipFamilies[{index}]", family, "not configured on this cluster"))
    return found
