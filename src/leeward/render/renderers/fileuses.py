"""Configs and secrets of the Compose file: immutable, named after their content, at their targets.

Secrets whose target is under ``/run/secrets`` share one projected volume; every other file is mounted
by itself, so that it hides nothing else in its directory.

Source: the Compose Specification, "configs" and "secrets".
"""

from __future__ import annotations

import base64
import json
import posixpath
from collections.abc import Mapping
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.compose.project import Config, FileUse, Secret
from leeward.kube.objects import Obj
from leeward.render import naming
from leeward.render.model import PodDraft, ProjectContext, Renderer, ServiceContext
from leeward.render.renderers.users import OWNED_ONCE

MAX_BYTES = 1_000_000  # Kubernetes takes 1 MiB with names and encoding
SECRETS_DIRECTORY = "/run/secrets"
KEY = "content"
_OTHERS_READ = 0o004


def config_data(content: Mapping[str, bytes]) -> Obj:
    """Return the ``data`` and ``binaryData`` of a ConfigMap."""
    data: dict[str, str] = {}
    binary: dict[str, str] = {}
    for key, value in sorted(content.items()):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            binary[key] = base64.b64encode(value).decode()
        else:
            data[key] = text
    return {**({"data": data} if data else {}), **({"binaryData": binary} if binary else {})}


def config_name(base: str, data: Obj) -> str:
    """Return the name of a ConfigMap with that data."""
    return naming.hashed_name(base, json.dumps(data, sort_keys=True))


def content_of(context: ProjectContext, section: str, source: Config | Secret) -> bytes | None:
    """Return the bytes of a config or secret; None, reported, when they cannot be had."""
    path = (section, source.key)
    if source.content is not None:
        return source.content.encode()
    if source.environment:
        context.report(
            (*path, "environment"),
            "unset-variable",
            Severity.ERROR,
            f"The variable {source.environment} is not set.",
            f"Set {source.environment} or use a file.",
        )
        return None
    content = context.options.files.read(source.file, MAX_BYTES) if source.file else None
    if content is None:
        context.report(
            (*path, "file"),
            "unreadable-file",
            Severity.ERROR,
            f"{source.file or source.key} is missing, unreadable or larger than {MAX_BYTES} bytes.",
            "Create the file or correct the path.",
        )
    return content


def _object(context: ProjectContext, section: str, source: Config | Secret) -> tuple[str, Obj | None]:
    """Return the name of the ConfigMap or Secret and, unless external or unreadable, the object."""
    if source.external:
        return naming.dns_label(source.name), None
    content = content_of(context, section, source)
    base = f"{section[:-1]}-{source.key}"
    if section == "configs":
        data = config_data({KEY: content or b""})
        name = config_name(base, data)
        made = {**context.object("v1", "ConfigMap", name, section, source.key), "immutable": True, **data}
    else:
        data = {"data": {KEY: base64.b64encode(content or b"").decode()}}
        name = naming.hashed_name(base, json.dumps(data))
        head = context.object("v1", "Secret", name, section, source.key)
        made = {**head, "type": "Opaque", "immutable": True, **data}
    hidden = section == "secrets" and not context.options.include_secret_values
    if hidden:
        message = f"The Secret {name} has to be there already."
        context.report((section, source.key), "secret-not-rendered", Severity.NOTE, message)
    return name, None if content is None or hidden else made


def _own(context: ServiceContext, draft: PodDraft, section: str, index: int, use: FileUse) -> None:
    """Let the owner that a file should have read it: Kubernetes has a group for that, and no user."""
    owner = next((word for word in (use.gid, use.uid) if word and word != "0"), None)
    if owner is None:
        return
    if use.mode is None or use.mode & _OTHERS_READ:
        text = "uid and gid of a mounted file cannot be chosen; every user may read it."
    elif owner.isdigit():
        draft.security = {"fsGroup": int(owner), **OWNED_ONCE} | draft.security
        text = f"The file belongs to root and the group {draft.security['fsGroup']}, which may read it."
    else:
        context.warn(
            (section, index),
            "needs-number",
            f"{owner!r} is a name inside the image, and only root may read the file.",
            "Write its number.",
        )
        return
    context.note((section, index), "approximated", text)


def _configs(context: ServiceContext, draft: PodDraft) -> None:
    for index, use in enumerate(context.service.configs):
        source = context.project.project.configs[use.source]
        name, obj = _object(context.project, "configs", source)
        draft.add(obj)
        spec: dict[str, Any] = {"name": name}
        volume = naming.join_label("config", use.source)
        if use.mode is not None:
            spec["defaultMode"] = use.mode
            volume = naming.join_label("config", use.source, str(index))
        draft.volumes[volume] = {"configMap": spec}
        target = posixpath.join("/", use.target or use.source)
        draft.mount(volume, target, sub_path=use.source if source.external else KEY, read_only=True)
        _own(context, draft, "configs", index, use)


def _secrets(context: ServiceContext, draft: PodDraft) -> None:
    projected: list[dict[str, Any]] = []
    for index, use in enumerate(context.service.secrets):
        source = context.project.project.secrets[use.source]
        name, obj = _object(context.project, "secrets", source)
        draft.add(obj)
        key = use.source if source.external else KEY
        target = posixpath.normpath(posixpath.join(SECRETS_DIRECTORY, use.target or use.source))
        inside = target.removeprefix(SECRETS_DIRECTORY + "/")
        item: dict[str, Any] = {"key": key, "path": inside if inside != target else "content"}
        if use.mode is not None:
            item["mode"] = use.mode
        if inside != target:
            projected.append({"secret": {"name": name, "items": [item]}})
        else:
            volume = naming.join_label("secret", use.source, str(index))
            draft.volumes[volume] = {"secret": {"secretName": name, "items": [item]}}
            draft.mount(volume, target, sub_path="content", read_only=True)
        _own(context, draft, "secrets", index, use)
    if projected:
        draft.volumes["secrets"] = {"projected": {"sources": projected}}
        draft.mount("secrets", SECRETS_DIRECTORY, read_only=True)


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    _configs(context, draft)
    _secrets(context, draft)


DESCRIPTOR = Renderer(name="fileuses", pod=_pod)
