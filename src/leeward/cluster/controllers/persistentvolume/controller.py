"""The persistent volume controller and the local provisioner in one: keys are claims or volumes.

Directories are made and removed by injected callables, so that this decides without touching a disk.

Source: ``pkg/controller/volume/persistentvolume/pv_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Literal

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.persistentvolume import plan
from leeward.cluster.controllers.persistentvolume.volumes import Volumes
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, annotations_of, is_terminating, key_of, labels_of
from leeward.kube.volumes import (
    BETA_CLASS,
    BIND_COMPLETED,
    SELECTED_NODE,
    belongs_to,
    bound_volume,
    class_of,
    default_class,
    is_allowed,
    waits_for_consumer,
)

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"
_DATA_LOST = "Data on the volume is lost!"


class PersistentVolumeController:
    """Brings claims and volumes together."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._context = context
        self._volumes = Volumes(context)

    @property
    def resources(self) -> Collection[str]:
        return (CLAIMS, VOLUMES, CLASSES)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == CLASSES:
            return [
                key_of(claim) for claim in self._client.list(CLAIMS) if not claim["spec"].get("volumeName")
            ]
        if event.resource == VOLUMES:
            return self._keys_for_volume(event)
        keys = [key_of(event.object)]
        if name := event.object["spec"].get("volumeName"):
            keys.append(ObjectKey("", name))
        return keys

    def _keys_for_volume(self, event: Event) -> Iterable[ObjectKey]:
        """Return the volume, and its claim or those that may have waited for one like it."""
        volume, keys = event.object, [key_of(event.object)]
        reference = volume["spec"].get("claimRef")
        if reference:
            return [*keys, ObjectKey(reference["namespace"], reference["name"])]
        if event.type != "DELETED":
            keys += [key_of(claim) for claim in self._client.list(CLAIMS) if _waits_for(claim, volume)]
        return keys

    def sync(self, key: ObjectKey) -> float | None:
        """Reconcile one claim, or one volume (no namespace)."""
        if key.namespace:
            claim = self._client.find(CLAIMS, *key)
            if claim is not None and not is_terminating(claim):
                self._sync_claim(claim)
        else:
            volume = self._client.find(VOLUMES, "", key.name)
            if volume is not None:
                self._volumes.sync(volume)
        return None

    # -- claims

    def _sync_claim(self, claim: Obj) -> None:
        if BIND_COMPLETED in annotations_of(claim):
            self._sync_bound(claim)
        elif claim["spec"].get("volumeName"):
            self._sync_named(claim)
        else:
            self._sync_unbound(claim)

    def _sync_bound(self, claim: Obj) -> None:
        name = claim["spec"].get("volumeName")
        volume = self._client.find(VOLUMES, "", name) if name else None
        if not name:
            text = f"Bound claim has lost reference to PersistentVolume. {_DATA_LOST}"
            self._lose(claim, "ClaimLost", text)
        elif volume is None:
            self._lose(claim, "ClaimLost", f"Bound claim has lost its PersistentVolume. {_DATA_LOST}")
        elif not volume["spec"].get("claimRef") or belongs_to(volume, claim):
            self._bind(claim, volume)
        else:
            text = "Two claims are bound to the same volume, this one is bound incorrectly"
            self._lose(claim, "ClaimMisbound", text)

    def _lose(self, claim: Obj, reason: str, message: str) -> None:
        if (claim.get("status") or {}).get("phase") != "Lost":
            self._set_status(CLAIMS, claim, {"phase": "Lost"})
            self._tell(claim, "Warning", reason, message)

    def _sync_named(self, claim: Obj) -> None:
        volume = self._client.find(VOLUMES, "", claim["spec"]["volumeName"])
        reserved = volume is not None and belongs_to(volume, claim)
        if volume is not None and not volume["spec"].get("claimRef"):
            problem = plan.mismatch(volume, claim)
            if problem:
                text = f'Cannot bind to requested volume "{volume["metadata"]["name"]}": {problem}'
                self._tell(claim, "Warning", "VolumeMismatch", text)
            reserved = not problem
        if volume is not None and reserved:
            self._bind(claim, volume)
        else:
            self._set_status(CLAIMS, claim, {"phase": "Pending"})

    def _sync_unbound(self, claim: Obj) -> None:
        if claim["spec"].get("storageClassName") is None and BETA_CLASS not in annotations_of(claim):
            default = default_class(self._client.list(CLASSES))
            if default is not None:
                named = {**claim["spec"], "storageClassName": default["metadata"]["name"]}
                claim = self._client.update(CLAIMS, {**claim, "spec": named})
        storage = self._client.find(CLASSES, "", class_of(claim))
        delayed = waits_for_consumer(storage)
        volume = plan.choose(self._client.list(VOLUMES), claim, delayed=delayed)
        if volume is None:
            claim, volume = self._make(claim, storage, delayed=delayed)
        if volume is not None:
            self._bind(claim, volume)
        else:
            self._set_status(CLAIMS, claim, {"phase": "Pending"})

    # -- provisioning

    def _make(self, claim: Obj, storage: Obj | None, *, delayed: bool) -> tuple[Obj, Obj | None]:
        """Make a volume if it is our turn, or say what is missing."""
        if delayed and SELECTED_NODE not in annotations_of(claim):
            text = "waiting for first consumer to be created before binding"
            self._tell(claim, "Normal", "WaitForFirstConsumer", text)
            return claim, None
        if storage is None:
            self._tell_of_class(claim)
            return claim, None
        provisioner = storage.get("provisioner") or ""
        claim = self._updated(claim, plan.with_provisioner(claim, provisioner))
        if provisioner == plan.PROVISIONER:
            return self._provision(claim, storage)
        text = (
            f"Waiting for a volume to be created either by the external provisioner '{provisioner}' or "
            "manually by the system administrator. If volume creation is delayed, please verify that the "
            "provisioner is running and correctly registered."
        )
        self._tell(claim, "Normal", "ExternalProvisioning", text)
        return claim, None

    def _tell_of_class(self, claim: Obj) -> None:
        if name := class_of(claim):
            text = f'storageclass.storage.k8s.io "{name}" not found'
            self._tell(claim, "Warning", "ProvisioningFailed", text)
        else:
            text = "no persistent volumes available for this claim and no storage class is set"
            self._tell(claim, "Normal", "FailedBinding", text)

    def _provision(self, claim: Obj, storage: Obj) -> tuple[Obj, Obj | None]:
        node = self._node_for(claim, storage)
        if node is None:
            return self._not_here(claim), None
        wanted = plan.provision(claim, storage, node, self._context.volumes_dir)
        name = wanted["metadata"]["name"]
        self._context.make_volume(Path(wanted["spec"]["hostPath"]["path"]))
        found = self._client.find(VOLUMES, "", name) or self._client.create(VOLUMES, wanted)
        self._tell(claim, "Normal", "ProvisioningSucceeded", f"Successfully provisioned volume {name}")
        return claim, found

    def _node_for(self, claim: Obj, storage: Obj) -> Obj | None:
        selected = annotations_of(claim).get(SELECTED_NODE)
        if selected:
            node = self._client.find("nodes", "", selected)
            return node if node is not None and is_allowed(storage, labels_of(node)) else None
        nodes = [node for node in self._client.list("nodes") if is_allowed(storage, labels_of(node))]
        made = sum(plan.is_ours(volume) for volume in self._client.list(VOLUMES))
        return nodes[made % len(nodes)] if nodes else None

    def _not_here(self, claim: Obj) -> Obj:
        """Say that no volume can be made, and let the scheduler choose another node."""
        selected = annotations_of(claim).get(SELECTED_NODE)
        if selected is None:
            text = "no node is in a topology that the storage class allows"
        elif self._client.find("nodes", "", selected) is None:
            text = f'failed to get target node: node "{selected}" not found'
        else:
            text = f'node "{selected}" is in no topology that the storage class allows'
        self._tell(claim, "Warning", "ProvisioningFailed", text)
        return claim if selected is None else self._client.update(CLAIMS, plan.without_selected_node(claim))

    # -- writing

    def _bind(self, claim: Obj, volume: Obj) -> None:
        """Write whatever of the four parts of a binding is missing."""
        wanted = bound_volume(volume, claim)
        volume = volume if wanted is volume else self._client.update(VOLUMES, wanted)
        self._set_status(VOLUMES, volume, {"phase": "Bound"})
        claim = self._updated(claim, plan.bound_claim(claim, volume))
        modes, capacity = volume["spec"].get("accessModes"), volume["spec"]["capacity"]
        self._set_status(CLAIMS, claim, {"phase": "Bound", "accessModes": modes, "capacity": capacity})

    def _updated(self, claim: Obj, new: Obj) -> Obj:
        return claim if new is claim else self._client.update(CLAIMS, new)

    def _tell(self, claim: Obj, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self._client.record(claim, event_type=kind, reason=reason, message=message)

    def _set_status(self, resource: str, obj: Obj, status: Obj) -> None:
        old = obj.get("status") or {}
        if any(old.get(name) != value for name, value in status.items()):
            self._client.update_status(resource, {**obj, "status": {**old, **status}})


def _waits_for(claim: Obj, volume: Obj) -> bool:
    """Tell whether a free volume may be what a claim waits for."""
    name = claim["spec"].get("volumeName")
    if name:
        return bool(name == volume["metadata"]["name"])
    return class_of(claim) == class_of(volume)


DESCRIPTOR = ControllerDescriptor(name="persistentvolume-controller", build=PersistentVolumeController)
