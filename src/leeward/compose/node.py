"""The tree between YAML and the typed project: plain values that know their line.

Nodes are never changed after they are made (they are shared where a file uses an anchor); every stage
builds new ones along the path it changes.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

from leeward.base.diagnostics import Location

Scalar = str | int | float | bool | None
_COLLECTIONS = frozenset((dict, list))
_SHOWN = 60  # characters of a value in a message


class Tag(enum.Enum):
    """What the file, or an earlier stage, says about a node besides its value."""

    NONE = enum.auto()
    RESET = enum.auto()  # !reset: forget what earlier files say
    OVERRIDE = enum.auto()  # !override: replace instead of merging
    BROKEN = enum.auto()  # already reported; drop without another word


class Node:
    """One value: a scalar, a list of nodes or a dict of nodes by key."""

    __slots__ = ("location", "tag", "value")

    def __init__(
        self,
        value: Scalar | list[Node] | dict[str, Node],
        location: Location,
        tag: Tag = Tag.NONE,
    ) -> None:
        self.value = value
        self.location = location
        self.tag = tag

    def __repr__(self) -> str:
        return f"Node({plain(self)!r}, {self.location})"

    def having(self, value: Scalar | list[Node] | dict[str, Node]) -> Node:
        """Return a node with another value at the same place, keeping the tag."""
        return Node(value, self.location, self.tag)

    def items(self) -> Mapping[str, Node]:
        """Return the entries of a mapping; empty for anything else."""
        return self.value if isinstance(self.value, dict) else {}

    def elements(self) -> list[Node]:
        """Return the elements of a list; empty for anything else."""
        return self.value if isinstance(self.value, list) else []

    def get(self, key: str) -> Node | None:
        """Return the entry `key` of a mapping, or None."""
        return self.value.get(key) if isinstance(self.value, dict) else None

    def text(self, key: str) -> str | None:
        """Return the string at entry `key`, or None when there is none."""
        entry = self.get(key)
        return entry.value if entry is not None and isinstance(entry.value, str) else None

    def setting(self, **entries: Scalar | list[Node] | dict[str, Node]) -> Node:
        """Return this mapping with `entries` set, located where this node is."""
        value = dict(self.items())
        for key, entry in entries.items():
            value[key] = Node(entry, self.location)
        return self.having(value)

    def without(self, *keys: str) -> Node:
        """Return this mapping less `keys`."""
        return self.having({key: entry for key, entry in self.items().items() if key not in keys})


def plain(node: Node) -> Any:
    """Return the value as ordinary lists, dicts and scalars."""
    value = node.value
    if isinstance(value, dict):
        return {
            key: plain(entry) if entry.value.__class__ in _COLLECTIONS else entry.value
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return value


def describe(node: Node) -> str:
    """Return what kind of value `node` is, for messages."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return f"the boolean {str(value).lower()}"
    if isinstance(value, (int, float)):
        return f"the number {value}"
    return f'"{value}"' if len(value) <= _SHOWN else f'"{value[: _SHOWN - 1]}…"'
