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
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"
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


def _size(volume: Obj) -> Any:
    return parse_quantity(volume["spec"]["capacity"]["storage"])


def _is_large_enough(volume: Obj, claim: Obj) -> bool:
    return bool(_size(volume) >= parse_quantity(storage_request(claim)))


def _have_same_mode(volume: Obj, claim: Obj) -> bool:
    modes = [each["spec"].get("volumeMode") or "Filesystem" for each in (volume, claim)]
    return modes[0] == modes[1]


def class_of(obj: Obj) -> str:
    """Return the storage class of a volume or claim; "" for none."""
    name: str = annotations_of(obj).get(BETA_CLASS) or obj["spec"].get("storageClassName") or ""
    return name


def mismatch(volume: Obj, claim: Obj) -> str:
    """Return why a volume that a claim names does not satisfy it; "" when it does."""
    if not _is_large_enough(volume, claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if not _have_same_mode(volume, claim):
        return "incompatible volumeMode"
    if not _has_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def _has_modes(volume: Obj, claim: Obj) -> bool:
    return set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())


def fits(volume: Obj, claim: Obj) -> bool:
    """Tell whether a free volume satisfies the claim."""
    selector: Any = claim["spec"].get("selector")
    return (
        not volume["spec"].get("claimRef")
        and not is_terminating(volume)
        and (volume.get("status") or {}).get("phase") in (None, "", "Pending", "Available")
        and not mismatch(volume, claim)
        and (selector is None or matches_selector(selector, labels_of(volume)))
    )


def choose(volumes: Iterable[Obj], claim: Obj, *, delayed: bool = False) -> Obj | None:
    """Return the volume reserved for the claim, else the smallest that fits, else None.

    Args:
        volumes: all there are.
        claim: an unbound one that names no volume.
        delayed: the scheduler chooses among free ones, when it knows where the Pod goes.
    """
    found = [each for each in volumes if _is_large_enough(each, claim) and _have_same_mode(each, claim)]
    for volume in found:
        if belongs_to(volume, claim) and not is_terminating(volume):
            return volume
    free = [] if delayed else [volume for volume in found if fits(volume, claim)]
    return min(free, key=_size, default=None)


def allows(storage: Obj, node: Obj) -> bool:
    """Tell whether a class allows volumes where `node` is."""
    terms = storage.get("allowedTopologies") or ()
    labels = labels_of(node)
    return not terms or any(
        all(labels.get(rule["key"]) in rule["values"] for rule in term.get("matchLabelExpressions") or ())
        for term in terms
    )


def unbound_volume(volume: Obj) -> Obj:
    """Return the volume free again; a reservation that somebody made by name stays one."""
    meta, spec = volume["metadata"], volume["spec"]
    if BOUND_BY_CONTROLLER in annotations_of(volume):
        kept = {key: value for key, value in annotations_of(volume).items() if key != BOUND_BY_CONTROLLER}
        bare = {key: value for key, value in spec.items() if key != "claimRef"}
        return {**volume, "metadata": {**meta, "annotations": kept}, "spec": bare}
    reference = {
        key: value for key, value in spec["claimRef"].items() if key not in ("uid", "resourceVersion")
    }
    return {**volume, "spec": {**spec, "claimRef": reference}}


def with_provisioner(claim: Obj, provisioner: str) -> Obj:
    """Return the claim that says who is to make its volume; itself when it does."""
    notes = annotations_of(claim)
    wanted = {STORAGE_PROVISIONER: provisioner, BETA_STORAGE_PROVISIONER: provisioner}
    if all(notes.get(name) == value for name, value in wanted.items()):
        return claim
    return {**claim, "metadata": {**claim["metadata"], "annotations": {**notes, **wanted}}}


def without_selected_node(claim: Obj) -> Obj:
    """Return the claim for which the scheduler is to choose a node anew."""
    notes = {key: value for key, value in annotations_of(claim).items() if key != SELECTED_NODE}
    return {**claim, "metadata": {**claim["metadata"], "annotations": notes}}


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
