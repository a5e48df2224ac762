"""Which claim a named volume is, and what the claim asks for.

A claim that is there already is only referred to. A volume whose `driver_opts` name an NFS export is a
PersistentVolume bound to its own claim. Anything else is a new claim, for one writer or for several.

Source: docs.docker.com/reference/cli/docker/volume/create (options of the local driver);
kubernetes.io/docs/concepts/storage/persistent-volumes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from leeward.compose.project import Volume
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.model import ProjectContext

DIRECTORY = "data"  # inside a new claim: a fresh ext4 disk has lost+found, which databases refuse
_NFS_TYPES = frozenset(("nfs", "nfs4"))
_NOT_MOUNT_OPTIONS = frozenset(("", "ro", "rw"))


@dataclass(frozen=True, slots=True)
class NfsExport:
    """What the ``driver_opts`` of a volume say about an NFS export."""

    server: str
    path: str
    read_only: bool
    options: tuple[str, ...]


def nfs_export(volume: Volume) -> NfsExport | None:
    """Return the NFS export that `volume` is; None when it is none, or one without an address."""
    given = volume.driver_opts
    kind = given.get("type", "").lower()
    if kind not in _NFS_TYPES:
        return None
    words = [word.strip() for word in given.get("o", "").split(",")]
    host, colon, path = given.get("device", "").rpartition(":")
    server = next((word.partition("=")[2] for word in words if word.startswith("addr=")), host)
    if not colon or not server or not path.startswith("/"):
        return None
    options = [word for word in words if word not in _NOT_MOUNT_OPTIONS and not word.startswith("addr=")]
    if kind == "nfs4" and not any(word.startswith(("vers=", "nfsvers=")) for word in options):
        options.append("nfsvers=4")
    return NfsExport(server, path, "ro" in words, tuple(options))


def is_existing(context: ProjectContext, volume: Volume) -> bool:
    """Tell whether somebody else makes the claim of `volume`."""
    return volume.external or context.plan.volume_settings[volume.key].claim is not None


def claim_name(context: ProjectContext, key: str) -> str:
    """Return the name of the claim that services share for the volume `key`."""
    volume = context.project.volumes.get(key)
    if volume is not None:
        if (claim := context.plan.volume_settings[key].claim) is not None:
            return claim
        if volume.external:
            return naming.dns_label(volume.name)
    return context.plan.volume_names.get(key, naming.dns_label(key))


def claim_spec(context: ProjectContext, volume: Volume, *, shared: bool) -> dict[str, Any]:
    """Return the specification of a new claim for `volume`."""
    settings = context.plan.volume_settings[volume.key]
    mode = settings.access or ("ReadWriteMany" if shared else "ReadWriteOnce")
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": settings.size}}}
    if settings.class_:
        spec["storageClassName"] = settings.class_
    return spec


def nfs_objects(context: ProjectContext, volume: Volume, export: NfsExport) -> list[Obj]:
    """Return the PersistentVolume for `export` and the claim bound to it; the data is never deleted."""
    name = claim_name(context, volume.key)
    size = context.plan.volume_settings[volume.key].size
    mode = "ReadOnlyMany" if export.read_only else "ReadWriteMany"
    disk = context.object(
        "v1",
        "PersistentVolume",
        naming.join_label(context.namespace, name),
        "volumes",
        volume.key,
    )
    del disk["metadata"]["namespace"]
    spec: dict[str, Any] = {
        "capacity": {"storage": size},
        "accessModes": [mode],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": "",
        "claimRef": {"namespace": context.namespace, "name": name},
        "nfs": {"server": export.server, "path": export.path, "readOnly": export.read_only},
    }
    if export.options:
        spec["mountOptions"] = list(export.options)
    claim = context.object("v1", "PersistentVolumeClaim", name, "volumes", volume.key)
    wanted = {
        "accessModes": [mode],
        "resources": {"requests": {"storage": size}},
        "storageClassName": "",
        "volumeName": disk["metadata"]["name"],
    }
    return [{**disk, "spec": spec}, {**claim, "spec": wanted}]
