"""What becomes of a volume: free, bound, released, and then kept or deleted as its reclaim policy says.

Source: syncVolume and reclaimVolume of ``pv_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from pathlib import Path

from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.persistentvolume import plan
from leeward.kube.objects import Obj, annotations_of, is_terminating

_CLAIMS, _VOLUMES = "persistentvolumeclaims", "persistentvolumes"
_NO_PLUGIN = {
    "Delete": ("VolumeFailedDelete", "deleter", "deletable"),
    "Recycle": ("VolumeFailedRecycle", "recycler", "recyclable"),
}


class Volumes:
    """Follows volumes."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._remove = context.remove_volume

    def sync(self, volume: Obj) -> None:
        """Look at one volume."""
        reference = volume["spec"].get("claimRef")
        uid = (reference or {}).get("uid")
        if not reference or not uid:  # free, or reserved by name for a claim still to come
            self._set_phase(volume, "Available")
            return
        claim = self._client.find(_CLAIMS, reference["namespace"], reference["name"])
        if claim is None or claim["metadata"]["uid"] != uid:
            self._release(volume)
            return
        name = claim["spec"].get("volumeName")
        if name and name != volume["metadata"]["name"]:
            self._leave_alone(volume)

    def _leave_alone(self, volume: Obj) -> None:
        """The claim has another volume: one made for it goes, another is free again."""
        if plan.is_ours(volume) and volume["spec"].get("persistentVolumeReclaimPolicy") == "Delete":
            self._release(volume)
        else:
            freed = self._client.update(_VOLUMES, plan.unbound_volume(volume))
            self._set_phase(freed, "Available")

    def _release(self, volume: Obj) -> None:
        """The claim is gone."""
        policy = volume["spec"].get("persistentVolumeReclaimPolicy") or "Retain"
        if (volume.get("status") or {}).get("phase") == "Failed":
            return
        volume = self._set_phase(volume, "Released")
        meta = volume["metadata"]
        if policy == "Delete" and plan.is_ours(volume):
            self._remove(Path(volume["spec"]["hostPath"]["path"]))
            if not is_terminating(volume):
                self._client.delete(_VOLUMES, "", meta["name"], uid=meta["uid"])
        elif policy in _NO_PLUGIN and plan.PROVISIONED_BY not in annotations_of(volume):
            reason, role, able = _NO_PLUGIN[policy]
            problem = f'error getting {role} volume plugin for volume "{meta["name"]}"'
            message = f"{problem}: no {able} volume plugin matched"
            self._set_phase(volume, "Failed", message)
            self._client.record(volume, event_type="Warning", reason=reason, message=message)

    def _set_phase(self, volume: Obj, phase: str, message: str = "") -> Obj:
        old = volume.get("status") or {}
        if old.get("phase") == phase:
            return volume
        kept = {key: value for key, value in old.items() if key != "message"}
        status = {**kept, "phase": phase, **({"message": message} if message else {})}
        return self._client.update_status(_VOLUMES, {**volume, "status": status})
