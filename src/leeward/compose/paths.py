"""Makes host paths absolute, as a table of path patterns.

A path is relative to the directory of its project, of the file named by ``include`` or of the file named
by ``extends``. URLs, image references and named contexts stay as they are.

Source: Compose Specification; rules of compose-go ``paths``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any

from leeward.compose.node import Node

_REMOTE = re.compile(
    r"[a-z][a-z0-9+.-]*://|git@|github\.com/|[^/]+\.git(#|\Z)|service:|docker-image:|target:"
)
Resolver = Callable[[Node, str, str | None], Node]


def is_remote(path: str) -> bool:
    """Whether `path` names something that is not on this machine's disk."""
    return _REMOTE.match(path) is not None


def absolute_path(path: str, base: str, home: str | None) -> str:
    """Return `path` relative to `base`, with ``~`` for `home`, without ``.`` and ``..``."""
    if home is not None and (path == "~" or path.startswith("~/")):
        path = home + path[1:]
    if re.match(r"[A-Za-z]:[\\/]|\\\\", path):
        return path  # a Windows path means nothing else here
    return os.path.normpath(os.path.join(base, path))


def _path(node: Node, base: str, home: str | None) -> Node:
    if not isinstance(node.value, str):
        return node
    return node.having(absolute_path(node.value, base, home))


def _context(node: Node, base: str, home: str | None) -> Node:
    if not isinstance(node.value, str) or is_remote(node.value):
        return node
    return _path(node, base, home)


def _mount(node: Node, base: str, home: str | None) -> Node:
    source = node.get("source")
    if node.text("type") != "bind" or source is None:
        return node
    return node.having({**node.items(), "source": _path(source, base, home)})


def _volume(node: Node, base: str, home: str | None) -> Node:
    """The local driver's bind mounts: ``driver_opts: {type: none, o: bind, device: ./data}``."""
    options = node.get("driver_opts")
    device = options.get("device") if options is not None else None
    if options is None or device is None or "bind" not in (options.text("o") or "").split(","):
        return node
    resolved = options.having({**options.items(), "device": _path(device, base, home)})
    return node.having({**node.items(), "driver_opts": resolved})


_TABLE: dict[str, Resolver] = {
    "services.*.build.context": _context,
    "services.*.build.additional_contexts.*": _context,
    "services.*.env_file.*.path": _path,
    "services.*.label_file.*": _path,
    "services.*.develop.watch.*.path": _path,
    "services.*.volumes.*": _mount,
    "configs.*.file": _path,
    "secrets.*.file": _path,
    "volumes.*": _volume,
}


def _compile() -> dict[str, Any]:
    root: dict[str, Any] = {}
    for pattern, resolver in _TABLE.items():
        here = root
        for step in pattern.split("."):
            here = here.setdefault(step, {})
        here[""] = resolver
    return root


_RULES = _compile()


def resolve_paths(node: Node, base: str, home: str | None) -> Node:
    """Return a whole tree with absolute host paths; absolute ones are left alone.

    Args:
        node: a file in long form.
        base: absolute directory.
        home: what ``~`` stands for, or None to keep it.
    """
    return _resolve(node, _RULES, base, home)


def _resolve(node: Node, rules: dict[str, Any], base: str, home: str | None) -> Node:
    if "" in rules:
        resolver: Resolver = rules[""]
        return resolver(node, base, home)
    value = node.value
    if isinstance(value, dict):
        entries = dict(value)
        for key, entry in value.items():
            below = rules.get(key) or rules.get("*")
            if below:
                entries[key] = _resolve(entry, below, base, home)
        return node.having(entries)
    if isinstance(value, list) and "*" in rules:
        return node.having([_resolve(element, rules["*"], base, home) for element in value])
    return node
