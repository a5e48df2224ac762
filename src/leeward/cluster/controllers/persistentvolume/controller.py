"""The persistent volume controller and the local provisioner in one: keys are claims or volumes.

Directories are made and removed by injected callables, so that this decides without touching a disk.

Source: ``pkg/controller/volume/persistentvolume`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.persistentvolume import plan
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, annotations_of, is_terminating, key_of

CLAIMS, VOLUMES, CLASSES = "persistentvolumeclaims", "persistentvolumes", "storageclasses.storage.k8s.io"


class PersistentVolumeController:
    """Brings claims and volumes together."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._context = context

    @property
    def resources(self) -> Collection[str]:
        return (CLAIMS, VOLUMES, CLASSES)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == CLASSES:
            return [
                key_of(claim) for claim in self._client.list(CLAIMS) if not claim["spec"].get("volumeName")
            ]
        keys = [key_of(event.object)]
        if event.resource == VOLUMES:
            reference = event.object["spec"].get("claimRef")
            if reference:
                keys.append(ObjectKey(reference["namespace"], reference["name"]))
        elif name := event.object["spec"].get("volumeName"):
            keys.append(ObjectKey("", name))
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
                self._sync_volume(volume)
        return None

    # -- claims

    def _sync_claim(self, claim: Obj) -> None:
        spec = claim["spec"]
        if spec.get("volumeName"):
            self._sync_named(claim)
            return
        if spec.get("storageClassName") is None:
            default = plan.default_class(self._client.list(CLASSES))
            if default is not None:
                named = {**claim, "spec": {**spec, "storageClassName": default["metadata"]["name"]}}
                claim = self._client.update(CLAIMS, named)
        storage = self._client.find(CLASSES, "", claim["spec"].get("storageClassName") or "")
        volumes = self._client.list(VOLUMES)
        delayed = storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"
        if delayed:
            volumes = [volume for volume in volumes if plan.belongs_to(volume, claim)]
        volume = plan.choose(volumes, claim)
        if volume is None and storage is not None:
            volume = self._provision(claim, storage, delayed=delayed)
        if volume is not None:
            self._bind(claim, volume)
        elif not (claim.get("status") or {}).get("phase"):
            self._set_status(CLAIMS, claim, {"phase": "Pending"})

    def _sync_named(self, claim: Obj) -> None:
        volume = self._client.find(VOLUMES, "", claim["spec"]["volumeName"])
        if volume is None:
            if BOUND_BEFORE in annotations_of(claim):
                self._set_status(CLAIMS, claim, {"phase": "Lost"})
        elif not volume["spec"].get("claimRef") or plan.belongs_to(volume, claim):
            self._bind(claim, volume)

    def _provision(self, claim: Obj, storage: Obj, *, delayed: bool) -> Obj | None:
        if storage.get("provisioner") != plan.PROVISIONER:
            return None
        node = self._node_for(claim, delayed=delayed)
        if node is None:
            return None
        wanted = plan.provision(claim, storage, node, self._context.volumes_dir)
        name = wanted["metadata"]["name"]
        self._context.make_volume(Path(wanted["spec"]["hostPath"]["path"]))
        found = self._client.find(VOLUMES, "", name) or self._client.create(VOLUMES, wanted)
        message = f"Successfully provisioned volume {name}"
        self._client.record(claim, event_type="Normal", reason="ProvisioningSucceeded", message=message)
        return found

    def _node_for(self, claim: Obj, *, delayed: bool) -> Obj | None:
        selected = annotations_of(claim).get(plan.SELECTED_NODE)
        if selected:
            return self._client.find("nodes", "", selected)
        if delayed:
            message = "waiting for first consumer to be created before binding"
            self._client.record(claim, event_type="Normal", reason="WaitForFirstConsumer", message=message)
            return None
        nodes = self._client.list("nodes")
        made = sum(plan.is_ours(volume) for volume in self._client.list(VOLUMES))
        return nodes[made % len(nodes)] if nodes else None

    def _bind(self, claim: Obj, volume: Obj) -> None:
        """Write whatever of the four parts of a binding is missing."""
        wanted = plan.bound_volume(volume, claim)
        volume = volume if wanted is volume else self._client.update(VOLUMES, wanted)
        self._set_status(VOLUMES, volume, {"phase": "Bound"})
        named = plan.bound_claim(claim, volume)
        claim = claim if named is claim else self._client.update(CLAIMS, named)
        modes, capacity = volume["spec"].get("accessModes"), volume["spec"]["capacity"]
        self._set_status(CLAIMS, claim, {"phase": "Bound", "accessModes": modes, "capacity": capacity})

    # -- volumes

    def _sync_volume(self, volume: Obj) -> None:
        reference = volume["spec"].get("claimRef")
        if not reference:
            self._set_status(VOLUMES, volume, {"phase": "Available"})
            return
        claim = self._client.find(CLAIMS, reference["namespace"], reference["name"])
        uid = reference.get("uid")
        if claim is not None and uid in (None, "", claim["metadata"]["uid"]):
            return
        if not uid:
            return  # reserved by name for a claim still to come
        volume = self._set_status(VOLUMES, volume, {"phase": "Released"})
        if volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete" and plan.is_ours(volume):
            self._context.remove_volume(Path(volume["spec"]["hostPath"]["path"]))
            if not is_terminating(volume):
                self._client.delete(VOLUMES, "", volume["metadata"]["name"], uid=volume["metadata"]["uid"])

    def _set_status(self, resource: str, obj: Obj, status: Obj) -> Obj:
        old = obj.get("status") or {}
        if all(old.get(name) == value for name, value in status.items()):
            return obj
        return self._client.update_status(resource, {**obj, "status": {**old, **status}})


BOUND_BEFORE = plan.BIND_COMPLETED
DESCRIPTOR = ControllerDescriptor(name="persistentvolume-controller", build=PersistentVolumeController)
