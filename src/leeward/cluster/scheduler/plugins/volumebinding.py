"""VolumeBinding: a Pod runs where its volumes are, and new volumes are made where it will run.

A bound claim restricts the Pod to its volume's nodes. An unbound claim of a WaitForFirstConsumer class
takes a fitting free volume of the node or, by annotation, asks the provisioner for one there; the
binding then waits until every claim is bound. An unbound claim of an Immediate class blocks the Pod.

Source: ``pkg/scheduler/framework/plugins/volumebinding`` (binder.go, volume_binding.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from leeward.cluster.interface.client import Client, Reader
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
from leeward.kube.objects import Obj, annotations_of, is_terminating
from leeward.kube.quantity import parse_quantity
from leeward.kube.selectors import matches_node_selector, matches_selector

SELECTED_NODE = "volume.kubernetes.io/selected-node"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_CONFLICT = "node(s) had volume node affinity conflict"
_NONE_FREE = "node(s) didn't find available persistent volumes to bind"


def claim_names(pod: PodInfo) -> list[str]:
    """Return the names of the claims the Pod mounts, generic ephemeral ones included."""
    names: list[str] = []
    for volume in pod.spec.get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            names.append(claim["claimName"])
        elif volume.get("ephemeral"):
            names.append(f"{pod.key.name}-{volume['name']}")
    return names


def is_bound(claim: Obj) -> bool:
    """Tell whether a claim has its volume for good."""
    return bool(claim["spec"].get("volumeName")) and (claim.get("status") or {}).get("phase") == "Bound"


def volume_allows(volume: Obj, node: NodeInfo) -> bool:
    """Tell whether the volume's node affinity allows `node`."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return matches_node_selector(required, node.labels, node.name)


def _fits(volume: Obj, claim: Obj) -> bool:
    spec, wanted = volume["spec"], claim["spec"]
    requested = ((wanted.get("resources") or {}).get("requests") or {}).get("storage", "0")
    selector: Any = wanted.get("selector")
    return (
        (spec.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and not spec.get("claimRef")
        and not is_terminating(volume)
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and (spec.get("volumeMode") or "Filesystem") == (wanted.get("volumeMode") or "Filesystem")
        and parse_quantity(spec["capacity"]["storage"]) >= parse_quantity(requested)
        and (selector is None or matches_selector(selector, volume["metadata"].get("labels") or {}))
    )


@dataclass(slots=True)
class _State(CycleState):
    volumes: list[Obj] = field(default_factory=list)  # of bound claims
    waiting: list[tuple[Obj, Obj]] = field(default_factory=list)  # (claim, its storage class)
    available: list[Obj] = field(default_factory=list)
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)  # node -> claim -> volume


class VolumeBinding(Plugin):
    """Filters by volumes and binds claims before the Pod."""

    name = "VolumeBinding"
    events: ClassVar[Events] = {
        "nodes": ("ADDED", "MODIFIED"),
        "persistentvolumes": ("ADDED", "MODIFIED"),
        "persistentvolumeclaims": ("ADDED", "MODIFIED"),
        "storageclasses.storage.k8s.io": ("ADDED", "MODIFIED"),
    }

    def shares(self, pod: PodInfo) -> bool:
        return not claim_names(pod)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        names = claim_names(cycle.pod)
        if not names:
            return SKIP
        state = _State()
        for name in names:
            claim = cycle.reader.find("persistentvolumeclaims", cycle.pod.namespace, name)
            if rejection := self._sort(state, cycle.reader, name, claim):
                return PreFilterResult(rejection)
        if state.waiting:
            volumes = cycle.reader.list("persistentvolumes")
            state.available = sorted(
                volumes, key=lambda volume: parse_quantity(volume["spec"]["capacity"]["storage"])
            )
        cycle.state[self.name] = state
        return PASS

    @staticmethod
    def _sort(state: _State, reader: Reader, name: str, claim: Obj | None) -> Rejection | None:
        if claim is None:
            return never(f'persistentvolumeclaim "{name}" not found')
        if is_terminating(claim):
            return never(f'persistentvolumeclaim "{name}" is being deleted')
        if (claim.get("status") or {}).get("phase") == "Lost":
            missing = claim["spec"].get("volumeName") or ""
            return never(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{missing}"')
        if is_bound(claim):
            volume = reader.find("persistentvolumes", "", claim["spec"]["volumeName"])
            if volume is None:
                return never("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)")
            state.volumes.append(volume)
            return None
        class_name = claim["spec"].get("storageClassName")
        storage = reader.find("storageclasses.storage.k8s.io", "", class_name) if class_name else None
        if storage is None or storage.get("volumeBindingMode") != "WaitForFirstConsumer":
            return never("pod has unbound immediate PersistentVolumeClaims")
        state.waiting.append((claim, storage))
        return None

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _State = cycle.state[self.name]
        if not all(volume_allows(volume, node) for volume in state.volumes):
            return never(_CONFLICT)
        chosen: dict[str, str] = {}
        for claim, storage in state.waiting:
            selected = annotations_of(claim).get(SELECTED_NODE)
            if selected and selected != node.name and selected in cycle.nodes:
                return never(_CONFLICT)
            taken = set(chosen.values())
            volume = next(
                (
                    found["metadata"]["name"]
                    for found in state.available
                    if found["metadata"]["name"] not in taken
                    and _fits(found, claim)
                    and volume_allows(found, node)
                ),
                None,
            )
            if volume is not None and not selected:
                chosen[claim["metadata"]["name"]] = volume
            elif storage.get("provisioner") == _NO_PROVISIONER:
                return never(_NONE_FREE)
        state.chosen[node.name] = chosen
        return None

    def pre_bind(self, cycle: Cycle, node: NodeInfo, client: Client) -> bool:
        state: _State | None = cycle.state.get(self.name)
        if state is None or not state.waiting:
            return True
        for claim, _ in state.waiting:
            volume = state.chosen.get(node.name, {}).get(claim["metadata"]["name"])
            if volume is not None:
                self._reserve(client, claim, volume)
            elif annotations_of(claim).get(SELECTED_NODE) != node.name:
                annotations = {**annotations_of(claim), SELECTED_NODE: node.name}
                metadata = {**claim["metadata"], "annotations": annotations}
                client.update("persistentvolumeclaims", {**claim, "metadata": metadata})
        return self.is_prepared(cycle.pod, node, client) is True

    @staticmethod
    def _reserve(client: Client, claim: Obj, name: str) -> None:
        volume, meta = client.get("persistentvolumes", "", name), claim["metadata"]
        reference = {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
        }
        client.update("persistentvolumes", {**volume, "spec": {**volume["spec"], "claimRef": reference}})

    def is_prepared(self, pod: PodInfo, node: NodeInfo, reader: Reader) -> bool | None:
        for name in claim_names(pod):
            claim = reader.find("persistentvolumeclaims", pod.namespace, name)
            if claim is None or is_terminating(claim):
                return None
            if not is_bound(claim):
                return False
            volume = reader.find("persistentvolumes", "", claim["spec"]["volumeName"])
            if volume is None or not volume_allows(volume, node):
                return None
        return True


DESCRIPTOR = Descriptor(VolumeBinding.name, VolumeBinding)
