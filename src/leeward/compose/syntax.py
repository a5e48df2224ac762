"""YAML text → nodes with their lines: anchors, aliases, merge keys, ``!reset`` and ``!override``.

An entry of a mapping is located at the line of its key, an element of a list at its own line; what comes
through an alias is located where it is used, its inside where the anchor is. A key set twice, a value
that contains itself and a file that expands to more than :data:`MAX_NODES` nodes or :data:`MAX_DEPTH`
levels are errors.

Source: YAML 1.2; merge keys https://yaml.org/type/merge.html; Compose Specification, "Merge and override".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from yaml._yaml import CParser

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings
from leeward.compose.node import Node, Tag
from leeward.compose.scalars import resolve_plain
from leeward.compose.syntaxerrors import report_syntax, report_unreadable

MAX_NODES = 100_000  # as Docker Compose; an alias bomb needs far more
MAX_DEPTH = 100
_SMALLER = "Make the file smaller: fewer aliases of aliases, or several files."
_STANDARD = "tag:yaml.org,2002:"
_PLAIN = "plain"
_TAGS = {"!reset": Tag.RESET, "!override": Tag.OVERRIDE}
_KNOWN_TAGS = {_PLAIN, *(_STANDARD + name for name in ("str", "int", "float", "bool", "null", "map", "seq"))}
_TEXT = _STANDARD + "str"


class _Composer(CParser):
    """libyaml's parser with our own idea of implicit tags (see ``scalars``)."""

    def resolve(self, kind: Any, _value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _STANDARD + "str"
        return _STANDARD + ("map" if kind is yaml.MappingNode else "seq")

    def descend_resolver(self, _node: Any, _index: Any) -> None:
        """Nothing depends on the path."""

    def ascend_resolver(self) -> None:
        """Nothing depends on the path."""


class _StopError(Exception):
    """The document cannot be read any further; already reported."""


class _Converter:
    """Turns composed YAML nodes of one file into :class:`Node`."""

    def __init__(self, file: str, findings: Findings) -> None:
        self._file = file
        self._findings = findings
        self._open: set[int] = set()  # ids of the collections being converted
        self._done: dict[int, tuple[Node, int]] = {}  # by id, what aliases share: node and number of values
        self._count = 0
        self._locations: dict[int, Location] = {}  # values of one line share theirs

    def document(self, source: yaml.Node) -> Node:
        """Return the root of one document, whose aliases are its own."""
        self._done.clear()
        return self.convert(source)

    def convert(self, source: yaml.Node, line: int | None = None) -> Node:
        """Return `source` as a Node located at `line` (else at its own)."""
        line = line or source.start_mark.line + 1
        location = self._locations.get(line)
        if location is None:
            location = self._locations[line] = Location(self._file, line)
        tag = Tag.NONE if source.tag in _KNOWN_TAGS else self._tag(source)
        if isinstance(source, yaml.ScalarNode):
            self._add(1, source)
            return Node(None if tag is Tag.RESET else self._scalar(source), location, tag)
        if tag is Tag.RESET:
            return Node(None, location, tag)
        known = self._done.get(id(source))
        if known is not None:
            self._add(known[1], source)
            return Node(known[0].value, location, tag)
        before = self._count
        self._add(1, source)
        node = Node(self._collection(source), location, tag)
        self._done[id(source)] = node, self._count - before
        return node

    def _add(self, number: int, source: yaml.Node) -> None:
        self._count += number
        if self._count > MAX_NODES:
            self._fail(source, "too-large", f"The file expands to more than {MAX_NODES} values.", _SMALLER)

    def _collection(self, source: yaml.Node) -> list[Node] | dict[str, Node]:
        if id(source) in self._open:
            self._fail(source, "yaml-cycle", "The anchor contains itself.", "Remove the alias inside it.")
        if len(self._open) >= MAX_DEPTH:
            self._fail(source, "too-deep", f"Values are nested more than {MAX_DEPTH} levels deep.", _SMALLER)
        self._open.add(id(source))
        try:
            if isinstance(source, yaml.MappingNode):
                return self._mapping(source)
            return [self.convert(element) for element in source.value]
        finally:
            self._open.discard(id(source))

    def _tag(self, source: yaml.Node) -> Tag:
        name = source.tag
        if name in _TAGS:
            return _TAGS[name]
        self._findings.error(
            "unknown-tag",
            f'The tag "{name.replace(_STANDARD, "!!")}" means nothing in a Compose file.',
            at=Location(self._file, source.start_mark.line + 1),
            remedy="Remove it; only !reset and !override are known.",
        )
        return Tag.NONE

    def _scalar(self, source: yaml.ScalarNode) -> str | int | float | bool | None:
        text: str = source.value
        if source.tag == _TEXT or source.tag == "!":
            return text
        return resolve_plain(text) if source.tag == _PLAIN or not source.style else text

    def _mapping(self, source: yaml.MappingNode) -> dict[str, Node]:
        own: dict[str, Node] = {}
        lines: dict[str, int] = {}
        merged: list[dict[str, Node]] = []
        for key_node, value_node in source.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fail(
                    key_node, "wrong-type", "A key must be a word, not a list or a mapping.", "Quote it."
                )
            key: str = key_node.value
            if key == "<<" and key_node.tag == _PLAIN:
                merged.extend(self._merge_sources(value_node))
                continue
            if key in own:
                self._findings.error(
                    "duplicate-key",
                    f'"{key}" is set twice; first at line {lines[key]}.',
                    at=Location(self._file, line),
                    remedy="Remove one of the two.",
                )
            own[key] = self.convert(value_node, line)
            lines[key] = line
        for entries in merged:
            for key, node in entries.items():
                own.setdefault(key, node)
        return own

    def _merge_sources(self, source: yaml.Node) -> Iterator[dict[str, Node]]:
        sources = source.value if isinstance(source, yaml.SequenceNode) else [source]
        for each in sources:
            node = self.convert(each)
            if not isinstance(node.value, dict):
                self._fail(
                    each,
                    "wrong-type",
                    'The merge key "<<" needs a mapping or a list of mappings.',
                    "Write <<: *name, or <<: [*one, *other].",
                )
            yield dict(node.items())

    def _fail(self, source: yaml.Node, code: str, message: str, remedy: str) -> None:
        at = Location(self._file, source.start_mark.line + 1)
        self._findings.error(code, message, at=at, remedy=remedy, damages=True)
        raise _StopError


def compose_documents(text: str) -> list[yaml.Node]:
    """Return the documents of a YAML file that :func:`parse_documents` accepts, with the marks of its parser.

    An alias is the node of its anchor. The tag of a plain scalar is "plain".
    """
    parser = _Composer(text)
    try:
        found = []
        while parser.check_node():
            node = parser.get_node()
            if node is not None:
                found.append(node)
        return found
    finally:
        parser.dispose()


def parse_documents(text: str | bytes, file: str, findings: Findings) -> list[Node]:
    """Return the documents of a YAML file; an empty document is left out.

    Args:
        text: the content.
        file: the name to show in locations.
        findings: takes syntax errors; what precedes the error is then returned.
    """
    documents: list[Node] = []
    converter = _Converter(file, findings)
    parser: _Composer | None = None
    try:
        parser = _Composer(text)
        while parser.check_node():
            node = parser.get_node()
            if node is not None:
                documents.append(converter.document(node))
    except yaml.MarkedYAMLError as error:
        report_syntax(error, text, file, findings)
    except yaml.YAMLError as error:
        report_unreadable(error, text, file, findings)
    except _StopError:
        pass  # reported where it was found
    finally:
        if parser is not None:
            parser.dispose()
    return [node for node in documents if node.value is not None]
