"""VolumeBinding: a Pod runs where its volumes are, and new volumes are made where it will run.

A bound claim restricts the Pod to its volume's nodes. An unbound claim of a WaitForFirstConsumer class
takes a fitting free volume of the node or, by annotation, asks the provisioner for one there; the
binding then waits until every claim is bound. An unbound claim of an Immediate class blocks the Pod.

Source: ``pkg/scheduler/framework/plugins/volumebinding`` (binder.go, volume_binding.go).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

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
from leeward.kube.volumes import (
    SELECTED_NODE,
    bound_volume,
    claims_of,
    class_of,
    find_matching,
    is_allowed,
    is_bound,
    is_reachable,
    request_of,
    waits_for_consumer,
)

BIND_TIMEOUT_SECONDS = 600.0  # for volumes to be made and bound
_CLAIMS = "persistentvolumeclaims"
_NO_PROVISIONER = "kubernetes.io/no-provisioner"
_CONFLICT = "node(s) had volume node affinity conflict"
_LOST = "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)"
_NONE_FREE = "node(s) didn't find available persistent volumes to bind"


def _reaches(node: NodeInfo, volume: Obj) -> bool:
    return is_reachable(volume, node.labels, node.name)


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
        return not claims_of(pod.pod)

    def pre_filter(self, cycle: Cycle) -> PreFilterResult:
        names = claims_of(cycle.pod.pod)
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
        state.waiting.sort(key=lambda found: request_of(found[0]))
        if state.waiting:
            state.available = cycle.reader.list("persistentvolumes")
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
        class_name = class_of(claim)
        storage = reader.find("storageclasses.storage.k8s.io", "", class_name) if class_name else None
        if storage is None or not waits_for_consumer(storage) or claim["spec"].get("volumeName"):
            return False
        state.waiting.append((claim, storage))
        return True

    def filter(self, cycle: Cycle, node: NodeInfo) -> Rejection | None:
        state: _State = cycle.state[self.name]
        reasons: list[str] = []
        if not all(_reaches(node, volume) for volume in state.volumes):
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
            volume = find_matching(state.available, claim, reaches=partial(_reaches, node), taken=taken)
            if volume is not None and not selected:
                chosen[claim["metadata"]["name"]] = volume["metadata"]["name"]
            elif storage.get("provisioner") == _NO_PROVISIONER or not is_allowed(storage, node.labels):
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
                found = client.get("persistentvolumes", "", volume)
                client.update("persistentvolumes", bound_volume(found, claim))
            elif annotations_of(claim).get(SELECTED_NODE) != node.name:
                annotations = {**annotations_of(claim), SELECTED_NODE: node.name}
                metadata = {**claim["metadata"], "annotations": annotations}
                client.update("persistentvolumeclaims", {**claim, "metadata": metadata})
        return self.is_prepared(cycle.pod, node, client) is True

    def is_prepared(self, pod: PodInfo, node: NodeInfo, reader: Reader) -> bool | None:
        for name in claims_of(pod.pod):
            claim = reader.find("persistentvolumeclaims", pod.namespace, name)
            if claim is None or is_terminating(claim):
                return None
            if not is_bound(claim):
                return False
            volume = reader.find("persistentvolumes", "", claim["spec"]["volumeName"])
            if volume is None or not _reaches(node, volume):
                return None
        return True


DESCRIPTOR = Descriptor(VolumeBinding.name, VolumeBinding)
