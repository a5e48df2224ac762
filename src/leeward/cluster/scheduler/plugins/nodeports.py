"""NodePorts: two Pods of one node cannot have the same host port."""

from __future__ import annotations

from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    PASS,
    SKIP,
    Cycle,
    Descriptor,
    Events,
    Plugin,
    PreFilterResult,
    Rejection,
    reject,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import HostPort, PodInfo, Template, describe

_ANY = "0.0.0.0"


def _clash(one: HostPort, other: HostPort) -> bool:
    return one[1:] == other[1:] and (one[0] == other[0] or _ANY in (one[0], other[0]))


def _clashes(one: Template, other: Template) -> bool:
    return any(_clash(mine, theirs) for theirs in other.host_ports for mine in one.host_ports)


class NodePorts(Plugin):
    """Filters by host ports in use."""

    name = "NodePorts"
    events: ClassVar[Events] = {"nodes": ("ADDED",), "pods": ("DELETED",)}

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        return event.resource == "nodes" or _clashes(pod.template, describe(event.object).template)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        return PASS if cycle.pod.template.host_ports else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        taken = any(_clashes(cycle.pod.template, template) for template, _ in node.kins)
        return reject("node(s) didn't have free ports for the requested pod ports") if taken else None


DESCRIPTOR = Descriptor(NodePorts.name, NodePorts)
