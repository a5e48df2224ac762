"""Bind mounts, which a cluster has not: each becomes what it is for, and every decision is reported.

Configuration becomes a ConfigMap, or a Secret where its name says that it holds keys or passwords. Source
code is left out, because the image has it. What belongs to a machine is refused. Data is a volume already.

Source: the Compose Specification, "volumes" of type "bind".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from leeward.base.diagnostics import Severity
from leeward.compose.findings import did_you_mean
from leeward.compose.project import Mount
from leeward.render import naming
from leeward.render.bindkinds import MAX_BYTES, BindKind, classify
from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.renderers.environment import secret_object
from leeward.render.renderers.fileuses import config_data, config_name
from leeward.settings.read import KEY

# private keys, key stores, password files
_SECRET_FILE = re.compile(r"\.(pem|key|p12|pfx|jks|kdbx)$|(^|/)(id_[a-z0-9]+|\.env|\.?htpasswd|\.pgpass)$")
_EXECUTABLE, _READABLE = 0o755, 0o644  # Git keeps no more of a mode, so no more is reproducible
_SAY = "say in x-leeward.binds what it is for"
_WAIVED = "A waiver leaves the mount out."


@dataclass(frozen=True, slots=True)
class _Bind:
    """A bind mount at work."""

    context: ServiceContext
    draft: PodDraft
    index: int
    mount: Mount
    why: str

    @property
    def path(self) -> tuple[str | int, ...]:
        """Where it is written."""
        return ("volumes", self.index)

    @property
    def source(self) -> str:
        """What is mounted."""
        return self.mount.source or "/"


def _keys(paths: Iterable[str]) -> dict[str, str]:
    """Return path → key of a ConfigMap, of which no two are the same."""
    keys: dict[str, str] = {}
    for path in sorted(paths):
        key = naming.data_key(path.replace("/", "__"))
        keys[path] = f"{key[:200]}-{naming.digest(path)}" if key in keys.values() else key
    return keys


def is_secret_file(path: str) -> bool:
    """Tell whether a mounted file should not be shown in a manifest: its name is that of a key."""
    return _SECRET_FILE.search(path) is not None


def _volume(bind: _Bind, content: Mapping[str, bytes], directory: str) -> str:
    """Make a ConfigMap, or a Secret where keys are among it, and a volume of it; returns the volume.

    Args:
        bind: what is mounted.
        content: path → content of the files.
        directory: that the paths start from.
    """
    context, draft, index = bind.context, bind.draft, bind.index
    keys = _keys(content)
    values = {keys[path]: value for path, value in content.items()}
    items = [
        {"key": keys[path], "path": path}
        | ({"mode": _EXECUTABLE} if context.options.files.is_executable(f"{directory}/{path}") else {})
        for path in sorted(content)
    ]
    base, volume = f"{context.plan.name}-files", f"files-{index}"
    if any(map(is_secret_file, content)):
        name, secret = secret_object(context, base, values, "volumes", index)
        draft.add(secret)
        draft.volumes[volume] = {"secret": {"secretName": name, "items": items, "defaultMode": _READABLE}}
        return volume
    data = config_data(values)
    name = config_name(base, data)
    head = context.object("v1", "ConfigMap", name, "volumes", index)
    draft.add({**head, "immutable": True, **data})
    draft.volumes[volume] = {"configMap": {"name": name, "items": items, "defaultMode": _READABLE}}
    return volume


def _copy(bind: _Bind, content: Mapping[str, bytes], what: str, sub_path: str | None = None) -> None:
    directory = posixpath.dirname(bind.source) if sub_path else bind.source
    volume = _volume(bind, content, directory)
    bind.draft.mount(volume, bind.mount.target, sub_path=sub_path, read_only=True)
    bind.context.note(
        bind.path,
        "read-only-copy",
        f"{bind.mount.target} is a read-only copy of the {what} as it is now: {bind.why}.",
        "" if bind.mount.read_only else f"Use a named volume for data that changes, or {_SAY}.",
    )


def _unreadable(bind: _Bind) -> None:
    bind.context.error(
        bind.path,
        "unreadable-file",
        f"{bind.source} is unreadable or larger than {MAX_BYTES} bytes.",
        f"Put it into the image, or {_SAY}.",
    )


def _file(bind: _Bind) -> None:
    content = bind.context.options.files.read(bind.source, MAX_BYTES)
    name = posixpath.basename(bind.source)
    if content is None:
        _unreadable(bind)
    else:
        _copy(bind, {name: content}, "file", name)


def _directory(bind: _Bind) -> None:
    content = bind.context.options.files.tree(bind.source, MAX_BYTES)
    if content is None:
        _unreadable(bind)
    else:
        _copy(bind, content, "directory")


def _host(bind: _Bind) -> None:
    volume = f"host-{bind.index}"
    bind.draft.volumes[volume] = {"hostPath": {"path": bind.source}}
    bind.draft.mount(volume, bind.mount.target, read_only=bind.mount.read_only)
    bind.context.error(
        bind.path,
        "host-access",
        f"It gives the container {bind.source} of whichever node it runs on: {bind.why}.",
        "Do without it, or let somebody accept it in leeward.waivers.yaml.",
    )


def _socket(bind: _Bind) -> None:
    bind.context.error(
        bind.path,
        "engine-socket",
        f"{bind.source} gives away the whole machine, and a cluster has no container engine to talk to.",
        f"Remove the mount; use the Kubernetes API for what the service does with it. {_WAIVED}",
    )


def _system(bind: _Bind) -> None:
    bind.context.error(
        bind.path,
        "system-directory",
        f"{bind.source} is not given to containers: {bind.why}.",
        f"Remove the mount, put what is needed next to the Compose file, or {_SAY}. {_WAIVED}",
    )


def _outside(bind: _Bind) -> None:
    bind.context.error(
        bind.path,
        "host-directory",
        f"A cluster has no {bind.source}: {bind.why}.",
        f"Use a named volume for data, a config for configuration, or {_SAY}. {_WAIVED}",
    )


def _missing(bind: _Bind) -> None:
    required = bind.mount.bind is not None and not bind.mount.bind.create_host_path
    bind.context.report(
        bind.path,
        "missing-file",
        Severity.ERROR if required else Severity.WARNING,
        f"{bind.source} is not mounted: {bind.why}.",
        f"Create it, correct the path, or {_SAY}.",
    )


def _clock(bind: _Bind) -> None:
    bind.context.note(bind.path, "ignored", f"{bind.source} is left out: {bind.why}.", "Set the variable TZ.")


def _ignored(bind: _Bind) -> None:
    bind.context.note(bind.path, "ignored", f"{bind.mount.target} is left out: {bind.why}.")


def _source(bind: _Bind) -> None:
    bind.context.note(
        bind.path,
        "source-mount",
        f"{bind.mount.target} is left out: {bind.why}.",
        f"Build again to see changes, or {_SAY}.",
    )


_WORK: Mapping[BindKind, Callable[[_Bind], None]] = {
    BindKind.ENGINE_SOCKET: _socket,
    BindKind.SYSTEM: _system,
    BindKind.CLOCK: _clock,
    BindKind.OUTSIDE: _outside,
    BindKind.DATA: _outside,  # what is no data for the service that volumes_from names
    BindKind.MISSING: _missing,
    BindKind.CONFIG_FILE: _file,
    BindKind.CONFIG_DIRECTORY: _directory,
    BindKind.SOURCE: _source,
    BindKind.HOST: _host,
    BindKind.IGNORED: _ignored,
}


def _check_choices(context: ServiceContext) -> None:
    """Report settings of mounts that are not there, and of what is no volume."""
    targets = {mount.target for mount in context.plan.mounts}
    for target, choice in context.plan.settings.binds.items():
        path = (KEY, "binds", target)
        if posixpath.normpath(target) not in targets:
            context.error(
                path,
                "unknown-target",
                f"Nothing is mounted at {target}.",
                did_you_mean(target, targets) or "Write the target of a mount.",
            )
        elif choice.kind != "data" and (choice.size or choice.class_):
            context.error(path, "bad-setting", "Only data has a size and a class.", "Remove them.")


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    project, files = context.project.project, context.options.files
    for index, mount in enumerate(context.plan.mounts):
        if mount.type == "bind":
            decision = classify(project, context.service, mount, files)
            _WORK[decision.kind](_Bind(context, draft, index, mount, decision.why))
    _check_choices(context)


DESCRIPTOR = Renderer(name="binds", pod=_pod)
