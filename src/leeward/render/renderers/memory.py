"""Directories in memory: ``tmpfs`` in its short and long form, and ``shm_size``.

What is written there counts against the container's memory limit. Every user may write to such a directory;
a narrower mode or an owner is told, because nothing can give it.

Source: the Compose Specification, "tmpfs" and "shm_size"; mount(8), tmpfs options;
kubernetes.io/docs/concepts/storage/volumes, "emptyDir".
"""

from __future__ import annotations

import re
from typing import Any

from leeward.render.model import PodDraft, Renderer, ServiceContext
from leeward.render.quantity import memory

_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_FACTOR = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30}
_OPEN_MODES = frozenset((0o777, 0o1777))
_HARMLESS = frozenset(("", "rw", "exec", "suid", "dev", "defaults"))


def _mount(draft: PodDraft, name: str, target: str, size: int | None, *, read_only: bool = False) -> None:
    spec: dict[str, Any] = {"medium": "Memory"}
    if size:
        spec["sizeLimit"] = memory(size)
    draft.volumes[name] = {"emptyDir": spec}
    draft.mount(name, target, read_only=read_only)


def parse_options(text: str) -> tuple[int | None, bool, list[str]]:
    """Return (bytes, read-only, options that a memory directory cannot have)."""
    size, read_only, rest = None, False, list[str]()
    for option in text.split(","):
        key, _, value = option.partition("=")
        if key == "size" and (match := _SIZE.fullmatch(value)):
            size = int(match[1]) * _FACTOR[match[2].lower()]
        elif option == "ro":
            read_only = True
        elif option not in _HARMLESS and not (key == "mode" and _is_open(value)):
            rest.append(option)
    return size, read_only, rest


def _is_open(mode: str) -> bool:
    return re.fullmatch("[0-7]+", mode) is not None and int(mode, 8) in _OPEN_MODES


def _report(context: ServiceContext, options: list[str], *path: str | int) -> None:
    if options:
        context.note(
            path,
            "approximated",
            f"A directory in memory has no {', '.join(options)}: every user may write to it.",
            "Have the command of the container set owner and mode where they matter.",
        )


def _pod(context: ServiceContext, draft: PodDraft) -> None:
    for index, mount in enumerate(context.plan.mounts):
        if mount.type == "tmpfs":
            options = mount.tmpfs
            size, mode = (options.size, options.mode) if options else (None, None)
            _mount(draft, f"tmpfs-{index}", mount.target, size, read_only=mount.read_only)
            if mode is not None and mode not in _OPEN_MODES:
                _report(context, [f"mode={mode:o}"], "volumes", index)
    for index, entry in enumerate(context.service.tmpfs):
        target, _, text = entry.partition(":")
        size, read_only, rest = parse_options(text)
        _mount(draft, f"tmp-{index}", target, size, read_only=read_only)
        _report(context, rest, "tmpfs", index)
    if context.service.shm_size:
        _mount(draft, "shm", "/dev/shm", context.service.shm_size)


DESCRIPTOR = Renderer(name="memory", pod=_pod)
