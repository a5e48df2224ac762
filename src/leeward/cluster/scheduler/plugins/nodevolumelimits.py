"""NodeVolumeLimits: no more volumes of a CSI driver on a node than its CSINode allows.

Source: ``pkg/scheduler/framework/plugins/nodevolumelimits/csi.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

from leeward.cluster.interface.client import Reader
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
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.volumes import claims_of, class_of

Volume = tuple[str, str]  # (driver, what names the volume)
_CSI_NODES = "csinodes.storage.k8s.io"


def _volumes(pod: PodInfo, reader: Reader) -> Iterator[Volume]:
    """Yield the CSI volumes of a Pod; one that is still to be made is named after its claim."""
    for name in claims_of(pod.pod):
        claim = reader.find("persistentvolumeclaims", pod.namespace, name)
        if claim is None:
            continue
        bound = claim["spec"].get("volumeName")
        volume = reader.find("persistentvolumes", "", bound) if bound else None
        if volume is not None:
            csi = volume["spec"].get("csi")
            if csi:
                yield csi["driver"], csi["volumeHandle"]
            continue
        class_name = class_of(claim)
        storage = reader.find("storageclasses.storage.k8s.io", "", class_name) if class_name else None
        if storage is not None:
            yield storage["provisioner"], f"{class_name}-{pod.namespace}/{name}"


class NodeVolumeLimits(Plugin):
    """Filters by the number of attached volumes."""

    name = "NodeVolumeLimits"
    events: ClassVar[Events] = {
        "nodes": ("ADDED",),
        "pods": ("DELETED",),
        _CSI_NODES: ("ADDED", "MODIFIED"),
        "persistentvolumeclaims": ("ADDED", "MODIFIED"),
    }

    def shares(self, pod: PodInfo) -> bool:
        return not claims_of(pod.pod)

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        return event.resource != "pods" or bool(event.object["spec"].get("volumes"))

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        return PASS if claims_of(cycle.pod.pod) else SKIP

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        limits = cycle.reader.find(_CSI_NODES, "", node.name)
        most = {
            driver["name"]: driver["allocatable"]["count"]
            for driver in (limits["spec"].get("drivers") or () if limits else ())
            if (driver.get("allocatable") or {}).get("count") is not None
        }
        wanted = {found for found in _volumes(cycle.pod, cycle.reader) if found[0] in most}
        if not wanted:
            return None
        there = {found for other in node.pods.values() for found in _volumes(other, cycle.reader)}
        attached, more = (Counter(driver for driver, _ in found) for found in (there, wanted - there))
        if any(attached[driver] + number > most[driver] for driver, number in more.items()):
            return reject("node(s) exceed max volume count")
        return None


DESCRIPTOR = Descriptor(NodeVolumeLimits.name, NodeVolumeLimits)
