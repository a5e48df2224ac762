"""Volumes: named ones are claims, the rest lives and dies with the Pod.

A volume that one StatefulSet service mounts is a claim template, one claim a replica; any other named
volume is one claim that its services share. A claim on a zonal disk keeps its Pod in one zone, and
that is said once a volume.

Source: the Compose Specification, "volumes"; kubernetes.io/docs/concepts/storage.
"""

from __future__ import annotations

import posixpath

from leeward.base.diagnostics import Severity
from leeward.compose.project import Mount, Volume
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.claims import DIRECTORY, claim_name, claim_spec, is_existing, nfs_export, nfs_objects
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.plan import Kind, ServicePlan


def _made_by_template(context: ProjectContext, volume: Volume) -> ServicePlan | None:
    """Return the StatefulSet service whose claim template `volume` is, if it is one."""
    users = context.plan.volume_users.get(volume.key, ())
    if len(users) != 1 or is_existing(context, volume) or nfs_export(volume) is not None:
        return None
    plan = context.plan.services[users[0]]
    return plan if plan.kind is Kind.STATEFUL_SET else None


def is_template(context: ServiceContext, key: str) -> bool:
    """Tell whether the volume `key` is a claim template of the StatefulSet that this service runs in."""
    volume = context.project.project.volumes.get(key)
    owner = context.project.plan.owner(context.plan)
    return volume is not None and _made_by_template(context.project, volume) is owner


def _sub_path(context: ServiceContext, mount: Mount, volume: Volume | None) -> str | None:
    """Return the directory of the claim that is mounted: in a new claim, never the root of the disk."""
    new = volume is not None and not is_existing(context.project, volume) and nfs_export(volume) is None
    if not new or context.options.on_embedded:
        return mount.subpath
    return posixpath.join(DIRECTORY, mount.subpath or "").rstrip("/")


def _named(context: ServiceContext, draft: PodDraft, mount: Mount, key: str) -> None:
    project, name = context.project, naming.dns_label(key)
    volume = project.project.volumes.get(key)
    if volume is not None and is_template(context, key):
        if not any(claim["metadata"]["name"] == name for claim in draft.claims):
            meta = {"name": name, "labels": {**context.selector, **project.labels()}}
            draft.claims.append({"metadata": meta, "spec": claim_spec(project, volume, shared=False)})
    else:
        name = naming.join_label("volume", name)
        draft.volumes[name] = {"persistentVolumeClaim": {"claimName": claim_name(project, key)}}
    draft.mount(name, mount.target, sub_path=_sub_path(context, mount, volume), read_only=mount.read_only)


def _image(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    name = f"image-{index}"
    if context.options.on_embedded:
        draft.volumes[name] = {"emptyDir": {}}
        draft.mount(name, mount.target, read_only=True)
        context.warn(
            ("volumes", index),
            "image-volume",
            f"{mount.target} starts empty: the embedded cluster cannot mount the image {mount.source}.",
            "Copy the files into the service's own image.",
        )
        return
    draft.volumes[name] = {"image": {"reference": mount.source, "pullPolicy": "IfNotPresent"}}
    draft.mount(name, mount.target, sub_path=mount.subpath, read_only=True)
    context.note(
        ("volumes", index),
        "approximated",
        "Image volumes need Kubernetes 1.35, or 1.33 with the feature gate ImageVolume.",
        "On older clusters copy the files into the service's own image.",
    )


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    for index, mount in enumerate(context.plan.mounts):
        if mount.type == "volume" and mount.source:
            _named(context, draft, mount, mount.source)
        elif mount.type == "volume":
            draft.volumes[f"anonymous-{index}"] = {"emptyDir": {}}
            draft.mount(f"anonymous-{index}", mount.target, read_only=mount.read_only)
        elif mount.type == "image" and mount.source:
            _image(context, draft, index, mount)
        elif mount.type not in ("bind", "tmpfs"):
            context.error(
                ("volumes", index),
                "mount-refused",
                f"Mounts of type {mount.type!r} have no counterpart on Kubernetes.",
                "Use a named volume.",
            )


def _shared(plans: list[ServicePlan]) -> bool:
    return len(plans) > 1 or plans[0].kind is Kind.DAEMON_SET or plans[0].replicas > 1


def _report_access(context: ProjectContext, volume: Volume, mode: str, *, pinned: bool) -> None:
    path, settings = ("volumes", volume.key), context.plan.volume_settings[volume.key]
    if mode == "ReadWriteMany" and settings.class_ is None and not context.options.on_embedded:
        context.report(
            path,
            "shared-volume",
            Severity.WARNING,
            f"Several Pods write to the volume {volume.key!r}, which disks such as EBS cannot.",
            "Name a storage class that can, such as one of EFS: x-leeward: {class: NAME}.",
        )
    elif mode != "ReadWriteMany" and pinned:
        context.report(
            path,
            "pinned-to-a-zone",
            Severity.NOTE,
            f"The volume {volume.key!r} keeps the only Pod in its disk's zone.",
            "Replicate the data, or use a storage class that spans zones.",
        )


def _report_existing(context: ProjectContext, volume: Volume | None) -> None:
    """Say that an external volume cannot be called what it is called in Docker."""
    if volume is not None and volume.external and claim_name(context, volume.key) != volume.name:
        name = claim_name(context, volume.key)
        if context.plan.volume_settings[volume.key].claim is None:
            context.report(
                ("volumes", volume.key),
                "renamed",
                Severity.WARNING,
                f"It is the claim {name!r}: no claim can be called {volume.name!r}.",
                "Name the claim that is meant: x-leeward: {claim: NAME}.",
            )


def _report_new(context: ProjectContext, volume: Volume, plans: list[ServicePlan]) -> None:
    """Say what is otherwise than with Docker about a volume that is made."""
    path = ("volumes", volume.key)
    mounts = [mount for plan in plans for mount in plan.mounts if mount.source == volume.key]
    if not all(mount.volume is not None and mount.volume.nocopy for mount in mounts):
        context.report(
            path,
            "starts-empty",
            Severity.NOTE,
            "A new volume starts empty; Docker would first copy what the image has at that place.",
        )
    if volume.driver_opts.get("type", "").lower().startswith("nfs"):
        message = (
            "The embedded cluster mounts no NFS: an empty directory of its own stands for the export."
            if nfs_export(volume) is not None
            else "The NFS export needs an address (o: addr=…) and a path (device: :/…)."
        )
        context.report((*path, "driver_opts"), "nfs-volume", Severity.WARNING, message)


def _project(context: ProjectContext) -> list[Obj]:
    """Return the claims that are nobody's template."""
    made: list[Obj] = []
    for key, users in sorted(context.plan.volume_users.items()):
        volume = context.project.volumes.get(key)
        if volume is None or is_existing(context, volume):
            _report_existing(context, volume)
            continue
        export = nfs_export(volume)
        if export is not None and not context.options.on_embedded:
            made += nfs_objects(context, volume, export)
            continue
        plans = [context.plan.services[user] for user in users]
        _report_new(context, volume, plans)
        template = _made_by_template(context, volume)
        spec = claim_spec(context, volume, shared=template is None and _shared(plans))
        pinned = len(plans) == 1 and plans[0].replicas == 1 and plans[0].kind is not Kind.DAEMON_SET
        _report_access(context, volume, spec["accessModes"][0], pinned=pinned)
        if template is None:
            claim = context.object("v1", "PersistentVolumeClaim", claim_name(context, key), "volumes", key)
            made.append({**claim, "spec": spec})
    return made


DESCRIPTOR = Renderer(name="volumes", pod=_pod, project=_project)
