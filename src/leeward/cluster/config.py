"""What one embedded cluster is made of: frozen, validated by whoever builds it, every unit named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

STATE_VERSION = (
    2  # 1 had no groups of nodes; layout of the state directory; another number is refused, never guessed at
)
LOCAL_REGION = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How fast the cluster notices and acts; upstream's flags, with shorter defaults.

    Upstream waits 50 s before it calls a node lost and 300 s before it evicts, because a real
    network is flaky. One machine's loopback is not, so the embedded cluster rehearses in seconds.
    """

    lease_renew_seconds: float = 1.0
    lease_duration_seconds: int = 4
    node_status_report_seconds: float = 300.0
    event_ttl_seconds: float = 3600.0  # after an Event was last written
    node_monitor_period_seconds: float = 0.5
    node_monitor_grace_seconds: float = 4.0
    node_startup_grace_seconds: float = 60.0  # for a node that has never reported
    node_eviction_rate: float = 1.0  # nodes a second and zone that may get NoExecute taints; upstream 0.1
    job_batch_seconds: float = 0.1  # what happens to the Pods of a Job is looked at together; upstream 1
    default_toleration_seconds: int = 3  # for the not-ready and unreachable taints


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes that are alike, dealt to its zones in turn."""

    name: str = "node"
    nodes: int = 6
    cpu_millis: int = 4000
    memory_bytes: int = 8 * 2**30
    pods: int = 110  # that a node takes
    kept_cpu_millis: int = 0  # that the node keeps for itself
    kept_memory_bytes: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)  # besides those that every node has; these win
    taints: Sequence[Mapping[str, str]] = ()  # as in a Node's spec
    zones: Sequence[str] = ()  # such as "a"; without any, all of the cluster's


class NodeShape(NamedTuple):
    """One node."""

    name: str  # such as "node-a1"
    zone: str  # such as "local-a"
    group: NodeGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One embedded cluster."""

    name: str
    state_dir: Path
    api_port: int  # on 127.0.0.1
    ingress_port: int  # on 127.0.0.1
    zones: Sequence[str] = ("a", "b", "c")
    region: str = LOCAL_REGION
    node_groups: Sequence[NodeGroup] = (NodeGroup(),)
    runtime: str = "auto"  # "auto", "process" or "simulated"
    simulate: str = ""  # how simulated containers behave: `kubelet.simulated.stages`
    seed: int = 0  # of what is drawn for them
    scheduler: Mapping[str, Any] = field(default_factory=dict)  # a KubeSchedulerConfiguration, checked
    timing: Timing = Timing()

    @property
    def nodes(self) -> Sequence[NodeShape]:
        """Every node, ordered by group, zone and number."""
        return [
            NodeShape(f"{group.name}-{zone}{number}", self.zone_name(zone), group)
            for group in self.node_groups
            for place, zone in enumerate(group.zones or self.zones)
            for number in range(1, _dealt(group, len(group.zones or self.zones), place) + 1)
        ]

    def zone_name(self, zone: str) -> str:
        """Return the whole name of a zone: that of AWS in its regions, which end in a digit."""
        return f"{self.region}{zone}" if self.region[-1].isdigit() else f"{self.region}-{zone}"


def _dealt(group: NodeGroup, zones: int, place: int) -> int:
    """Return how many of a group's nodes the zone at `place` gets."""
    return (group.nodes - place + zones - 1) // zones
