"""Claims, volumes and storage classes: defaults.

Source: pkg/apis/core/v1/defaults.go, pkg/apis/storage/v1/defaults.go (Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.kinds.fill import fill, update
from leeward.cluster.registry.kinds.strategy import Strategy
from leeward.cluster.registry.validation.claims import claim_failures, claim_update_failures
from leeward.cluster.registry.validation.storage import (
    class_failures,
    class_update_failures,
    volume_failures,
    volume_update_failures,
)
from leeward.kube.objects import Obj


def default_claim(obj: Obj) -> Obj:
    """Fill in a PersistentVolumeClaim."""
    return {**obj, "spec": fill(obj.get("spec"), volumeMode="Filesystem")}


def _prepare_claim(obj: Obj) -> Obj:
    """Drop a source that nothing can be made of; keep the two ways to name one in step."""
    spec = dict(obj.get("spec") or {})
    source, ref = spec.get("dataSource"), spec.get("dataSourceRef")
    known = (("", "PersistentVolumeClaim"), ("snapshot.storage.k8s.io", "VolumeSnapshot"))
    if source is not None and _names(source) not in known:
        del spec["dataSource"]
        source = None
    if source is not None and ref is None:
        spec["dataSourceRef"] = source
    elif ref is not None and source is None and not ref.get("namespace") and _names(ref) in known:
        spec["dataSource"] = ref
    return {**obj, "spec": spec}


def _names(ref: Obj) -> tuple[str, str]:
    return ref.get("apiGroup") or "", ref.get("kind") or ""


def _default_volume(obj: Obj) -> Obj:
    spec = fill(obj.get("spec"), persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    return {**obj, "spec": update(spec, "hostPath", lambda path: fill(path, type=""))}


def _default_class(obj: Obj) -> Obj:
    return fill(obj, reclaimPolicy="Delete", volumeBindingMode="Immediate")


CLAIM = Strategy(
    default=default_claim,
    prepare_create=_prepare_claim,
    validate=claim_failures,
    validate_update=claim_update_failures,
    has_status=True,
    initial_status={"phase": "Pending"},
)


def _phase_since(new: Obj, old: Obj | None, now: str) -> Obj:
    """Say since when a volume is in its phase."""
    status, before = new.get("status") or {}, (old or {}).get("status") or {}
    if old is not None and status.get("phase") == before.get("phase"):
        return new
    return {**new, "status": {**status, "lastPhaseTransitionTime": now}}


VOLUME = Strategy(
    default=_default_volume,
    validate=volume_failures,
    validate_update=volume_update_failures,
    stamp=_phase_since,
    has_status=True,
    initial_status={"phase": "Pending"},
)
STORAGE_CLASS = Strategy(
    default=_default_class, validate=class_failures, validate_update=class_update_failures
)
