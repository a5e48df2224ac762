"""How much of a node is for Pods.

Source: ``nodeadm`` of ``awslabs/amazon-eks-ami`` (kube-reserved), kubelet's default eviction threshold
(``memory.available<100Mi``), and Karpenter's assumption of what a hypervisor takes of an instance's memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from leeward.infra.catalogue import InstanceType

_CPU_SHARES = ((1, 60), (1, 10), (2, 5))  # of so many cores, so many millis each are kept
_CPU_REST = 2.5
_HYPERVISOR_SHARE = 0.075  # less on most types; so much is certain
_ARM_KERNEL_MIB = 64  # that the kernel of arm64 keeps for contiguous memory
_MEMORY_BASE_MIB, _MEMORY_POD_MIB, _EVICTION_MIB = 255, 11, 100


@dataclass(frozen=True, slots=True)
class Allocatable:
    """What the scheduler may give to Pods on one node."""

    cpu_millis: int
    memory_mib: int
    pods: int


def allocatable(kind: InstanceType) -> Allocatable:
    """Return what a node of an instance type has for Pods."""
    kept, cores = 0.0, kind.vcpus
    for count, millis in _CPU_SHARES:
        kept += min(count, cores) * millis
        cores -= min(count, cores)
    kept += cores * _CPU_REST
    given = kind.memory_mib - (_ARM_KERNEL_MIB if kind.arch == "arm64" else 0)
    seen = given * (1 - _HYPERVISOR_SHARE)
    memory = seen - _MEMORY_BASE_MIB - _MEMORY_POD_MIB * kind.max_pods - _EVICTION_MIB
    return Allocatable(int(kind.vcpus * 1000 - kept), max(0, int(memory)), kind.max_pods)
