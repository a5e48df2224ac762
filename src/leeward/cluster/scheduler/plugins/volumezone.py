"""VolumeZone: a Pod runs in the zones and regions that the labels of its volumes name.

Source: ``pkg/scheduler/framework/plugins/volumezone/volume_zone.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    PASS,
    SKIP,
    Cycle,
    CycleState,
    Descriptor,
    Events,
    Plugin,
    PreFilterResult,
    Rejection,
    never,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import PodInfo
from leeward.kube.objects import Obj, labels_of
from leeward.kube.volumes import class_of, waits_for_consumer
from leeward.kube.wellknown import REGION, ZONE

_BETA = {
    "failure-domain.beta.kubernetes.io/zone": ZONE,
    "failure-domain.beta.kubernetes.io/region": REGION,
}
_KEYS = (*_BETA, ZONE, REGION)


@dataclass(slots=True)
class _State(CycleState):
    places: list[tuple[str, frozenset[str]]]  # (label, values that will do)


class VolumeZone(Plugin):
    """Filters by labels of volumes."""

    name = "VolumeZone"
    events: ClassVar[Events] = {
        "nodes": ("ADDED", "MODIFIED"),
        "persistentvolumes": ("ADDED", "MODIFIED"),
        "persistentvolumeclaims": ("ADDED", "MODIFIED"),
        "storageclasses.storage.k8s.io": ("ADDED",),
    }

    def shares(self, pod: PodInfo) -> bool:
        return not pod.template.claims

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource == "persistentvolumeclaims":
            meta = event.object["metadata"]
            return meta["namespace"] == pod.namespace and meta["name"] in pod.template.claims
        return event.previous is None or labels_of(event.object) != labels_of(event.previous)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        state = _State([])
        for name in cycle.pod.template.claims:
            claim = cycle.reader.find("persistentvolumeclaims", cycle.pod.namespace, name)
            if claim is None:
                return PreFilterResult(never(f'persistentvolumeclaim "{name}" not found'))
            volume_name = claim["spec"].get("volumeName")
            if not volume_name:
                if rejection := self._unbound(cycle, claim):
                    return PreFilterResult(rejection)
                continue
            volume = cycle.reader.find("persistentvolumes", "", volume_name)
            if volume is None:
                return PreFilterResult(never(f'persistentvolume "{volume_name}" not found'))
            labels = labels_of(volume)
            state.places += [
                (key, frozenset(labels[key].strip().split("__"))) for key in _KEYS if key in labels
            ]
        cycle.state[self.name] = state
        return PASS if state.places else SKIP

    @staticmethod
    def _unbound(cycle: Cycle, claim: Obj) -> Rejection | None:
        name = class_of(claim)
        if not name:
            return never("PersistentVolumeClaim had no pv name and storageClass name")
        storage = cycle.reader.find("storageclasses.storage.k8s.io", "", name)
        if storage is None:
            return never(f'storageclass.storage.k8s.io "{name}" not found')
        return None if waits_for_consumer(storage) else never("PersistentVolume had no name")

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        if not any(key in node.labels for key in _KEYS):
            return None  # a cluster without zones
        for key, values in cycle.state[self.name].places:
            actual = node.labels.get(key, node.labels.get(_BETA.get(key, key)))
            if actual not in values:
                return never("node(s) had no available volume zone")
        return None


DESCRIPTOR = Descriptor(VolumeZone.name, VolumeZone)
