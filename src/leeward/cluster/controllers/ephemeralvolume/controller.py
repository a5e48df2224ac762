"""The ephemeral volume controller: each volume of a Pod with a claim template gets a claim of its own.

The garbage collector removes the claim with the Pod.

Source: ``pkg/controller/volume/ephemeral/controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, controller_of, is_terminating, key_of, owner_reference
from leeward.kube.status import StatusError
from leeward.kube.volumes import ephemeral_claim

CLAIMS = "persistentvolumeclaims"


def is_for(claim: Obj, pod: Obj) -> bool:
    """Tell whether a claim was made for a Pod."""
    owner = controller_of(claim)
    return owner is not None and bool(owner["uid"] == pod["metadata"]["uid"])


def claim_for(pod: Obj, volume: Obj) -> Obj:
    """Return the claim of an ephemeral volume."""
    template = volume["ephemeral"]["volumeClaimTemplate"]
    given = template.get("metadata") or {}
    meta = {
        "name": ephemeral_claim(pod["metadata"]["name"], volume),
        "namespace": pod["metadata"]["namespace"],
        "ownerReferences": [owner_reference({"apiVersion": "v1", "kind": "Pod", **pod})],
        **{name: given[name] for name in ("annotations", "labels") if given.get(name)},
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta,
        "spec": template.get("spec") or {},
    }


def ephemeral_volumes(pod: Obj) -> list[Obj]:
    """Return the volumes that need a claim of their own."""
    return [volume for volume in pod["spec"].get("volumes") or () if volume.get("ephemeral")]


class EphemeralVolumeController:
    """One key a Pod."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return ("pods", CLAIMS)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "pods":
            return [key_of(event.object)] if event.type == "ADDED" and ephemeral_volumes(event.object) else ()
        owner = controller_of(event.object) if event.type == "DELETED" else None
        if owner is None or owner["kind"] != "Pod":
            return ()
        return [ObjectKey(event.object["metadata"]["namespace"], owner["name"])]

    def sync(self, key: ObjectKey) -> float | None:
        """Make what one Pod misses."""
        pod = self._client.find("pods", *key)
        if pod is None or is_terminating(pod):
            return None
        for volume in ephemeral_volumes(pod):
            self._make(pod, volume)
        return None

    def _make(self, pod: Obj, volume: Obj) -> None:
        wanted = claim_for(pod, volume)
        try:
            found = self._client.find(CLAIMS, *key_of(wanted)) or self._client.create(CLAIMS, wanted)
        except StatusError as error:
            self._warn(pod, volume, f"create PVC {wanted['metadata']['name']}: {error}")
            raise
        if not is_for(found, pod):
            place, name = key_of(found), pod["metadata"]["name"]
            text = f"PVC {place} was not created for pod {place.namespace}/{name} (pod is not owner)"
            self._warn(pod, volume, text)
            raise StatusError(text)

    def _warn(self, pod: Obj, volume: Obj, problem: str) -> None:
        message = f"ephemeral volume {volume['name']}: {problem}"
        self._client.record(pod, event_type="Warning", reason="FailedBinding", message=message)


DESCRIPTOR = ControllerDescriptor(
    name="ephemeral-volume-controller", build=EphemeralVolumeController, component="ephemeral_volume"
)
