"""The volume protection controller: a deleted volume goes when no claim is bound to it.

Admission gives every volume the finalizer that is taken away here.

Source: ``pkg/controller/volume/pvprotection`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, is_terminating, key_of, without_finalizer
from leeward.kube.wellknown import PV_PROTECTION

VOLUMES = "persistentvolumes"


class VolumeProtectionController:
    """Takes the finalizer from volumes that no claim is bound to."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return (VOLUMES,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return [key_of(event.object)] if is_terminating(event.object) else ()

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one volume."""
        volume = self._client.find(VOLUMES, "", key.name)
        if volume is None or not is_terminating(volume):
            return None
        if (volume.get("status") or {}).get("phase") != "Bound":
            freed = without_finalizer(volume, PV_PROTECTION)
            if freed is not volume:
                self._client.update(VOLUMES, freed)
        return None


DESCRIPTOR = ControllerDescriptor(
    name="persistentvolume-protection-controller", build=VolumeProtectionController
)
