"""What a claim needs next, what a provisioned volume looks like, and which volume fits.

Volumes behave as zonal disks do: one belongs to one zone and is reachable from every node of it.

Source: ``pkg/controller/volume/persistentvolume`` (pv_controller.go), EBS CSI driver's topology.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.volumes import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    SELECTED_NODE,
    claim_reference,
    class_of,
    find_matching,
    has_access_modes,
    have_same_attributes,
    have_same_mode,
    is_large_enough,
)
from leeward.kube.wellknown import HOSTNAME, ZONE

PROVISIONER = "leeward.dev/local"
PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
STORAGE_PROVISIONER = "volume.kubernetes.io/storage-provisioner"
BETA_STORAGE_PROVISIONER = "volume.beta.kubernetes.io/storage-provisioner"


def storage_request(claim: Obj) -> str:
    """Return how much a claim asks for."""
    size: str = ((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0")
    return size


def mismatch(volume: Obj, claim: Obj) -> str:
    """Return why a volume that a claim names does not satisfy it; "" when it does."""
    if not is_large_enough(volume, claim):
        return "requested PV is too small"
    if class_of(volume) != class_of(claim):
        return "storageClassName does not match"
    if not have_same_attributes(volume, claim):
        return "volumeAttributesClassName does not match"
    if not have_same_mode(volume, claim):
        return "incompatible volumeMode"
    if not has_access_modes(volume, claim):
        return "incompatible accessMode"
    return ""


def choose(volumes: Iterable[Obj], claim: Obj, *, delayed: bool = False) -> Obj | None:
    """Return the volume for an unbound claim, of those with the fewest access modes.

    Args:
        volumes: all there are.
        claim: an unbound one that names no volume.
        delayed: the scheduler chooses among free ones, when it knows where the Pod goes.
    """
    able = sorted((each for each in volumes if has_access_modes(each, claim)), key=_number_of_modes)
    groups = (find_matching(group, claim, delayed=delayed) for _, group in groupby(able, _number_of_modes))
    return next((found for found in groups if found is not None), None)


def _number_of_modes(volume: Obj) -> int:
    return len(volume["spec"].get("accessModes") or ())


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
