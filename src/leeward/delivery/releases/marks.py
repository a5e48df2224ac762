"""Where secrets stand in the texts of a release: in Compose files and in files of variables. Pure.

A scalar is found once, however often aliases and merge keys use it. Settings of leeward itself
(``x-leeward``) have names of secrets, not secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from leeward.compose.dotenv import find_assignments
from leeward.compose.interpolate import Reference
from leeward.compose.scalars import resolve_plain, scalar_text
from leeward.compose.syntax import compose_documents
from leeward.delivery.releases.concealing import Concealed, conceal, is_secret_name, variables_in
from leeward.settings.read import KEY

_TABLES = frozenset(("environment", "args"))  # of variables
_ITEM = re.compile(r"([A-Za-z_][\w.-]*)=(.*)\Z", re.DOTALL)
_PLAIN = "plain"


@dataclass(slots=True)
class Mark:
    """A value of a text, ``text[start:end]``."""

    start: int
    end: int
    line: int  # from 1
    value: str  # with variables
    style: str = ""  # of YAML: "", "'", '"', "|" or ">"
    services: dict[str, None] = field(default_factory=dict)  # that have it
    found: Concealed = field(default_factory=Concealed)
    uses: tuple[Reference, ...] = ()  # of variables
    passed: str | None = None  # the variable that is handed through, instead of a value
    fixed: bool = False  # variables mean nothing here


@dataclass(frozen=True, slots=True)
class _Around:
    """What a YAML value is in."""

    key: str = ""  # of the mapping or list that it is in
    service: str = ""
    section: str = ""  # of the file
    resource: str = ""  # of that section
    settings: bool = False  # it is for leeward

    def below(self, key: str, depth: int) -> _Around:
        """Return the surroundings of what is at `key`."""
        if depth == 0:
            return _Around(key, section=key)
        if depth == 1:
            service = key if self.section == "services" else ""
            return _Around(key, service, self.section, key)
        return _Around(key, self.service, self.section, self.resource, self.settings or key == KEY)


def marks_of_compose(text: str) -> list[Mark]:
    """Return the values of a Compose file that can be loaded, by position."""
    walker = _Walker()
    for document in compose_documents(text):
        walker.walk(document, _Around(), 0)
    return sorted(walker.marks.values(), key=lambda mark: mark.start)


def marks_of_variables(text: str, services: dict[str, None], *, raw: bool) -> list[Mark]:
    """Return the values of a file of variables.

    Args:
        text: without mistakes.
        services: that have the file as ``env_file``.
        raw: it is read without quotes and variables.
    """
    marks = []
    for name, start, end, value, quote in find_assignments(text, raw=raw):
        line = text.count("\n", 0, start) + 1
        fixed = raw or quote == "'"
        template = (value or "").replace("$", "$$") if fixed else value or ""
        mark = Mark(start, end, line, template, quote, dict(services), fixed=raw)
        if value is None:
            mark.passed = name
        else:
            mark.found, mark.uses = conceal(template, name), tuple(variables_in(template))
        marks.append(mark)
    return marks


class _Walker:
    """Collects the scalars of a file."""

    def __init__(self) -> None:
        self.marks: dict[int, Mark] = {}  # by position
        self._table: set[int] = set()  # positions of those that are known to be variables
        self._seen: set[tuple[int, _Around]] = set()

    def walk(self, node: yaml.Node, around: _Around, depth: int) -> None:
        """Look at everything in `node`."""
        if (id(node), around) in self._seen:
            return
        self._seen.add((id(node), around))
        if isinstance(node, yaml.MappingNode):
            for key, value in self._entries(node):
                inner = around.below(key, depth)
                if isinstance(value, yaml.ScalarNode):
                    self._entry(key, value, around, inner)
                else:
                    self.walk(value, inner, depth + 1)
        elif isinstance(node, yaml.SequenceNode):
            for element in node.value:
                if isinstance(element, yaml.ScalarNode):
                    self._element(element, around)
                else:
                    self.walk(element, around, max(depth, 2))

    def _entries(self, node: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node]]:
        """Yield the entries of a mapping, and of those that it is merged with."""
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value != "<<" or key.tag != _PLAIN:
                yield key.value, value
                continue
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                if isinstance(source, yaml.MappingNode):
                    yield from self._entries(source)

    def _entry(self, key: str, node: yaml.ScalarNode, around: _Around, inner: _Around) -> None:
        text = _text(node)
        table = around.key in _TABLES
        name = key if not inner.settings and (table or is_secret_name(key)) else None
        if inner.section == "secrets" and key == "content":
            self._mark(node, inner, conceal(text or "", inner.resource, secret=True), table=True)
        elif inner.section in ("secrets", "configs") and key == "environment":
            self._mark(node, inner, Concealed(), table=True, passed=text, secret=inner.section == "secrets")
        elif text is None:
            if table:
                self._mark(node, inner, Concealed(), table=True, passed=key)
        else:
            self._mark(node, inner, conceal(text, name), table=table)

    def _element(self, node: yaml.ScalarNode, around: _Around) -> None:
        text = _text(node) or ""
        table = around.key in _TABLES
        item = _ITEM.match(text)
        if item is not None and (table or is_secret_name(item[1])) and not around.settings:
            self._mark(node, around, conceal(item[2], item[1]).moved(item.start(2)), table=table)
        elif table and item is None and "$" not in text:
            self._mark(node, around, Concealed(), table=True, passed=text)
        else:
            self._mark(node, around, conceal(text), table=table)

    def _mark(
        self,
        node: yaml.ScalarNode,
        around: _Around,
        found: Concealed,
        *,
        table: bool,
        passed: str | None = None,
        secret: bool = False,
    ) -> None:
        start = node.start_mark.index
        mark = self.marks.get(start)
        if mark is None:
            value = _text(node) or ""
            mark = self.marks[start] = Mark(
                start, node.end_mark.index, node.start_mark.line + 1, value, node.style or "",
                uses=tuple(variables_in(value)),
            )  # fmt: skip
        if around.service:
            mark.services[around.service] = None
        better = (table and start not in self._table) or (found.slots and not mark.found.slots)
        if better or (not table and start not in self._table and not mark.found.slots):
            mark.found, mark.passed = found, passed
        if secret and passed is not None:
            mark.found.required[passed] = None
        if table:
            self._table.add(start)


def _text(node: yaml.ScalarNode) -> str | None:
    """Return the text that a scalar is loaded as; None for nothing."""
    if node.tag != _PLAIN or node.style:
        return str(node.value)
    value = resolve_plain(node.value)
    return None if value is None else scalar_text(value)
