"""Bind mounts, which a cluster has not: each is classified, and every decision is reported.

A file, or a small directory, is configuration and becomes a ConfigMap, or a Secret where its name says
that it holds keys or passwords. Source code mounted over the image that was built from it is left out,
because the image has it. The container engine's socket and the machine's own directories are refused.
Anything else becomes an empty directory, with a warning. ``x-leeward.binds`` decides where this is wrong.

Source: the Compose Specification, "volumes" of type "bind".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath

from leeward.base.diagnostics import Severity
from leeward.compose.findings import did_you_mean
from leeward.compose.project import Mount
from leeward.render import naming
from leeward.render.files import FileKind
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.renderers.environment import secret_object
from leeward.render.renderers.fileuses import MAX_BYTES, config_data, config_name
from leeward.settings.read import KEY

_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "dockerd.sock")
_SYSTEM = tuple(
    map(
        PurePosixPath,
        ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys",
         "/usr", "/var/lib/docker", "/var/lib/containers", "/var/lib/kubelet", "/var/log", "/var/run"),
    )
)  # fmt: skip
# private keys, key stores, password files
_SECRET_FILE = re.compile(r"\.(pem|key|p12|pfx|jks|kdbx)$|(^|/)(id_[a-z0-9]+|\.env|\.?htpasswd|\.pgpass)$")
FILE_MODE = 0o755  # scripts run, everyone reads, as a bind mount usually allows
_CLOCK = ("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo")


class BindKind(StrEnum):
    """What a bind mount is for."""

    ENGINE_SOCKET = "engine-socket"
    SYSTEM = "system"
    CLOCK = "clock"
    CONFIG_FILE = "config-file"
    CONFIG_DIRECTORY = "config-directory"
    SOURCE = "source"
    DATA = "data"
    HOST = "host"
    IGNORED = "ignored"


_CHOICES = {"source": BindKind.SOURCE, "host": BindKind.HOST, "ignore": BindKind.IGNORED}


def _within(path: PurePosixPath, parent: PurePosixPath) -> bool:
    return path == parent or parent in path.parents


def _is_source(context: ServiceContext, source: PurePosixPath, target: str) -> bool:
    """Tell whether `source` is (part of) what the service's own image is built from."""
    build = context.service.build
    if build is None or "://" in build.context:
        return False
    root = PurePosixPath(build.context)
    if target.startswith(("/etc/", "/docker-entrypoint", "/config", "/var/lib/")):
        return False
    return _within(source, root) or _within(root, source)


def _belongs_to_machine(source: PurePosixPath, project: PurePosixPath) -> bool:
    return any(_within(source, system) for system in _SYSTEM) and not _within(source, project)


def chosen(context: ServiceContext, mount: Mount) -> str:
    """Return what ``x-leeward.binds`` says of `mount`; "" when it says nothing."""
    binds = context.plan.settings.binds
    return next((kind for target, kind in binds.items() if posixpath.normpath(target) == mount.target), "")


def classify(context: ServiceContext, mount: Mount) -> BindKind:
    """Tell what `mount`, of type "bind", is for."""
    text = mount.source or "/"
    source = PurePosixPath(posixpath.normpath(text))
    choice = chosen(context, mount)
    if choice in _CHOICES:
        return _CHOICES[choice]
    if source.name in _SOCKETS:
        return BindKind.ENGINE_SOCKET
    if text in _CLOCK:
        return BindKind.CLOCK
    project = PurePosixPath(context.project.project.working_dir)
    if str(source) == "/" or _belongs_to_machine(source, project):
        return BindKind.SYSTEM
    kind = context.options.files.kind(text)
    if choice == "config" and kind is FileKind.DIRECTORY:
        return BindKind.CONFIG_DIRECTORY
    if kind is FileKind.FILE:
        return BindKind.CONFIG_FILE
    if kind is FileKind.OTHER:
        return BindKind.SYSTEM
    if kind is FileKind.DIRECTORY and _is_source(context, source, mount.target):
        return BindKind.SOURCE
    if kind is FileKind.DIRECTORY and _within(source, project.parent) and source != project.parent:
        return BindKind.CONFIG_DIRECTORY
    return BindKind.DATA


