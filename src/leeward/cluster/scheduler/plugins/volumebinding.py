"""VolumeBinding: a Pod runs where its volumes are, and new volumes are made where it will run.

A bound claim restricts the Pod to its volume's nodes. An unbound claim of a WaitForFirstConsumer class
takes a fitting free volume of the node or, by annotation, asks the provisioner for one there; the
binding then waits until every claim is bound. An unbound claim of an Immediate class blocks the Pod.

Source: ``pkg/scheduler/framework/plugins/volumebinding`` (binder.go, volume_binding.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, ClassVar

from leeward.cluster.interface.client import Client, Reader
from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.framework import (
    NO_ARGS,
    PASS,
    SKIP,
    Args,
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
from leeward.kube.objects import Obj, annotations_of, controller_of, is_terminating
from leeward.kube.quantity import parse_quantity
from leeward.kube.selectors import matches_node_selector, matches_selector

BIND_TIMEOUT_SECONDS = 600.0  # for volumes to be made and bound
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
_CLAIMS = "persistentvolumeclaims"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_CONFLICT = "node(s) had volume node affinity conflict"
_LOST = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
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
    says_so = (claim.get("status") or {}).get("phase") == "Bound" or BIND_COMPLETED in annotations_of(claim)
    return bool(claim["spec"].get("volumeName")) and says_so


def volume_allows(volume: Obj, node: NodeInfo) -> bool:
    """Tell whether the volume's node affinity allows `node`."""
    required = (volume["spec"].get("nodeAffinity") or {}).get("required")
    return matches_node_selector(required, node.labels, node.name)


def _is_free(volume: Obj, claim: Obj) -> bool:
    """Tell whether a volume is available to everyone, or kept for the claim."""
    reference, meta = volume["spec"].get("claimRef"), claim["metadata"]
    if is_terminating(volume):
        return False
    if reference:
        is_for = (reference.get("namespace"), reference.get("name")) == (meta["namespace"], meta["name"])
        return is_for and reference.get("uid") in (None, "", meta.get("uid"))
    return (volume.get("status") or {}).get("phase") in (None, "Available")


def _preference(volume: Obj) -> tuple[bool, Fraction]:
    """Sort volumes: first those that are kept for somebody, then the smallest."""
    spec = volume["spec"]
    return not spec.get("claimRef"), parse_quantity(spec["capacity"]["storage"])


def _requested(claim: Obj) -> Fraction:
    wanted = (claim["spec"].get("resources") or {}).get("requests") or {}
    return parse_quantity(wanted.get("storage", "0"))


def _is_allowed(storage: Obj, node: NodeInfo) -> bool:
    """Tell whether volumes of a class may be made for a node."""
    topologies = storage.get("allowedTopologies") or ()
    return not topologies or any(
        all(
            node.labels.get(each["key"]) in each["values"]
            for each in topology.get("matchLabelExpressions") or ()
        )
        for topology in topologies
    )


def _fits(volume: Obj, claim: Obj) -> bool:
    spec, wanted = volume["spec"], claim["spec"]
    selector: Any = wanted.get("selector")
    return (
        (spec.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and _is_free(volume, claim)
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and (spec.get("volumeMode") or "Filesystem") == (wanted.get("volumeMode") or "Filesystem")
        and parse_quantity(spec["capacity"]["storage"]) >= _requested(claim)
        and (selector is None or matches_selector(selector, volume["metadata"].get("labels") or {}))
    )


@dataclass(slots=True)
class _State(CycleState):
    volumes: list[Obj] = field(default_factory=list)  # of bound claims
    has_lost: bool = False  # a bound claim's volume is not there
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

    def __init__(self, args: Args = NO_ARGS) -> None:
        self.bind_timeout = args.get("bindTimeoutSeconds", BIND_TIMEOUT_SECONDS)

    def wakes(self, pod: PodInfo, event: Event) -> bool:
        if event.resource != "persistentvolumeclaims":
            return True
        if event.object["metadata"]["namespace"] != pod.namespace:
            return False
        is_own = event.object["metadata"]["name"] in pod.template.claims
        return is_own or any(volume.get("ephemeral") for volume in pod.spec.get("volumes") or ())

    def shares(self, pod: PodInfo) -> bool:
        return not claim_names(pod)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        names = claim_names(cycle.pod)
        if not names:
            return SKIP
        state = _State()
        for name in names:
            claim = cycle.reader.find(_CLAIMS, cycle.pod.namespace, name)
            if problem := self._problem(cycle.pod, name, claim):
                return PreFilterResult(never(problem))
        for name in names:
            if self._sort(state, cycle.reader, cycle.reader.get(_CLAIMS, cycle.pod.namespace, name)):
                continue
            return PreFilterResult(never("pod has unbound immediate PersistentVolumeClaims"))
        state.waiting.sort(key=lambda found: _requested(found[0]))
        if state.waiting:
            state.available = sorted(cycle.reader.list("persistentvolumes"), key=_preference)
        cycle.state[self.name] = state
        return PASS

    @staticmethod
    def _problem(pod: PodInfo, name: str, claim: Obj | None) -> str:
        """Return why a claim cannot be used by the Pod, whatever its state otherwise."""
        if claim is None:
            if name in pod.template.claims:
                return f'persistentvolumeclaim "{name}" not found'
            return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{name}"'
        if (claim.get("status") or {}).get("phase") == "Lost":
            missing = claim["spec"].get("volumeName") or ""
            return f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{missing}"'
        if is_terminating(claim):
            return f'persistentvolumeclaim "{name}" is being deleted'
        owner = controller_of(claim)
        if name not in pod.template.claims and (owner is None or owner["uid"] != pod.uid):
            namespace = pod.namespace
            return f"PVC {namespace}/{name} was not created for pod {pod.key} (pod is not owner)"
        return ""

    @staticmethod
    def _sort(state: _State, reader: Reader, claim: Obj) -> bool:
        """Note what has to be done about a claim; False: others have to bind it first."""
        if is_bound(claim):
            volume = reader.find("persistentvolumes", "", claim["spec"]["volumeName"])
            state.has_lost = state.has_lost or volume is None
            state.volumes += [volume] if volume else []
            return True
        class_name = claim["spec"].get("storageClassName")
        storage = reader.find("storageclasses.storage.k8s.io", "", class_name) if class_name else None
        waits = storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        if storage is None or not waits or claim["spec"].get("volumeName"):
            return False
        state.waiting.append((claim, storage))
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _State = cycle.state[self.name]
        reasons: list[str] = []
        if not all(volume_allows(volume, node) for volume in state.volumes):
            reasons.append(_CONFLICT)
        if not self._choose(cycle, state, node):
            reasons.append(_NONE_FREE)
        if state.has_lost:
            reasons.append(_LOST)
        return never(*reasons) if reasons else None

    @staticmethod
    def _choose(cycle: Cycle, state: _State, node: NodeInfo) -> bool:
        """Choose volumes for the claims that wait; False: there are none, and none can be made."""
        chosen: dict[str, str] = {}
        for claim, storage in state.waiting:
            selected = annotations_of(claim).get(SELECTED_NODE)
            if selected and selected != node.name and selected in cycle.nodes:
                return False
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
            elif storage.get("provisioner") == _NO_PROVISIONER or not _is_allowed(storage, node):
                return False
        state.chosen[node.name] = chosen
        return True

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
