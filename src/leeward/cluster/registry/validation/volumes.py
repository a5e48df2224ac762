"""Volumes of a Pod: every source, one function each where it has rules.

Source: pkg/apis/core/validation/validation.go ValidateVolumes, validateVolumeSource (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from leeward.cluster.registry.failures import (
    Failure,
    duplicate,
    forbidden,
    invalid,
    required,
    too_long,
    unsupported,
)
from leeward.cluster.registry.validation.claims import claim_spec_failures
from leeward.cluster.registry.validation.environment import (
    OF_VOLUMES,
    field_ref_failures,
    resource_ref_failures,
)
from leeward.cluster.registry.validation.formats import between, dns_label, dns_subdomain, each_failure
from leeward.cluster.registry.validation.paths import backstep_failures, descending_failures, file_failures
from leeward.cluster.registry.validation.resources import amount
from leeward.kube.objects import Obj

_MODE = "must be a number between 0 and 0777 (octal), both inclusive"
_HOST_PATHS = (
    "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket",
)  # fmt: skip
_MEDIA = ("", "HugePages", "Memory")
_MANY = "may not specify more than 1 volume type"
_TWICE = "conflicting duplicate paths"


def volume_failures(volumes: Sequence[Obj], field: str, pod_name: str = "") -> list[Failure]:
    """Check ``spec.volumes`` of a Pod.

    Args:
        volumes: the list.
        field: its path.
        pod_name: of the Pod, where there is one: it names claims of ephemeral volumes.
    """
    found: list[Failure] = []
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        place = f"{field}[{index}]"
        name = volume.get("name") or ""
        wrong = _source(volume, name, place, pod_name)
        if not name:
            wrong.append(required(f"{place}.name"))
        else:
            wrong += each_failure(dns_label, name, f"{place}.name")
        if name in names:
            wrong.append(duplicate(f"{place}.name", name))
        if not wrong:
            names.add(name)
        found += wrong
    return found


def _source(volume: Obj, name: str, place: str, pod_name: str) -> list[Failure]:
    found: list[Failure] = []
    first = True
    for kind, check in SOURCES.items():
        source = volume.get(kind)
        if source is None:
            continue
        if not first:
            found.append(forbidden(f"{place}.{_PATHS.get(kind, kind)}", _MANY))
            continue
        first = False
        found += check(source, f"{place}.{kind}")
        if kind == "ephemeral" and pod_name and name:
            claim = f"{pod_name}-{name}"
            text = f'PVC name "{claim}": '
            found += [invalid(f"{place}.name", name, text + why) for why in dns_subdomain(claim)]
    return [required(place, "must specify a volume type")] if first else found


_PATHS = {"cephfs": "cephFS", "downwardAPI": "downwarAPI"}  # upstream's own, in this message


def _needs(*names: str) -> Callable[[Obj, str], list[Failure]]:
    """Return a check that only wants some fields."""

    def check(source: Obj, field: str) -> list[Failure]:
        return [required(f"{field}.{name}") for name in names if not source.get(name)]

    return check


def _host_path(source: Obj, field: str) -> list[Failure]:
    path, kind = source.get("path") or "", source.get("type")
    if not path:
        return [required(f"{field}.path")]
    found = backstep_failures(path, f"{field}.path")
    if kind is not None and kind not in _HOST_PATHS:
        found.append(unsupported(f"{field}.type", kind, _HOST_PATHS))
    return found


def _empty_dir(source: Obj, field: str) -> list[Failure]:
    limit, medium = source.get("sizeLimit"), source.get("medium") or ""
    found: list[Failure] = []
    if medium not in _MEDIA and not medium.startswith("HugePages-"):
        found.append(unsupported(f"{field}.medium", medium, _MEDIA))
    size = amount(limit) if limit is not None else None
    if size is not None and size < 0:
        found.append(forbidden(f"{field}.sizeLimit", "SizeLimit field must be a valid resource quantity"))
    return found


def _mode(source: Obj, field: str, name: str = "defaultMode") -> list[Failure]:
    mode = source.get(name)
    return [] if mode is None or 0 <= mode <= 0o777 else [invalid(f"{field}.{name}", mode, _MODE)]


def _items(source: Obj, field: str) -> list[Failure]:
    found: list[Failure] = []
    for index, item in enumerate(source.get("items") or ()):
        place = f"{field}.items[{index}]"
        found += [required(f"{place}.{name}") for name in ("key", "path") if not item.get(name)]
        found += file_failures(item.get("path") or "", f"{place}.path")
        found += _mode(item, place, "mode")
    return found


def _secret(source: Obj, field: str) -> list[Failure]:
    found = [] if source.get("secretName") else [required(f"{field}.secretName")]
    return found + _mode(source, field) + _items(source, field)


def _config_map(source: Obj, field: str) -> list[Failure]:
    found = [] if source.get("name") else [required(f"{field}.name")]
    return found + _mode(source, field) + _items(source, field)


def _nfs(source: Obj, field: str) -> list[Failure]:
    found = [required(f"{field}.{name}") for name in ("server", "path") if not source.get(name)]
    path = source.get("path") or ""
    if not path.startswith("/"):
        found.append(invalid(f"{field}.path", path, "must be an absolute path"))
    return found


def _disk(name: str) -> Callable[[Obj, str], list[Failure]]:
    """Return a check of a disk that may have partitions."""

    def check(source: Obj, field: str) -> list[Failure]:
        found = [] if source.get(name) else [required(f"{field}.{name}")]
        partition = source.get("partition") or 0
        if not 0 <= partition <= 255:
            found.append(invalid(f"{field}.partition", partition, between(0, 255)))
        return found

    return check


def _git(source: Obj, field: str) -> list[Failure]:
    found = [] if source.get("repository") else [required(f"{field}.repository")]
    return found + descending_failures(source.get("directory") or "", f"{field}.directory")


def _iscsi(source: Obj, field: str) -> list[Failure]:
    found = [] if source.get("targetPortal") else [required(f"{field}.targetPortal")]
    name, lun = source.get("iqn") or "", source.get("lun") or 0
    if not name:
        found.append(required(f"{field}.iqn"))
    elif not name.startswith(("iqn", "eui", "naa")):
        text = "must be valid format starting with iqn, eui, or naa"
        found.append(invalid(f"{field}.iqn", name, text))
    if not 0 <= lun <= 255:
        found.append(invalid(f"{field}.lun", lun, between(0, 255)))
    if (source.get("chapAuthDiscovery") or source.get("chapAuthSession")) and not source.get("secretRef"):
        found.append(required(f"{field}.secretRef"))
    return found


def _fc(source: Obj, field: str) -> list[Failure]:
    names, ids, lun = source.get("targetWWNs"), source.get("wwids"), source.get("lun")
    found: list[Failure] = []
    if not names and not ids:
        text = "must specify either targetWWNs or wwids, but not both"
        found.append(required(f"{field}.targetWWNs", text))
    if names and ids:
        text = "targetWWNs and wwids can not be specified simultaneously"
        found.append(invalid(f"{field}.targetWWNs", names, text))
    if names:
        if lun is None:
            found.append(required(f"{field}.lun", "lun is required if targetWWNs is specified"))
        elif not 0 <= lun <= 255:
            found.append(invalid(f"{field}.lun", lun, between(0, 255)))
    return found


def _downward(source: Obj, field: str) -> list[Failure]:
    found = _mode(source, field)
    for item in source.get("items") or ():
        found += _downward_file(item, field)
    return found


def _downward_file(item: Obj, field: str) -> list[Failure]:
    path, of_field, of_resource = item.get("path") or "", item.get("fieldRef"), item.get("resourceFieldRef")
    found = [] if path else [required(f"{field}.path")]
    found += file_failures(path, f"{field}.path")
    if of_field is not None:
        found += field_ref_failures(of_field, OF_VOLUMES, f"{field}.fieldRef")
        if of_resource is not None:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            found.append(invalid(field, "resource", text))
    elif of_resource is not None:
        found += resource_ref_failures(of_resource, f"{field}.resourceFieldRef", of_volume=True)
    else:
        found.append(required(field, "one of fieldRef and resourceFieldRef is required"))
    return found + _mode(item, field, "mode")


def _projected(source: Obj, field: str) -> list[Failure]:
    found = _mode(source, field)
    paths: set[str] = set()
    for index, each in enumerate(source.get("sources") or ()):
        place = f"{field}.sources[{index}]"
        kinds = [kind for kind in _PROJECTIONS if each.get(kind) is not None]
        for kind in kinds:
            found += _PROJECTIONS[kind](each[kind], f"{place}.{kind}", field)
            for path in _paths_of(kind, each[kind]):
                if path in paths:
                    value = each[kind].get("name") or path if kind in ("secret", "configMap") else path
                    found.append(invalid(field, value, _TWICE))
                paths.add(path)
        if len(kinds) > 1:
            found.append(forbidden(place, "may not specify more than 1 volume type per source"))
    return found


def _paths_of(kind: str, source: Obj) -> list[str]:
    if kind == "clusterTrustBundle":
        return [source.get("path") or ""]
    return [item["path"] for item in source.get("items") or () if item.get("path")]


def _named(source: Obj, place: str, field: str) -> list[Failure]:
    found = [] if source.get("name") else [required(f"{place}.name")]
    return found + _items(source, place)


def _projected_downward(source: Obj, place: str, field: str) -> list[Failure]:
    found: list[Failure] = []
    for item in source.get("items") or ():
        found += _downward_file(item, place)
    return found


def _token(source: Obj, place: str, field: str) -> list[Failure]:
    seconds, path = source.get("expirationSeconds") or 0, source.get("path") or ""
    found: list[Failure] = []
    if seconds < 600:
        text = "may not specify a duration less than 10 minutes"
        found.append(invalid(f"{place}.expirationSeconds", seconds, text))
    if seconds > 1 << 32:
        text = "may not specify a duration larger than 2^32 seconds"
        found.append(invalid(f"{place}.expirationSeconds", seconds, text))
    if not path:
        return [*found, required(f"{field}.path")]
    return found + file_failures(path, f"{field}.path")


def _trust_bundle(source: Obj, place: str, field: str) -> list[Failure]:
    name, signer, path = source.get("name"), source.get("signerName"), source.get("path") or ""
    found: list[Failure] = []
    if name is not None and signer is not None:
        found.append(invalid(place, source, "only one of name and signerName may be used"))
    elif name == "":
        found.append(required(f"{place}.name", "must be a valid object name"))
    elif signer == "":
        found.append(required(f"{place}.signerName", "must be a valid signer name"))
    elif name is None and signer is None:
        found.append(required(place, "either name or signerName must be specified"))
    if not path:
        found.append(required(f"{place}.path"))
    return found + file_failures(path, f"{place}.path")


def _certificate(source: Obj, place: str, field: str) -> list[Failure]:
    found = [required(f"{place}.{name}") for name in ("signerName", "keyType") if not source.get(name)]
    names = ("credentialBundlePath", "keyPath", "certificateChainPath")
    if not any(source.get(name) for name in names):
        text = f"specify at least one of {', '.join(names)}"
        found.append(required(place, text))
    return found


_PROJECTIONS: Mapping[str, Callable[[Obj, str, str], list[Failure]]] = {
    "secret": _named,
    "configMap": _named,
    "downwardAPI": _projected_downward,
    "serviceAccountToken": _token,
    "clusterTrustBundle": _trust_bundle,
    "podCertificate": _certificate,
}


def driver_failures(name: str, field: str) -> list[Failure]:
    """Check a name of a CSI driver."""
    found = [] if name else [required(field)]
    if len(name) > 63:
        found.append(too_long(field, 63))
    return found + [invalid(field, name, text) for text in dns_subdomain(name.lower())]


def _csi(source: Obj, field: str) -> list[Failure]:
    name = source.get("driver") or ""
    found = [required(f"{field}.driver")] if not name else driver_failures(name, f"{field}.driver")
    ref = source.get("nodePublishSecretRef")
    if ref is not None and not ref.get("name"):
        found.append(required(f"{field}.nodePublishSecretRef.name"))
    return found


def _ephemeral(source: Obj, field: str) -> list[Failure]:
    template = source.get("volumeClaimTemplate")
    if template is None:
        return [required(f"{field}.volumeClaimTemplate")]
    return claim_spec_failures(template.get("spec") or {}, f"{field}.volumeClaimTemplate.spec")


def _image(source: Obj, field: str) -> list[Failure]:
    policy = source.get("pullPolicy")
    found = [] if source.get("reference") else [required(f"{field}.reference")]
    supported = ("Always", "IfNotPresent", "Never")
    if policy not in supported:
        place = f"{field}.pullPolicy"
        found.append(unsupported(place, policy, supported) if policy else required(place))
    return found


def _flex(source: Obj, field: str) -> list[Failure]:
    found = [] if source.get("driver") else [required(f"{field}.driver")]
    for key in source.get("options") or {}:
        space = "." + key.partition("/")[0].lower()
        if space.endswith((".kubernetes.io", ".k8s.io")):
            text = "kubernetes.io and k8s.io namespaces are reserved"
            found.append(invalid(f"{field}.options[{key}]", key, text))
    return found


def _azure_disk(source: Obj, field: str) -> list[Failure]:
    found = [required(f"{field}.{name}") for name in ("diskName", "diskURI") if not source.get(name)]
    for name, supported in (
        ("cachingMode", ("None", "ReadOnly", "ReadWrite")),
        ("kind", ("Dedicated", "Managed", "Shared")),
    ):
        value = source.get(name)
        if value is not None and value not in supported:
            found.append(unsupported(f"{field}.{name}", value, supported))
    return found


SOURCES: Mapping[str, Callable[[Any, str], list[Failure]]] = {
    "emptyDir": _empty_dir,
    "hostPath": _host_path,
    "gitRepo": _git,
    "gcePersistentDisk": _disk("pdName"),
    "awsElasticBlockStore": _disk("volumeID"),
    "secret": _secret,
    "nfs": _nfs,
    "iscsi": _iscsi,
    "glusterfs": _needs("endpoints", "path"),
    "flocker": lambda source, field: [],
    "persistentVolumeClaim": _needs("claimName"),
    "rbd": _needs("monitors", "image"),
    "cinder": _needs("volumeID"),
    "cephfs": _needs("monitors"),
    "quobyte": _needs("registry", "volume"),
    "downwardAPI": _downward,
    "fc": _fc,
    "flexVolume": _flex,
    "configMap": _config_map,
    "azureFile": _needs("secretName", "shareName"),
    "vsphereVolume": _needs("volumePath"),
    "photonPersistentDisk": _needs("pdID"),
    "portworxVolume": _needs("volumeID"),
    "azureDisk": _azure_disk,
    "storageos": _needs("volumeName"),
    "projected": _projected,
    "scaleIO": _needs("gateway", "system", "volumeName"),
    "csi": _csi,
    "ephemeral": _ephemeral,
    "image": _image,
}
