"""Chooses a cluster's address ranges, and hands out Pod addresses.

A cluster gets one /16 that this machine does not use yet, half for Pods and half for Services. Without
network namespaces every Pod is at 127.0.0.1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

from leeward.base.errors import OperationError
from leeward.cluster.interface.network import AddressPlan

_FIRST, _COUNT = 180, 70  # 10.180.0.0/16 … 10.249.0.0/16
_ROUTES = Path("/proc/net/route")


def choose_address_plan(
    seed: str, *, isolated: bool, taken: Iterable[IPv4Network] | None = None
) -> AddressPlan:
    """Return a plan for a cluster; the same seed prefers the same range.

    Args:
        seed: what no other cluster of this machine has: its state directory, as others may have its name.
        isolated: Pods have network namespaces of their own.
        taken: networks in use; None to ask this machine.

    Raises:
        OperationError: every range is in use.
    """
    digest = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:4], "big")
    busy = list(machine_networks() if taken is None else taken) if isolated else []
    for attempt in range(_COUNT):
        whole = IPv4Network(f"10.{_FIRST + (digest + attempt) % _COUNT}.0.0/16")
        if not any(whole.overlaps(network) for network in busy if network.prefixlen > 0):
            pods, services = whole.subnets(1)
            return AddressPlan(
                pod_network=pods,
                service_network=services,
                gateway=pods[1],
                dns=services[10],
                isolated=isolated,
                interface=f"lw{digest:08x}" if isolated else "",
            )
    raise OperationError(
        "all address ranges from 10.180.0.0/16 to 10.249.0.0/16 are in use on this machine",
        remedy="Stop clusters that you do not need: `leeward cluster status` lists them.",
    )


def machine_networks() -> list[IPv4Network]:
    """Return the networks in this machine's routing table."""
    try:
        lines = _ROUTES.read_text().splitlines()[1:]
    except OSError:
        return []
    found = []
    for line in lines:
        fields = line.split()
        address = IPv4Address(int.from_bytes(bytes.fromhex(fields[1]), "little"))
        mask = IPv4Address(int.from_bytes(bytes.fromhex(fields[7]), "little"))
        found.append(IPv4Network(f"{address}/{mask}", strict=False))
    return found


class AddressPool:
    """Pod addresses of one cluster, handed out in turn so that a freed one rests before it is used again."""

    def __init__(self, plan: AddressPlan) -> None:
        self._network = plan.pod_network
        self._next = 10
        self._used: set[str] = set()

    def take(self) -> str:
        """Return a free address.

        Raises:
            OperationError: the range is used up.
        """
        size = self._network.num_addresses - 2
        for _ in range(size):
            address = str(self._network[self._next])
            self._next = self._next + 1 if self._next < size else 10
            if address not in self._used:
                self._used.add(address)
                return address
        raise OperationError(f"no free Pod address in {self._network}")

    def give_back(self, address: str) -> None:
        """`address` is free again."""
        self._used.discard(address)
