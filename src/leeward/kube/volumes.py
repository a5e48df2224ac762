"""What claims and persistent volumes are to one another, the same wherever it is asked. Pure.

Source: component-helpers/storage/volume (helpers.go, pv_helpers.go), component-helpers/storage/ephemeral,
pkg/volume/util/storageclass.go (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from fractions import Fraction
from typing import Any

from leeward.kube.objects import Obj, annotations_of, is_terminating, labels_of, newest_first
from leeward.kube.quantity import parse_quantity
from leeward.kube.selectors import matches_node_selector, matches_selector

SELECTED_NODE = "volume.kubernetes.io/selected-node"
BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
BETA_DEFAULT_CLASS = "storageclass.beta.kubernetes.io/is-default-class"
# Upstream passes over a volume until its controller has looked at it once, and a claim made with it by one
# file may then get another volume.
_FREE = (None, "", "Pending", "Available")


def claims_of(pod: Obj) -> list[str]:
    """Return the names of the claims that a Pod mounts, in order, those of its own included."""
    found: list[str] = []
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            found.append(claim["claimName"])
        elif volume.get("ephemeral"):
            found.append(ephemeral_claim(pod["metadata"]["name"], volume))
    return found


def ephemeral_claim(name: str, volume: Obj) -> str:
    """Return the name of the claim of a generic ephemeral volume of the Pod `name`."""
    return f"{name}-{volume['name']}"


def class_of(obj: Obj) -> str:
    """Return the storage class of a volume or claim; "" for none. The old annotation wins."""
    named = annotations_of(obj).get(BETA_CLASS)
    return str(named if named is not None else (obj.get("spec") or {}).get("storageClassName") or "")


def is_default_class(storage: Obj) -> bool:
    """Tell whether a StorageClass is meant for claims that name none."""
    notes = annotations_of(storage)
    return "true" in (notes.get(DEFAULT_CLASS), notes.get(BETA_DEFAULT_CLASS))


def default_class(classes: Iterable[Obj]) -> Obj | None:
    """Return the default StorageClass: of several the newest, of equally old ones the first by name."""
    return next(iter(newest_first(each for each in classes if is_default_class(each))), None)


def waits_for_consumer(storage: Obj | None) -> bool:
    """Tell whether volumes of a class are bound when it is known where their Pod goes."""
    return storage is not None and storage.get("volumeBindingMode") == "WaitForFirstConsumer"


def is_allowed(storage: Obj, labels: Mapping[str, str]) -> bool:
    """Tell whether a class allows volumes to be made for a node with `labels`."""
    terms = storage.get("allowedTopologies") or ()
    return not terms or any(
        all(labels.get(rule["key"]) in rule["values"] for rule in term.get("matchLabelExpressions") or ())
        for term in terms
    )


def is_reachable(volume: Obj, labels: Mapping[str, str], node: str) -> bool:
    """Tell whether the volume's node affinity allows a node."""
    return matches_node_selector(
        (volume["spec"].get("nodeAffinity") or {}).get("required"), dict(labels), node
    )


def capacity_of(volume: Obj) -> Fraction:
    """Return the size of a volume in bytes."""
    return parse_quantity(volume["spec"]["capacity"]["storage"])


def request_of(claim: Obj) -> Fraction:
    """Return how many bytes a claim asks for."""
    return parse_quantity(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", "0"))


def is_large_enough(volume: Obj, claim: Obj) -> bool:
    """Tell whether the volume has what the claim asks for."""
    return capacity_of(volume) >= request_of(claim)


def have_same_mode(volume: Obj, claim: Obj) -> bool:
    """Tell whether both are file systems, or both block devices."""
    modes = {each["spec"].get("volumeMode") or "Filesystem" for each in (volume, claim)}
    return len(modes) == 1


def has_access_modes(volume: Obj, claim: Obj) -> bool:
    """Tell whether the volume can be accessed in all ways that the claim asks for."""
    return set(claim["spec"].get("accessModes") or ()) <= set(volume["spec"].get("accessModes") or ())


def have_same_attributes(volume: Obj, claim: Obj) -> bool:
    """Tell whether both name the same VolumeAttributesClass, or none."""
    classes = {each["spec"].get("volumeAttributesClassName") or "" for each in (volume, claim)}
    return len(classes) == 1


def belongs_to(volume: Obj, claim: Obj) -> bool:
    """Tell whether the volume is reserved for (or bound to) the claim."""
    reference, meta = volume["spec"].get("claimRef") or {}, claim["metadata"]
    return (reference.get("namespace"), reference.get("name")) == (meta["namespace"], meta["name"]) and (
        reference.get("uid") in (None, "", meta["uid"])
    )


def is_bound(claim: Obj) -> bool:
    """Tell whether a claim has its volume for good."""
    return bool(claim["spec"].get("volumeName")) and BIND_COMPLETED in annotations_of(claim)


def find_matching(
    volumes: Iterable[Obj],
    claim: Obj,
    *,
    reaches: Callable[[Obj], bool] | None = None,
    taken: Collection[str] = (),
    delayed: bool = False,
) -> Obj | None:
    """Return the volume that is reserved for an unbound claim, else the smallest that fits, else None.

    Args:
        volumes: all there are.
        claim: an unbound one.
        reaches: tells whether the Pod's node reaches a volume; None: no node is chosen.
        taken: names of volumes that others of the Pod's claims get.
        delayed: without a node nothing is taken but what is reserved.
    """
    found: list[Obj] = []
    selector: Any = claim["spec"].get("selector")
    for volume in volumes:
        reference = volume["spec"].get("claimRef")
        is_its_own = belongs_to(volume, claim)
        if volume["metadata"]["name"] in taken or is_terminating(volume) or (reference and not is_its_own):
            continue
        if not all(fits(volume, claim) for fits in (is_large_enough, have_same_mode, have_same_attributes)):
            continue
        if is_its_own:
            return volume if reaches is None or reaches(volume) else None
        if (
            not (delayed and reaches is None)
            and (volume.get("status") or {}).get("phase") in _FREE
            and (selector is None or matches_selector(selector, labels_of(volume)))
            and class_of(volume) == class_of(claim)
            and has_access_modes(volume, claim)
            and (reaches is None or reaches(volume))
        ):
            found.append(volume)
    return min(found, key=capacity_of, default=None)


def claim_reference(claim: Obj) -> dict[str, str]:
    """Return the ``claimRef`` of a volume bound to `claim`."""
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
