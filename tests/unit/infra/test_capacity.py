"""What of a node is for Pods."""

from __future__ import annotations

import pytest

from leeward.infra.capacity import allocatable
from leeward.infra.catalogue import catalogue


@pytest.mark.parametrize(
    ("kind", "cpu_millis", "memory_mib", "pods"),
    [("a1.medium", 940, 1392, 8), ("m7i.large", 1930, 6903, 29), ("c5.4xlarge", 15890, 28745, 110)],
)
def test_kubelet_and_hypervisor_keep_their_share(
    kind: str, cpu_millis: int, memory_mib: int, pods: int
) -> None:
    found = allocatable(catalogue().types[kind])

    assert (found.cpu_millis, found.memory_mib, found.pods) == (cpu_millis, memory_mib, pods)


def test_every_known_type_has_room() -> None:
    for kind in catalogue().types.values():
        found = allocatable(kind)
        assert 0 < found.cpu_millis < kind.vcpus * 1000
        assert 0 <= found.memory_mib < kind.memory_mib
