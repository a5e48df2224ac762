"""The Pod network on the kernel's own interfaces; needs root on Linux."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from leeward.cluster.interface.network import AddressPlan
from leeward.cluster.network.podnetwork import BridgePodNetwork

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("ip") is None,
        reason="needs root on Linux, and iproute2",
    ),
]
PODS = IPv4Network("10.254.99.0/28")  # room for five Pods
PLAN = AddressPlan(
    pod_network=PODS,
    service_network=IPv4Network("10.254.100.0/24"),
    gateway=PODS[1],
    dns=IPv4Network("10.254.100.0/24")[10],
    isolated=True,
    interface="lwtesttest",
)
NOBODY = 2**22 + 1  # no process has this id


def interfaces() -> set[str]:
    return {path.name for path in Path("/sys/class/net").iterdir() if path.name.startswith("lwtest")}


@pytest.fixture
def network() -> Iterator[BridgePodNetwork]:
    made = BridgePodNetwork(PLAN)
    made.setup()
    try:
        yield made
    finally:
        made.teardown()
        assert interfaces() == set()


@pytest.fixture
def pod() -> Iterator[int]:
    """Return a process with a network namespace of its own."""
    with subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo; exec sleep 60"], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_a_pod_is_attached_silenced_and_detached(network: BridgePodNetwork, pod: int) -> None:
    own = os.readlink("/proc/thread-self/ns/net")
    address = network.attach(pod, "n1")
    assert len(interfaces()) == 2
    assert os.readlink("/proc/thread-self/ns/net") == own
    network.silence(address)
    assert interfaces() == {PLAN.interface}
    network.detach(address)
    assert network.attach(pod, "n1") != address


def test_a_pod_that_cannot_be_attached_leaves_nothing_behind(network: BridgePodNetwork, pod: int) -> None:
    for _ in range(6):
        with pytest.raises(Exception, match="No such process"):
            network.attach(NOBODY, "n1")
    address = network.attach(pod, "n1")
    for _ in range(6):
        with pytest.raises(Exception, match="File exists"):  # it has an eth0
            network.attach(pod, "n1")
    assert len(interfaces()) == 2
    network.detach(address)


def test_what_is_half_attached_is_found_again(network: BridgePodNetwork) -> None:
    left = f"{PLAN.interface[:8]}-fe6300"
    other = f"{PLAN.interface[:8]}-peer"
    subprocess.run(["ip", "link", "add", left, "type", "veth", "peer", "name", other], check=True)
    BridgePodNetwork(PLAN).setup()
    assert interfaces() == {PLAN.interface}
