"""Claims, volumes and storage classes: defaults and rules.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/storage/v1/defaults.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import Failure, forbidden, required
from leeward.cluster.registry.kinds.fill import fill, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.kube.objects import Obj


def default_claim(obj: Obj) -> Obj:
    """Fill in a PersistentVolumeClaim."""
    return {**obj, "spec": fill(obj.get("spec"), volumeMode="Filesystem")}


def _validate_claim(obj: Obj) -> list[Failure]:
    spec = obj.get("spec") or {}
    found = (
        []
        if spec.get("accessModes")
        else [required("spec.accessModes", "at least 1 access mode is required")]
    )
    if "storage" not in ((spec.get("resources") or {}).get("requests") or {}):
        found.append(required("spec.resources[storage]"))
    return found


def _validate_claim_update(new: Obj, old: Obj) -> list[Failure]:
    def frozen(obj: Obj) -> Obj:
        spec = {**obj["spec"], "resources": None, "volumeAttributesClassName": None}
        if not old["spec"].get("volumeName"):
            spec["volumeName"] = None
        return spec

    if frozen(new) == frozen(old):
        return []
    text = "spec is immutable after creation except resources.requests and volumeAttributesClassName"
    return [forbidden("spec", f"{text} for bound claims")]


def _default_volume(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    return {**obj, "spec": update(spec, "hostPath", lambda path: fill(path, type=""))}


def _default_class(obj: Obj) -> Obj:
    return fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


CLAIM = Strategy(
    default=default_claim,
    validate=_validate_claim,
    validate_update=_validate_claim_update,
    has_status=True,
    initial_status={"phase": "Pending"},
)
VOLUME = Strategy(default=_default_volume, has_status=True, initial_status={"phase": "Pending"})
STORAGE_CLASS = Strategy(default=_default_class)
