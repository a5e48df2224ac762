"""PersistentVolumes, StorageClasses and CSI objects.

Source: pkg/apis/core/validation/validation.go ValidatePersistentVolume, pkg/apis/storage/validation
(Kubernetes 1.36).
"""

from __future__ import annotations

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    required,
    unsupported,
)
from leeward.cluster.registry.validation.claims import VOLUME_MODES, access_mode_failures
from leeward.cluster.registry.validation.formats import (
    dns_subdomain,
    each_failure,
    qualified_name,
)
from leeward.cluster.registry.validation.paths import backstep_failures
from leeward.cluster.registry.validation.resources import quantity_failures
from leeward.cluster.registry.validation.scheduling import node_selector_failures
from leeward.cluster.registry.validation.volumes import SOURCES, driver_failures
from leeward.kube.objects import Obj

_IMMUTABLE = "field is immutable"
_RECLAIM = ("Delete", "Recycle", "Retain")
_OF_VOLUMES = (
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte",
    "cephfs", "iscsi", "cinder", "fc", "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk",
    "portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi",
)  # fmt: skip
_MANY = "may not specify more than 1 volume type"


def volume_failures(obj: Obj) -> list[Failure]:
    """Check a PersistentVolume."""
    spec = obj.get("spec") or {}
    modes, capacity = spec.get("accessModes") or (), spec.get("capacity")
    found = [] if modes else [required("spec.accessModes")]
    found += access_mode_failures(modes, "spec.accessModes")
    if not capacity:
        found.append(required("spec.capacity"))
    if "storage" not in (capacity or {}) or len(capacity or {}) > 1:
        found.append(unsupported("spec.capacity", capacity, ("storage",)))
    for name, size in (capacity or {}).items():
        found += quantity_failures(size, f"spec.capacity[{name}]", positive=True)
    policy = spec.get("persistentVolumeReclaimPolicy")
    if policy and policy not in _RECLAIM:
        found.append(unsupported("spec.persistentVolumeReclaimPolicy", policy, _RECLAIM))
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if spec.get("nodeAffinity") is not None:
        place = "spec.nodeAffinity.required"
        if affinity is None:
            found.append(required(place, "must specify required node constraints"))
        else:
            found += node_selector_failures(affinity, place)
    found += _source_failures(spec)
    if policy == "Recycle" and (spec.get("hostPath") or {}).get("path") == "/":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        found.append(forbidden("spec.persistentVolumeReclaimPolicy", text))
    if spec.get("storageClassName"):
        found += each_failure(dns_subdomain, spec["storageClassName"], "spec.storageClassName")
    mode = spec.get("volumeMode")
    if mode is not None and mode not in VOLUME_MODES:
        found.append(unsupported("spec.volumeMode", mode, VOLUME_MODES))
    return found


def _source_failures(spec: Obj) -> list[Failure]:
    given = [kind for kind in _OF_VOLUMES if spec.get(kind) is not None]
    if not given:
        return [required("spec", "must specify a volume type")]
    first, *others = given
    found: list[Failure] = []
    if first == "local":
        path = spec["local"].get("path")
        found += backstep_failures(path, "spec.local.path") if path else [required("spec.local.path")]
        if spec.get("nodeAffinity") is None:
            found.append(required("spec.nodeAffinity", "Local volume requires node affinity"))
    elif first == "csi":
        found += driver_failures(spec["csi"].get("driver") or "", "spec.csi.driver")
        if not spec["csi"].get("volumeHandle"):
            found.append(required("spec.csi.volumeHandle"))
    else:
        found += SOURCES[first](spec[first], f"spec.{first}")
    return found + [forbidden(f"spec.{kind}", _MANY) for kind in others]


def volume_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a volume's source, mode and place stay what they are."""
    after, before = new["spec"], old["spec"]
    found: list[Failure] = []
    if any(after.get(kind) != before.get(kind) for kind in _OF_VOLUMES):
        text = "spec.persistentvolumesource is immutable after creation"
        found.append(forbidden("spec.persistentvolumesource", text))
    if after.get("volumeMode") != before.get("volumeMode"):
        found.append(invalid("volumeMode", after.get("volumeMode"), _IMMUTABLE))
    if before.get("nodeAffinity") is not None and after.get("nodeAffinity") != before["nodeAffinity"]:
        text = "field is immutable, except for updating from beta label to GA"
        found.append(invalid("nodeAffinity", after.get("nodeAffinity"), text))
    return found


def class_failures(obj: Obj) -> list[Failure]:
    """Check a StorageClass."""
    provisioner, place = obj.get("provisioner") or "", "provisioner"
    found: list[Failure] = []
    if not provisioner:
        found.append(required(place))
    else:
        found += [invalid(place, provisioner, text) for text in qualified_name(provisioner.lower())]
    parameters = obj.get("parameters") or {}
    for key in parameters:
        if not key:
            found.append(invalid("parameters", key, "field can not be empty."))
    for name, supported in (
        ("reclaimPolicy", ("Delete", "Retain")),
        ("volumeBindingMode", ("Immediate", "WaitForFirstConsumer")),
    ):
        value = obj.get(name)
        if value is None:
            found += [required(name)] if name == "volumeBindingMode" else []
        elif value not in supported:
            found.append(unsupported(name, value, supported))
    return found + _topologies(obj)


def _topologies(obj: Obj) -> list[Failure]:
    found: list[Failure] = []
    for index, term in enumerate(obj.get("allowedTopologies") or ()):
        keys: set[str] = set()
        for at, each in enumerate(term.get("matchLabelExpressions") or ()):
            place = f"allowedTopologies[{index}].matchLabelExpressions[{at}]"
            values, key = each.get("values") or (), each.get("key") or ""
            if not values:
                found.append(required(f"{place}.values"))
            for number, value in enumerate(values):
                if value in values[:number]:
                    found.append(duplicate(f"{place}.values[{number}]", value))
            found += each_failure(qualified_name, key, f"{place}.key")
            if key in keys:
                found.append(duplicate(f"{place}.key", key))
            keys.add(key)
    return found


def class_update_failures(new: Obj, old: Obj) -> list[Failure]:
    """Check that a StorageClass stays what it is but for what nobody has used yet."""
    found: list[Failure] = []
    if (new.get("parameters") or {}) != (old.get("parameters") or {}):
        found.append(invalid("parameters", new.get("parameters"), _IMMUTABLE))
    found += [
        invalid(name, new.get(name), _IMMUTABLE)
        for name in ("provisioner", "reclaimPolicy", "volumeBindingMode")
        if new.get(name) != old.get(name)
    ]
    return found


def driver_object_failures(obj: Obj) -> list[Failure]:
    """Check a CSIDriver."""
    spec = obj.get("spec") or {}
    found = driver_failures(obj["metadata"]["name"], "metadata.name")
    for name in ("attachRequired", "podInfoOnMount"):
        if spec.get(name) is None:
            found.append(required(f"spec.{name}"))
    modes = ("Ephemeral", "Persistent")
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in modes:
            found.append(unsupported("spec.volumeLifecycleModes", mode, modes))
    policies = ("File", "None", "ReadWriteOnceWithFSType")
    policy = spec.get("fsGroupPolicy")
    if policy is not None and policy not in policies:
        found.append(unsupported("spec.fsGroupPolicy", policy, policies))
    return found
