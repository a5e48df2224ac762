"""``include``: another project, with its own directory and variables, inside this one.

Source: Compose Specification, "Include".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings
from leeward.compose.merge import merge_resource
from leeward.compose.node import Node
from leeward.compose.paths import is_remote
from leeward.compose.source import Sources

_RESOURCES = ("services", "volumes", "networks", "secrets", "configs", "models")


@dataclass(frozen=True, slots=True)
class Stack:
    """Files that are merged over one another, and what they are read with."""

    files: tuple[str, ...]  # absolute
    directory: str  # absolute; where relative paths start
    environment: Mapping[str, str]  # for substitution


class Includer:
    """Finds out what to include.

    Args:
        sources: resolves and reads files.
        findings: takes everything that is wrong.
    """

    def __init__(self, sources: Sources, findings: Findings) -> None:
        self._sources = sources
        self._findings = findings

    def stack(self, entry: Node, stack: Stack, index: int, chain: tuple[str, ...]) -> Stack | None:
        """Return what one entry of ``include`` names, or None when that cannot be used.

        Args:
            entry: in long form.
            stack: the including files.
            index: of `entry`.
            chain: the files being included, outermost first.
        """
        inner = self._included_stack(entry, stack, index)
        if inner is None or inner.files[0] not in chain:
            return inner
        names = " → ".join(self._sources.shown(path) for path in (*chain, inner.files[0]))
        self._findings.error(
            "include-cycle",
            f"Files include one another: {names}.",
            path=("include", index),
            at=entry.location,
            remedy="Remove one of these includes.",
            damages=True,
        )
        return None

    def _included_stack(self, entry: Node, stack: Stack, index: int) -> Stack | None:
        where = ("include", index)
        paths = [element.value for element in _elements(entry, "path") if isinstance(element.value, str)]
        remote = next((path for path in paths if is_remote(path)), None)
        if remote is not None or not paths:
            self._findings.error(
                "remote-include" if remote else "missing-key",
                f'"{remote}" is not a file on this machine.' if remote else '"path" is required here.',
                path=where,
                at=entry.location,
                remedy="Download it and include the copy." if remote else "Add path.",
                damages=True,
            )
            return None
        files = tuple(self._sources.absolute(path, stack.directory) for path in paths)
        missing = [path for path in files if not self._sources.is_file(path)]
        for path in missing:
            self._sources.read(path, "included file", at=entry.location, within=where)
        if missing:
            return None
        given = entry.text("project_directory")
        directory = self._sources.absolute(given, stack.directory) if given else os.path.dirname(files[0])
        environment = self._included_environment(entry, stack, directory)
        return Stack(files, directory, environment)

    def _included_environment(self, entry: Node, stack: Stack, directory: str) -> dict[str, str]:
        named = _elements(entry, "env_file")
        default = os.path.join(directory, ".env")
        files = [
            (self._sources.absolute(str(element.value), stack.directory), element.location)
            for element in named
            if element.value != "/dev/null"
        ]
        if not named and self._sources.is_file(default):
            files = [(default, entry.location)]
        values: dict[str, str] = {}
        for path, location in files:
            text = self._sources.read(path, "environment file", at=location)
            if text is not None:
                known = {**values, **stack.environment}
                values.update(parse_dotenv(text, known, self._sources.shown(path), self._findings))
        return {**values, **stack.environment}


def _elements(entry: Node, key: str) -> list[Node]:
    found = entry.get(key)
    return found.elements() if found is not None else []


def import_resources(source: Node, target: Node) -> Node:
    """Return `target` with the resources of an included project; its own definitions win."""
    entries = dict(target.items())
    for kind in _RESOURCES:
        incoming = source.get(kind)
        if incoming is None or not isinstance(incoming.value, dict):
            continue
        own = entries.get(kind, Node({}, incoming.location))
        merged = dict(incoming.value)
        for name, node in own.items().items():
            merged[name] = merge_resource(kind, merged[name], node) if name in merged else node
        entries[kind] = own.having(merged)
    return target.having(entries)
