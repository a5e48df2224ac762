"""A stack of files → one tree in long form: substitution, ``include``, ``extends`` and merging.

The order is Docker's: the variables of a file are substituted, it is brought into long form, what it
includes is added (its own definitions win), services extend others of the same file or of another one,
and the result is merged over the files before it. Relative paths become absolute last, against the
directory of the stack; what comes from another file brings its own directory.

Source: Compose Specification, "Merge", "Include" and "Extends".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from leeward.base.diagnostics import Location
from leeward.compose.conform import conform
from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings, did_you_mean
from leeward.compose.interpolate import Interpolator
from leeward.compose.merge import merge_files, merge_resource, merge_services, strip_service_tags, strip_tags
from leeward.compose.node import Node, Tag
from leeward.compose.paths import is_remote, resolve_paths
from leeward.compose.schema import COMPOSE, SERVICE
from leeward.compose.source import Sources
from leeward.compose.syntax import parse_documents

_RESOURCES = ("services", "volumes", "networks", "secrets", "configs", "models")


@dataclass(frozen=True, slots=True)
class Stack:
    """Files that are merged over one another, and what they are read with."""

    files: tuple[str, ...]  # absolute
    directory: str  # absolute; where relative paths start
    environment: Mapping[str, str]  # for substitution


@dataclass(frozen=True, slots=True)
class _File:
    """One document of one file, while services of it are being extended."""

    path: str
    directory: str  # where the file of an `extends` starts
    services: dict[str, Node]  # in long form; replaced as they are extended


class LayerLoader:
    """Loads stacks of files.

    Args:
        sources: reads files.
        findings: takes everything that is wrong.
        environment: of the whole project; substitutes in files named by ``extends``.
    """

    def __init__(self, sources: Sources, findings: Findings, environment: Mapping[str, str]) -> None:
        self._sources = sources
        self._findings = findings
        self._home = environment.get("HOME")
        self._documents: dict[str, list[Node]] = {}

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
            for document in self._parse(path):
                tree = conform(interpolator.apply(document), COMPOSE, (), self._findings)
                if tree is None or not isinstance(tree.value, dict):
                    continue
                tree = self._include(tree, stack, (*chain, path))
                tree = self._extend_all(tree, path, stack.directory, interpolator)
                merged = strip_tags(merge_files(merged, tree))
        return _resolve_environment(resolve_paths(merged, stack.directory, self._home), stack.environment)

    def _parse(self, path: str, what: str = "Compose file", at: Location | None = None) -> list[Node]:
        if path not in self._documents:
            text = self._sources.read(path, what, at=at)
            self._documents[path] = (
                [] if text is None else parse_documents(text, self._sources.shown(path), self._findings)
            )
        return self._documents[path]

    # -- include ------------------------------------------------------------------------------------

    def _include(self, tree: Node, stack: Stack, chain: tuple[str, ...]) -> Node:
        included = tree.get("include")
        if included is None:
            return tree
        result = tree.without("include")
        for index, entry in enumerate(included.elements()):
            inner = self._included_stack(entry, stack, index)
            if inner is None:
                continue
            if inner.files[0] in chain:
                names = " → ".join(self._sources.shown(path) for path in (*chain, inner.files[0]))
                self._findings.error(
                    "include-cycle",
                    f"Files include one another: {names}.",
                    path=("include", index),
                    at=entry.location,
                    remedy="Remove one of these includes.",
                    damages=True,
                )
                continue
            result = _import(self.load(inner, chain), result)
        return result

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
        missing = [path for path in files if not os.path.isfile(path)]
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
        if not named and os.path.isfile(default):
            files = [(default, entry.location)]
        values: dict[str, str] = {}
        for path, location in files:
            text = self._sources.read(path, "environment file", at=location)
            if text is not None:
                known = {**values, **stack.environment}
                values.update(parse_dotenv(text, known, self._sources.shown(path), self._findings))
        return {**values, **stack.environment}

    # -- extends ------------------------------------------------------------------------------------

    def _extend_all(self, tree: Node, path: str, directory: str, interpolator: Interpolator) -> Node:
        services = tree.get("services")
        if services is None or not isinstance(services.value, dict):
            return tree
        file = _File(path, directory, dict(services.value))
        for name in file.services:
            self._extend(name, file, interpolator, ())
        return tree.having({**tree.items(), "services": services.having(file.services)})

    def _extend(
        self, name: str, file: _File, interpolator: Interpolator, chain: tuple[tuple[str, str], ...]
    ) -> Node:
        """Return service `name` of `file` with what it extends, and keep it in `file`."""
        service = file.services[name]
        extends = service.get("extends")
        if extends is None or extends.value is None or extends.tag is Tag.RESET:
            return service
        where = ("services", name, "extends")
        reference = extends.text("service")
        rest = service.without("extends")
        file.services[name] = rest  # whatever happens next: report once
        if reference is None:
            self._findings.error(
                "missing-key",
                '"service" is required here.',
                path=where,
                at=extends.location,
                remedy="Name the service to extend.",
                damages=True,
            )
            return rest
        chain = (*chain, (file.path, name))
        other = self._extended_file(extends, file, interpolator, reference)
        if other is None:
            return rest
        if (other.path, reference) in chain:
            names = " → ".join(each for _, each in (*chain, (other.path, reference)))
            self._findings.error(
                "extends-cycle",
                f"Services extend one another: {names}.",
                path=where,
                at=extends.location,
                remedy="Remove one of these extends.",
                damages=True,
            )
            return rest
        if reference not in other.services:
            self._findings.error(
                "undefined-service",
                f'There is no service "{reference}" in {self._sources.shown(other.path)}.',
                path=where,
                at=extends.location,
                remedy=did_you_mean(reference, other.services) or "Name a service that exists.",
                damages=True,
            )
            return rest
        base = strip_service_tags(self._extend(reference, other, interpolator, chain))
        if other.path != file.path:
            base = self._located(base, other.path)
        file.services[name] = merge_services(base, rest)
        return file.services[name]

    def _extended_file(
        self, extends: Node, file: _File, interpolator: Interpolator, reference: str
    ) -> _File | None:
        named = extends.text("file")
        if named is None:
            return file
        if is_remote(named):
            self._findings.error(
                "remote-extends",
                f'"{named}" is not a file on this machine.',
                at=extends.location,
                remedy="Download it and extend the copy.",
                damages=True,
            )
            return None
        path = self._sources.absolute(named, file.directory)
        if path == file.path:
            return file
        services: dict[str, Node] = {}
        for document in self._parse(path, "extended file", extends.location):
            entry = document.get("services")
            services.update(entry.items() if entry is not None else {})
        if path not in self._documents or not self._documents[path]:
            return None
        return _File(path, os.path.dirname(path), self._used(services, reference, interpolator))

    def _used(self, services: dict[str, Node], name: str, interpolator: Interpolator) -> dict[str, Node]:
        """Return `services` with `name`, and what it extends in the same file, in long form."""
        result = dict(services)
        todo: str | None = name
        done: set[str] = set()
        while todo is not None and todo in result and todo not in done:
            done.add(todo)
            path = ("services", todo)
            fit = conform(interpolator.apply(result[todo], path), SERVICE, path, self._findings)
            result[todo] = fit if fit is not None else Node({}, result[todo].location)
            extends = result[todo].get("extends")
            todo = extends.text("service") if extends is not None and extends.text("file") is None else None
        return result

    def _located(self, service: Node, path: str) -> Node:
        """Return a service of the file `path` with its paths absolute."""
        wrapped = Node({"services": Node({"x": service}, service.location)}, service.location)
        resolved = resolve_paths(wrapped, os.path.dirname(path), self._home)
        return resolved.items()["services"].items()["x"]


def _elements(entry: Node, key: str) -> list[Node]:
    found = entry.get(key)
    return found.elements() if found is not None else []


def _import(source: Node, target: Node) -> Node:
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


def _resolve_environment(tree: Node, environment: Mapping[str, str]) -> Node:
    """Give ``environment: [KEY]`` and configs and secrets from variables their values."""
    entries = dict(tree.items())
    services = entries.get("services")
    if services is not None and isinstance(services.value, dict):
        entries["services"] = services.having(
            {name: _service_environment(service, environment) for name, service in services.value.items()}
        )
    for kind in ("configs", "secrets"):
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
