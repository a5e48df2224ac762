"""What a claim needs next, what a provisioned volume looks like, and which volume fits.

Volumes behave as zonal disks do: one belongs to one zone and is reachable from every node of it.

Source: ``pkg/controller/volume/persistentvolume`` (pv_controller.go), EBS CSI driver's topology.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from leeward.kube.objects import Obj, annotations_of, is_terminating, labels_of
from leeward.kube.quantity import parse_quantity
from leeward.kube.selectors import matches_selector
from leeward.kube.wellknown import HOSTNAME, ZONE

PROVISIONER = "leeward.dev/local"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"


def storage_request(claim: Obj) -> str:
    """Return how much a claim asks for."""
    size: str = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
    return size


def belongs_to(volume: Obj, claim: Obj) -> bool:
    """Tell whether the volume is reserved for (or bound to) the claim."""
    reference, meta = volume["spec"].get("claimRef") or {}, claim["metadata"]
    return (reference.get("namespace"), reference.get("name")) == (meta["namespace"], meta["name"]) and (
        reference.get("uid") in (None, "", meta["uid"])
    )


def fits(volume: Obj, claim: Obj) -> bool:
    """Tell whether a free volume satisfies the claim."""
    spec, wanted = volume["spec"], claim["spec"]
    selector: Any = wanted.get("selector")
    return (
        not spec.get("claimRef")
        and not is_terminating(volume)
        and (spec.get("storageClassName") or "") == (wanted.get("storageClassName") or "")
        and set(wanted.get("accessModes") or ()) <= set(spec.get("accessModes") or ())
        and (spec.get("volumeMode") or "Filesystem") == (wanted.get("volumeMode") or "Filesystem")
        and parse_quantity(spec["capacity"]["storage"]) >= parse_quantity(storage_request(claim))
        and (selector is None or matches_selector(selector, labels_of(volume)))
    )


def choose(volumes: Iterable[Obj], claim: Obj) -> Obj | None:
    """Return the volume reserved for the claim, else the smallest that fits, else None."""
    found = list(volumes)
    reserved = next((volume for volume in found if belongs_to(volume, claim)), None)
    if reserved is not None:
        return reserved
    free = [volume for volume in found if fits(volume, claim)]
    return min(free, key=lambda volume: parse_quantity(volume["spec"]["capacity"]["storage"]), default=None)


def claim_reference(claim: Obj) -> dict[str, str]:
    """Return the claimRef of a volume bound to `claim`."""
    meta = claim["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": meta["namespace"],
        "name": meta["name"],
        "uid": meta["uid"],
        "resourceVersion": meta["resourceVersion"],
    }


def bound_volume(volume: Obj, claim: Obj) -> Obj:
    """Return the volume bound to `claim`; one that nobody had reserved for it says who chose it."""
    if (volume["spec"].get("claimRef") or {}).get("uid") == claim["metadata"]["uid"]:
        return volume
    meta, spec = volume["metadata"], {**volume["spec"], "claimRef": claim_reference(claim)}
    if not belongs_to(volume, claim):
        meta = {**meta, "annotations": {**annotations_of(volume), BOUND_BY_CONTROLLER: "yes"}}
    return {**volume, "metadata": meta, "spec": spec}


def bound_claim(claim: Obj, volume: Obj) -> Obj:
    """Return the claim bound to `volume`; one that did not name it says who chose it."""
    name, annotations = volume["metadata"]["name"], annotations_of(claim)
    if claim["spec"].get("volumeName") != name:
        annotations = {**annotations, BOUND_BY_CONTROLLER: "yes"}
    elif BIND_COMPLETED in annotations:
        return claim
    meta = {**claim["metadata"], "annotations": {**annotations, BIND_COMPLETED: "yes"}}
    return {**claim, "metadata": meta, "spec": {**claim["spec"], "volumeName": name}}


def place_of(node: Obj) -> tuple[str, str]:
    """Return the topology (label, value) that a volume made for `node` is tied to."""
    labels = labels_of(node)
    if labels.get(ZONE):
        return ZONE, labels[ZONE]
    return HOSTNAME, labels.get(HOSTNAME) or node["metadata"]["name"]


def provision(claim: Obj, storage: Obj, node: Obj, volumes_dir: Path) -> Obj:
    """Return the volume to make for `claim` where `node` can reach it."""
    key, value = place_of(node)
    name = f"pvc-{claim['metadata']['uid']}"
    expression = {"key": key, "operator": "In", "values": [value]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": name,
            "labels": {key: value},
            "annotations": {PROVISIONED_BY: PROVISIONER},
        },
        "spec": {
            "capacity": {"storage": storage_request(claim)},
            "accessModes": claim["spec"].get("accessModes") or ["ReadWriteOnce"],
            "claimRef": claim_reference(claim),
            "hostPath": {"path": str(volumes_dir / value / name), "type": "DirectoryOrCreate"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}},
            "persistentVolumeReclaimPolicy": storage.get("reclaimPolicy") or "Delete",
            "storageClassName": storage["metadata"]["name"],
            "volumeMode": claim["spec"].get("volumeMode") or "Filesystem",
        },
    }


def is_ours(volume: Obj) -> bool:
    """Tell whether this provisioner made the volume."""
    return annotations_of(volume).get(PROVISIONED_BY) == PROVISIONER


def default_class(classes: Iterable[Obj]) -> Obj | None:
    """Return the default StorageClass, the newest when there are several."""
    defaults = [found for found in classes if annotations_of(found).get(DEFAULT_CLASS) == "true"]
    return max(defaults, key=lambda found: found["metadata"].get("creationTimestamp") or "", default=None)
