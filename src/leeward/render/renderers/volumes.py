"""Volumes: named ones are claims, the rest lives and dies with the Pod.

A volume that one StatefulSet service mounts is a claim template, one claim a replica; any other named
volume is one claim that its services share. A claim on a zonal disk keeps its Pod in one zone, and
that is said.

Source: the Compose Specification, "volumes" and "tmpfs"; kubernetes.io/docs/concepts/storage.
"""

from __future__ import annotations

import re
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.compose.project import Mount, Volume
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.plan import Kind
from leeward.render.quantity import memory

_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def claim_name(context: ProjectContext, key: str) -> str:
    """Return the name of the claim that services share for the volume `key`."""
    volume = context.project.volumes.get(key)
    if volume is not None and volume.external:
        return naming.dns_label(volume.name)
    return context.plan.volume_names.get(key, naming.dns_label(key))


def _claim_spec(context: ProjectContext, volume: Volume, mode: str) -> dict[str, Any]:
    settings = context.plan.volume_settings[volume.key]
    spec: dict[str, Any] = {"accessModes": [mode], "resources": {"requests": {"storage": settings.size}}}
    if settings.class_:
        spec["storageClassName"] = settings.class_
    return spec


def is_template(context: ServiceContext, key: str) -> bool:
    """Tell whether the volume `key` is a claim template of the StatefulSet that this service runs in."""
    volume = context.project.project.volumes.get(key)
    owner = context.project.plan.owner(context.plan)
    alone = context.project.plan.volume_users.get(key) == (owner.service.name,)
    return owner.kind is Kind.STATEFUL_SET and alone and volume is not None and not volume.external


def _named(context: ServiceContext, draft: PodDraft, index: int, mount: Mount, key: str) -> None:
    name = naming.dns_label(key)
    sub_path = mount.subpath
    if is_template(context, key):
        project = context.project
        if not any(claim["metadata"]["name"] == name for claim in draft.claims):
            spec = _claim_spec(project, project.project.volumes[key], "ReadWriteOnce")
            meta = {"name": name, "labels": {**context.selector, **project.labels()}}
            draft.claims.append({"metadata": meta, "spec": spec})
            if context.plan.replicas == 1:
                context.note(
                    ("volumes", index),
                    "pinned-to-a-zone",
                    f"The volume {key!r} keeps the only Pod in its disk's zone.",
                    "Replicate the data, or use a storage class that spans zones.",
                )
        # a fresh ext4 disk has lost+found, which databases refuse; a directory inside is empty
        sub_path = sub_path or (None if context.options.on_embedded else "data")
        draft.mount(name, mount.target, sub_path=sub_path, read_only=mount.read_only)
        return
    volume = f"volume-{name}"[: naming.MAX_LABEL].rstrip("-")
    draft.volumes[volume] = {"persistentVolumeClaim": {"claimName": claim_name(context.project, key)}}
    draft.mount(volume, mount.target, sub_path=sub_path, read_only=mount.read_only)


def _memory_volume(
    draft: PodDraft, name: str, target: str, size: int | None, *, read_only: bool = False
) -> None:
    spec: dict[str, Any] = {"medium": "Memory"}
    if size:
        spec["sizeLimit"] = memory(size)
    draft.volumes[name] = {"emptyDir": spec}
    draft.mount(name, target, read_only=read_only)


def _tmpfs_size(options: str) -> int | None:
    for option in options.split(","):
        key, _, value = option.partition("=")
        if key == "size" and (match := _SIZE.fullmatch(value)):
            return int(match[1]) * _FACTOR[match[2].lower()]
    return None


def _image_volume(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    draft.volumes[f"image-{index}"] = {"image": {"reference": mount.source, "pullPolicy": "IfNotPresent"}}
    draft.mount(f"image-{index}", mount.target, sub_path=mount.subpath, read_only=True)
    context.note(("volumes", index), "approximated", "Image volumes need Kubernetes 1.33 or newer.")


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    for index, mount in enumerate(context.plan.mounts):
        if mount.type == "volume" and mount.source:
            _named(context, draft, index, mount, mount.source)
        elif mount.type == "volume":
            draft.volumes[f"anonymous-{index}"] = {"emptyDir": {}}
            draft.mount(f"anonymous-{index}", mount.target, read_only=mount.read_only)
        elif mount.type == "tmpfs":
            size = mount.tmpfs.size if mount.tmpfs else None
            _memory_volume(draft, f"tmpfs-{index}", mount.target, size)
        elif mount.type == "image" and mount.source:
            _image_volume(context, draft, index, mount)
        elif mount.type != "bind":
            context.warn(
                ("volumes", index),
                "ignored",
                f"Mounts of type {mount.type!r} have no counterpart and are left out.",
            )
    for index, entry in enumerate(context.service.tmpfs):
        target, _, options = entry.partition(":")
        _memory_volume(draft, f"tmp-{index}", target, _tmpfs_size(options))
    if context.service.shm_size:
        _memory_volume(draft, "shm", "/dev/shm", context.service.shm_size)


def _project(context: ProjectContext) -> list[Obj]:
    """Return the claims that are nobody's template."""
    made: list[Obj] = []
    for key, users in sorted(context.plan.volume_users.items()):
        volume = context.project.volumes.get(key)
        if volume is None:
            continue
        if not volume.external:
            context.report(
                ("volumes", key),
                "starts-empty",
                Severity.NOTE,
                "A new volume starts empty; Docker would first copy what the image has at that place.",
            )
        plans = [context.plan.services[user] for user in users]
        if volume.external or (len(plans) == 1 and plans[0].kind is Kind.STATEFUL_SET):
            continue
        shared = len(plans) > 1 or plans[0].kind is Kind.DAEMON_SET or plans[0].replicas > 1
        claim = context.object("v1", "PersistentVolumeClaim", claim_name(context, key), "volumes", key)
        made.append(
            {**claim, "spec": _claim_spec(context, volume, "ReadWriteMany" if shared else "ReadWriteOnce")}
        )
    return made


DESCRIPTOR = Renderer(name="volumes", pod=_pod, project=_project)
