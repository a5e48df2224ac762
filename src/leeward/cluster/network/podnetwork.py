"""Connects sandboxes: a bridge for the cluster, a veth pair for each Pod, routes for Services.

Service addresses are local to the machine (``ip route add local``), so the Service proxy can listen on any
of them without an interface having it, and Pods reach them through their gateway, the bridge.

Invariants: every interface of a cluster carries its plan's name as prefix or hangs on its bridge, so that
what a killed process left can be found and removed. Methods block for a few milliseconds and may be
called from a worker thread, one at a time.

Source: rtnetlink(7) through pyroute2.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.network.addressing import AddressPool

logger = logging.getLogger(__name__)
_SETTINGS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/conf/{bridge}/rp_filter": "0",
    "net/ipv4/conf/{bridge}/route_localnet": "1",
}


class BridgePodNetwork:
    """The Pod network of one cluster, with root on Linux.

    Args:
        plan: its addresses and the bridge's name.
    """

    def __init__(self, plan: AddressPlan) -> None:
        self._plan = plan
        self._pool = AddressPool(plan)
        self._links: dict[str, str] = {}  # Pod address → the machine's end of its veth pair
        self._prefix = f"{plan.interface[:8]}-"  # of every veth; the kernel allows 15 characters in all
        self._bridge = 0  # interface index

    def setup(self) -> None:
        """Create bridge and routes, in place of any that are left from before."""
        self.teardown()
        try:
            self._create()
        except BaseException:
            self.teardown()
            raise

    def _create(self) -> None:
        plan = self._plan
        with _netlink() as ip:
            ip.link("add", ifname=plan.interface, kind="bridge", br_stp_state=0, br_forward_delay=0)
            self._bridge = _index(ip, plan.interface)
            ip.addr(
                "add", index=self._bridge, address=str(plan.gateway), prefixlen=plan.pod_network.prefixlen
            )
            ip.link("set", index=self._bridge, state="up")
            lo = _index(ip, "lo")
            ip.route("replace", dst=str(plan.service_network), oif=lo, type="local", table=255, scope="host")
        for path, value in _SETTINGS.items():
            with contextlib.suppress(OSError):
                (Path("/proc/sys") / path.format(bridge=plan.interface)).write_text(value)

    def teardown(self) -> None:
        """Remove the bridge, every veth on it and the Service route."""
        plan = self._plan
        with _netlink() as ip:
            bridges = ip.link_lookup(ifname=plan.interface)
            for link in list(ip.get_links()):
                ours = link.get_attr("IFLA_IFNAME").startswith(self._prefix)
                if ours or link.get_attr("IFLA_MASTER") in bridges:
                    _remove(ip, link["index"])
            for bridge in bridges:
                _remove(ip, bridge)
            with contextlib.suppress(Exception):  # absent: nothing to remove
                ip.route("del", dst=str(plan.service_network), type="local", table=255, scope="host")
        self._links.clear()

    def attach(self, pid: int, node: str) -> str:
        """Connect the network namespace of `pid`; returns the Pod's address."""
        address = self._pool.take()
        suffix = "".join(f"{int(part):02x}" for part in address.split(".")[1:])
        self._links[address] = f"{self._prefix}{suffix}"
        try:
            self._connect(pid, address)
        except BaseException:
            self.detach(address)
            raise
        return address

    def _connect(self, pid: int, address: str) -> None:
        outer = self._links[address]
        with _netlink() as ip:
            ip.link("add", ifname=outer, kind="veth", peer={"ifname": "eth0", "net_ns_pid": pid})
            index = _index(ip, outer)
            ip.link("set", index=index, master=self._bridge, state="up")
        with _inside(pid) as inside:
            eth0 = _index(inside, "eth0")
            prefix = self._plan.pod_network.prefixlen
            inside.addr("add", index=eth0, address=address, prefixlen=prefix)
            inside.link("set", index=eth0, state="up")
            inside.route("add", dst="default", gateway=str(self._plan.gateway))

    def detach(self, ip: str) -> None:
        """Free an address; its interface goes with the sandbox's namespace, or here."""
        self._remove_link(ip)
        self._pool.give_back(ip)  # not before: its next user's interface has the same name

    def silence(self, ip: str) -> None:
        """Cut a Pod off: its interface goes away while its connections believe in it."""
        self._remove_link(ip)

    def _remove_link(self, address: str) -> None:
        outer = self._links.get(address)
        if outer is None:
            return
        with _netlink() as ip:
            for index in ip.link_lookup(ifname=outer):
                _remove(ip, index)
        del self._links[address]


@contextlib.contextmanager
def _inside(pid: int) -> Iterator[Any]:
    """Talk to the network namespace of a process: this thread enters it for the time being.

    pyroute2's own way forks a child and ends it with SIGTERM; forked from a process with an event loop,
    that child tells the loop's signal pipe, which it shares, and the whole cluster would stop.
    """
    from pyroute2.netns import setns

    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as own, open(f"/proc/{pid}/ns/net") as theirs:
        setns(theirs.fileno(), libc=libc)
        try:
            with _netlink() as netlink:
                yield netlink
        finally:
            setns(own.fileno(), libc=libc)


def _netlink() -> Any:
    from pyroute2 import IPRoute  # imported late: only root on Linux needs it

    return IPRoute()


def _index(netlink: Any, name: str) -> int:
    return int(netlink.link_lookup(ifname=name)[0])


def _remove(netlink: Any, index: int) -> None:
    """Remove an interface, unless it vanished with its namespace meanwhile."""
    from pyroute2 import NetlinkError

    try:
        netlink.link("del", index=index)
    except NetlinkError as error:
        if error.code != errno.ENODEV:
            raise
