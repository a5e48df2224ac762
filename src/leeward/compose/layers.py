"""A stack of files → one tree in long form: substitution, ``include``, ``extends`` and merging.

The order is Docker's: the variables of a file are substituted, it is brought into long form, what it
includes is added (its own definitions win), services extend others of the same file or of another one,
and the result is merged over the files before it. Relative paths become absolute last, against the
directory of the stack; what comes from another file brings its own directory.

Source: Compose Specification, "Merge", "Include" and "Extends".
"""

from __future__ import annotations

from collections.abc import Mapping

from leeward.base.diagnostics import Location
from leeward.compose.conform import conform
from leeward.compose.documents import Documents
from leeward.compose.extends import Extender
from leeward.compose.findings import Findings
from leeward.compose.include import Includer, Stack, import_resources
from leeward.compose.interpolate import Interpolator
from leeward.compose.merge import merge_files, strip_tags
from leeward.compose.node import Node
from leeward.compose.paths import resolve_paths
from leeward.compose.schema import COMPOSE
from leeward.compose.source import Sources

_CONTENTS = ("configs", "secrets")


class LayerLoader:
    """Loads stacks of files.

    Args:
        sources: reads files.
        findings: takes everything that is wrong.
        environment: of the whole project; ``HOME`` is what ``~`` stands for.
    """

    def __init__(self, sources: Sources, findings: Findings, environment: Mapping[str, str]) -> None:
        self._sources = sources
        self._findings = findings
        self._home = environment.get("HOME")
        self._documents = Documents(sources, findings)
        self._includer = Includer(sources, findings)
        self._included: set[tuple[str, str]] = set()  # whose content was taken from its variable already
        self._extender = Extender(self._documents, sources, findings, self._home)

    def written_name(self, stack: Stack) -> Node | None:
        """Return the top-level ``name`` of the last file that has one, substituted."""
        interpolator = Interpolator(stack.environment, self._findings)
        found: Node | None = None
        for path in stack.files:
            for document in self._documents.parse(path):
                found = document.get("name") or found
        return interpolator.apply(found, ("name",)) if found is not None else None

    def load(self, stack: Stack, chain: tuple[str, ...] = ()) -> Node:
        """Return the merged tree of `stack`.

        Args:
            stack: what to load.
            chain: the files that include this stack, outermost first.
        """
        interpolator = Interpolator(stack.environment, self._findings)
        merged = Node(
            {}, Location(self._sources.shown(stack.files[0]), 0) if stack.files else Location("", 0)
        )
        for path in stack.files:
            for document in self._documents.parse(path):
                tree = conform(interpolator.apply(document), COMPOSE, (), self._findings)
                if tree is None or not isinstance(tree.value, dict):
                    continue
                tree = self._include(tree, stack, (*chain, path))
                tree = self._extender.apply(tree, path, stack.directory, interpolator)
                merged = strip_tags(merge_files(merged, tree))
        self._check_contents(merged)
        return _resolve_environment(resolve_paths(merged, stack.directory, self._home), stack.environment)

    def _check_contents(self, tree: Node) -> None:
        """Report what has its content and a variable to take it from, while one is told from the other."""
        for kind in _CONTENTS:
            for name, source in _names(tree, kind).items():
                content = source.get("content")
                if content is None or source.text("environment") is None or (kind, name) in self._included:
                    continue
                self._findings.error(
                    "contradiction",
                    "environment and content exclude one another.",
                    path=(kind, name),
                    at=content.location,
                    remedy="Keep one.",
                )

    def _include(self, tree: Node, stack: Stack, chain: tuple[str, ...]) -> Node:
        included = tree.get("include")
        if included is None:
            return tree
        result = tree.without("include")
        for index, entry in enumerate(included.elements()):
            inner = self._includer.stack(entry, stack, index, chain)
            if inner is not None:
                loaded = self.load(inner, chain)
                self._included |= {(kind, name) for kind in _CONTENTS for name in _names(loaded, kind)}
                result = import_resources(loaded, result)
        return result


def _names(tree: Node, kind: str) -> Mapping[str, Node]:
    table = tree.get(kind)
    return table.items() if table is not None else {}


def _resolve_environment(tree: Node, environment: Mapping[str, str]) -> Node:
    """Give ``environment: [KEY]`` and configs and secrets from variables their values."""
    entries = dict(tree.items())
    services = entries.get("services")
    if services is not None and isinstance(services.value, dict):
        entries["services"] = services.having(
            {name: _service_environment(service, environment) for name, service in services.value.items()}
        )
    for kind in _CONTENTS:
        table = entries.get(kind)
        if table is not None and isinstance(table.value, dict):
            entries[kind] = table.having(
                {name: _file_content(source, environment) for name, source in table.value.items()}
            )
    return tree.having(entries)


def _service_environment(service: Node, environment: Mapping[str, str]) -> Node:
    result = _fill(service, "environment", environment)
    build = result.get("build")
    if build is not None and build.get("args") is not None:
        result = result.having({**result.items(), "build": _fill(build, "args", environment)})
    return result


def _fill(owner: Node, key: str, environment: Mapping[str, str]) -> Node:
    table = owner.get(key)
    if table is None or not isinstance(table.value, dict):
        return owner
    filled = {
        name: node.having(environment[name]) if node.value is None and name in environment else node
        for name, node in table.value.items()
    }
    return owner.having({**owner.items(), key: table.having(filled)})


def _file_content(source: Node, environment: Mapping[str, str]) -> Node:
    variable = source.text("environment")
    if variable is None or variable not in environment or source.get("content") is not None:
        return source
    return source.setting(content=environment[variable])
