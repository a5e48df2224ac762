"""VolumeRestrictions: what must not be mounted twice is not.

A claim with the access mode ReadWriteOncePod is for one Pod of the cluster; some kinds of disks can be
written to from one Pod of a node only.

Source: ``pkg/scheduler/framework/plugins/volumerestrictions/volume_restrictions.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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
    reject,
)
from leeward.cluster.scheduler.nodeinfo import NodeInfo
from leeward.cluster.scheduler.podinfo import Kin, PodInfo, Template, describe
from leeward.kube.objects import Obj

_IN_USE = "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"
_NO_DISK = "node(s) had no available disk"
# kind -> fields that name the disk, and whether several Pods may read it
_IDENTITY: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "gcePersistentDisk": (("pdName",), True),
    "awsElasticBlockStore": (("volumeID",), False),
    "iscsi": (("iqn",), True),
    "rbd": (("pool", "image"), True),
}


def _clash(one: Obj, other: Obj) -> bool:
    """Tell whether two volumes are a disk that cannot be mounted twice."""
    for kind, (fields, may_share) in _IDENTITY.items():
        mine, theirs = one.get(kind), other.get(kind)
        if mine is None or theirs is None or any(mine.get(name) != theirs.get(name) for name in fields):
            continue
        if kind == "rbd" and not set(mine.get("monitors") or ()) & set(theirs.get("monitors") or ()):
            continue
        if not (may_share and mine.get("readOnly") and theirs.get("readOnly")):
            return True
    return False


def _disks_clash(one: Template, other: Template) -> bool:
    return any(_clash(mine, theirs) for mine in one.disks for theirs in other.disks)


@dataclass(slots=True)
class _State(CycleState):
    exclusive: frozenset[str]  # claims with the access mode ReadWriteOncePod
    users: int  # Pods that use one of them

    def clone(self) -> _State:
        return _State(self.exclusive, self.users)

    def uses(self, pod: PodInfo, other: Template) -> int:
        """Return how many of the claims Pods like `other` use."""
        if other.namespace != pod.namespace:
            return 0
        return sum(name in self.exclusive for name in other.claims)


class VolumeRestrictions(Plugin):
    """Filters by volumes in use."""

    name = "VolumeRestrictions"
    events: ClassVar[Events] = {
        "nodes": ("ADDED",),
        "pods": ("DELETED",),
        "persistentvolumeclaims": ("ADDED", "MODIFIED"),
    }

    def shares(self, pod: PodInfo) -> bool:
        return not pod.template.claims and not pod.template.disks

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource == "nodes":
            return True
        if event.object["metadata"].get("namespace", "") != pod.namespace:
            return bool(pod.template.disks)
        if event.resource == "persistentvolumeclaims":
            return event.object["metadata"]["name"] in pod.template.claims
        other: Any = describe(event.object).template
        return bool(set(other.claims) & set(pod.template.claims)) or _disks_clash(pod.template, other)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        pod = cycle.pod
        exclusive: set[str] = set()
        for name in pod.template.claims:
            claim: Any = cycle.reader.find("persistentvolumeclaims", pod.namespace, name)
            if claim is None:
                return PreFilterResult(never(f'persistentvolumeclaim "{name}" not found'))
            if "ReadWriteOncePod" in (claim["spec"].get("accessModes") or ()):
                exclusive.add(name)
        state = cycle.state[self.name] = _State(frozenset(exclusive), 0)
        for (other, _), places in cycle.census.within((pod.namespace,)) if exclusive else ():
            state.users += state.uses(pod, other) * sum(places.values())
        return PASS if state.users or pod.template.disks else SKIP

    def update(self, cycle: Cycle, other: Kin, node: NodeInfo, sign: int) -> None:
        state: _State = cycle.state[self.name]
        state.users += sign * state.uses(cycle.pod, other[0])

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        if any(_disks_clash(cycle.pod.template, other) for other, _ in node.kins if other.disks):
            return reject(_NO_DISK)
        return reject(_IN_USE) if cycle.state[self.name].users else None


DESCRIPTOR = Descriptor(VolumeRestrictions.name, VolumeRestrictions)