def _volume(context: ServiceContext, draft: PodDraft, index: int, content: Mapping[str, bytes]) -> str:
    """Make a ConfigMap, or a Secret where keys are among it, and a volume of it; returns the volume."""
    keys = {path: naming.data_key(path.replace("/", "__")) for path in content}
    values = {keys[path]: value for path, value in content.items()}
    items = [{"key": keys[path], "path": path} for path in sorted(content)]
    base, volume = f"{context.plan.name}-files", f"files-{index}"
    if any(_SECRET_FILE.search(path) for path in content):
        name, secret = secret_object(context, base, values, "volumes", index)
        draft.objects.extend([secret] if secret else [])
        draft.volumes[volume] = {"secret": {"secretName": name, "items": items, "defaultMode": FILE_MODE}}
        return volume
    data = config_data(values)
    name = config_name(base, data)
    head = context.object("v1", "ConfigMap", name, "volumes", index)
    draft.objects.append({**head, "immutable": True, **data})
    draft.volumes[volume] = {"configMap": {"name": name, "items": items, "defaultMode": FILE_MODE}}
    return volume


def _file(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    source = mount.source or "/"
    content = context.options.files.read(source, MAX_BYTES)
    if content is None:
        context.report(
            ("volumes", index),
            "unreadable-file",
            Severity.ERROR,
            f"{source} is unreadable or larger than {MAX_BYTES} bytes.",
            "Put it into the image.",
        )
        return
    name = posixpath.basename(source)
    volume = _volume(context, draft, index, {name: content})
    draft.mount(volume, mount.target, sub_path=name, read_only=True)
    _copied(context, index, mount, "file")


def _directory(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> bool:
    content = context.options.files.tree(mount.source or "/", MAX_BYTES)
    if not content:
        return False
    volume = _volume(context, draft, index, content)
    draft.mount(volume, mount.target, read_only=True)
    _copied(context, index, mount, "directory")
    return True


def _copied(context: ServiceContext, index: int, mount: Mount, what: str) -> None:
    context.note(
        ("volumes", index),
        "read-only-copy",
        f"{mount.target} is a read-only copy of the {what} as it is now.",
        "" if mount.read_only else "Use a named volume for data that changes.",
    )


def _host(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    volume = f"host-{index}"
    draft.volumes[volume] = {"hostPath": {"path": mount.source or "/"}}
    draft.mount(volume, mount.target, read_only=mount.read_only)
    context.error(
        ("volumes", index),
        "host-access",
        f"It gives the container {mount.source} of whichever node it runs on.",
        "Do without it, or let somebody accept it in leeward.waivers.yaml.",
    )


def _empty(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    volume = f"empty-{index}"
    draft.volumes[volume] = {"emptyDir": {}}
    draft.mount(volume, mount.target, read_only=mount.read_only)
    context.warn(
        ("volumes", index),
        "host-directory",
        f"{mount.target} starts empty and is lost with its Pod: a cluster has no {mount.source}.",
        'Use a named volume for data, a config for configuration, or say "data" in x-leeward.binds.',
    )


def render_bind(context: ServiceContext, draft: PodDraft, index: int, mount: Mount) -> None:
    """Turn the bind mount at ``volumes[index]`` into what it is for."""
    kind = classify(context, mount)
    path = ("volumes", index)
    if kind is BindKind.ENGINE_SOCKET:
        context.report(
            path,
            "engine-socket",
            Severity.ERROR,
            f"{mount.source} gives away the whole machine, and a cluster has no container engine to talk to.",
            "Remove the mount; use the Kubernetes API for what the service does with it.",
        )
    elif kind is BindKind.SYSTEM:
        context.report(
            path,
            "system-directory",
            Severity.ERROR,
            f"{mount.source} belongs to the machine and is not given to containers.",
            "Remove the mount, put what is needed next to the Compose file, or use a named volume.",
        )
    elif kind is BindKind.CLOCK:
        context.note(path, "ignored", f"{mount.source} is left out: nodes keep UTC.", "Set the variable TZ.")
    elif kind is BindKind.HOST:
        _host(context, draft, index, mount)
    elif kind is BindKind.IGNORED:
        context.note(path, "ignored", f"{mount.target} is left out, as x-leeward.binds says.")
    elif kind is BindKind.SOURCE:
        context.note(
            path,
            "source-mount",
            f"{mount.target} is left out: the image has the source code it was built from.",
            "Build again to see changes.",
        )
    elif kind is BindKind.CONFIG_FILE:
        _file(context, draft, index, mount)
    elif kind is BindKind.DATA or not _directory(context, draft, index, mount):
        _empty(context, draft, index, mount)


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    for index, mount in enumerate(context.plan.mounts):
        if mount.type == "bind":
            render_bind(context, draft, index, mount)
    targets = {mount.target for mount in context.plan.mounts}
    for target in context.plan.settings.binds:
        if posixpath.normpath(target) not in targets:
            context.error(
                (KEY, "binds", target),
                "unknown-target",
                f"Nothing is mounted at {target}.",
                did_you_mean(target, targets) or "Write the target of a mount.",
            )


DESCRIPTOR = Renderer(name="binds", pod=_pod)
