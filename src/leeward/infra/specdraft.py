"""The text of a spec in which some values become others, and nothing else moves: comments, order, style.

Values are found by the marks of the YAML parser, so that it does not matter how a file is written: in blocks
or in braces, quoted, with anchors, with the line ends of Windows.

Invariant: outside of the values that were set, every character stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from leeward.base.errors import UserInputError
from leeward.compose.findings import ValuePath, path_text
from leeward.compose.scalars import resolve_plain
from leeward.compose.syntax import compose_documents

_PROPERTIES = re.compile(r"(?:[&!]\S*\s+)*")  # anchor and tag before a value
_MERGE = "<<"


def scalar(word: str) -> str:
    """Return a word as YAML has it: in quotes when it would be something else without."""
    return word if resolve_plain(word) == word else f'"{word}"'


class Draft:
    """The text of a spec that is being changed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_end = "\r\n" if "\r\n" in text else "\n"
        self._root = compose_documents(text)[0]
        self._edits: dict[
            tuple[int, int], tuple[str, ValuePath]
        ] = {}  # characters from, to → instead, for whom

    def text(self) -> str:
        """Return the text with everything that was changed."""
        found = self._text
        for (start, end), (new, _) in sorted(self._edits.items(), reverse=True):
            found = found[:start] + new + found[end:]
        return found

    def set(self, path: ValuePath, new: str) -> None:
        """Write the word `new` where the value at `path` is, or add it where nothing is.

        Raises:
            UserInputError: the same place would have to become two things, because of an anchor.
        """
        node, around, rest = self._find(path)
        if rest and not (isinstance(node, yaml.ScalarNode) and isinstance(rest[0], int)):
            self._add(path, around if node is None else node, rest, new)
        elif isinstance(node, yaml.ScalarNode):
            start, end = self._value(node)
            self._edit(start, end, self._styled(self._text[start:end], new), path)
        else:
            raise UserInputError(
                f"{path_text(path)} is no word that could be changed", remedy="Write it plainly."
            )

    def _find(self, path: ValuePath) -> tuple[yaml.Node | None, yaml.Node, ValuePath]:
        """Return the deepest node on `path`, the mapping around, and the steps that are not there."""
        node: yaml.Node = self._root
        for index, step in enumerate(path):
            inner = _inner(node, step)
            if inner is None:
                return node, node, path[index:]
            node = inner
        return node, node, ()

    def _value(self, node: yaml.Node) -> tuple[int, int]:
        start, end = node.start_mark.index, node.end_mark.index
        found = _PROPERTIES.match(self._text, start, end)
        return (found.end() if found else start), end

    def _styled(self, old: str, new: str) -> str:
        if old.startswith(('"', "'")):
            return f"{old[0]}{new}{old[0]}"
        if old.startswith(("|", ">")):
            return f"{scalar(new)}{self._line_end}"
        return scalar(new)

    def _edit(self, start: int, end: int, new: str, path: ValuePath) -> None:
        there = self._edits.get((start, end))
        if there is not None and there[0] != new and start < end:
            raise UserInputError(
                f"{path_text(path)} and {path_text(there[1])} share an anchor, and would differ",
                remedy="Write them plainly, without anchors.",
            )
        self._edits[start, end] = (new, path)

    def _add(self, path: ValuePath, around: yaml.Node, rest: ValuePath, new: str) -> None:
        """Add a key, and mappings for what is around it, to the mapping `around`."""
        entry = scalar(new)
        for step in reversed(rest[1:]):
            entry = f"{{{step}: {entry}}}"
        entry = f"{rest[0]}: {entry}"
        start, end = self._value(around)
        if not isinstance(around, yaml.MappingNode):  # nothing is written there, or null
            self._edit(start, end, f"{'' if start < end else ' '}{{{entry}}}", path)
        elif around.flow_style:
            self._edit(start + 1, start + 1, f"{entry}, " if around.value else entry, path)
        elif around is self._root:
            self._insert_line(around, entry, path)
        else:
            key = around.value[0][0].start_mark
            indent = self._text[key.index - key.column : key.index]
            self._edit(key.index, key.index, f"{entry}{self._line_end}{' ' * len(indent)}", path)

    def _insert_line(self, root: yaml.MappingNode, entry: str, path: ValuePath) -> None:
        """Add a line after that of the region, which every spec has."""
        last = _inner(root, "region") or root.value[-1][1]
        end = last.end_mark.index
        at = end if self._text[end - 1] == "\n" else self._text.find("\n", end) + 1
        before = "" if at else self._line_end
        indent = " " * root.value[0][0].start_mark.column
        place = at or len(self._text)
        self._edit(place, place, f"{before}{indent}{entry}{self._line_end}", path)


def _inner(node: yaml.Node, step: str | int) -> yaml.Node | None:
    if isinstance(step, int):
        listed = node.value if isinstance(node, yaml.SequenceNode) else []
        return listed[step] if step < len(listed) else None
    for key, value in _entries(node):
        if key == step:
            found: yaml.Node = value
            return found
    return None


def _entries(node: yaml.Node) -> Iterator[tuple[str, yaml.Node]]:
    """Yield the entries of a mapping, then those that it takes from others."""
    if not isinstance(node, yaml.MappingNode):
        return
    yield from ((key.value, value) for key, value in node.value if key.value != _MERGE)
    for key, value in node.value:
        if key.value == _MERGE:
            for each in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                yield from _entries(each)
