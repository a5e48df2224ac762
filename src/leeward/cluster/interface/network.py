"""Addresses: what the runtime and the network agree on.

Source: the split follows CNI (attach and detach a sandbox) and kube-apiserver's Service IP allocator.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """The cluster's address ranges; chosen once per cluster and kept in its state directory.

    ``isolated`` tells whether Pods have their own network namespaces. When they have not, every Pod
    has the address 127.0.0.1 and Service addresses are loopback addresses too.
    """

    pod_network: IPv4Network  # such as 10.180.0.0/17
    service_network: IPv4Network  # such as 10.180.128.0/17
    gateway: IPv4Address  # the machine's own address on the Pod network; first of pod_network
    dns: IPv4Address  # the cluster DNS Service, tenth of service_network
    isolated: bool
    interface: str  # the bridge's name, such as "lwd-3f2a"; "" when not isolated


class PodNetwork(Protocol):
    """Gives sandboxes their place on the network."""

    def setup(self) -> None:
        """Create the bridge and the routes; idempotent, replaces what a dead process left."""
        ...

    def teardown(self) -> None:
        """Remove every interface and route of this cluster; idempotent."""
        ...

    def attach(self, pid: int, node: str) -> str:
        """Connect the network namespace of process `pid` to the cluster; returns the new IP."""
        ...

    def detach(self, ip: str) -> None:
        """Take the sandbox with `ip` off the network and free the address."""
        ...

    def silence(self, ip: str) -> None:
        """Drop every packet from and to `ip` from now on, without closing anything."""
        ...
