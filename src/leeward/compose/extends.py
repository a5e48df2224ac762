"""``extends``: a service that starts from another one, of the same file or of another.

The extended service is taken as it is after its own ``extends``; the extending one is merged over it. Of
another file only the services that are used are looked at, with paths relative to that file.

Source: Compose Specification, "Extends".
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from leeward.compose.conform import conform
from leeward.compose.documents import Documents
from leeward.compose.findings import Findings, did_you_mean
from leeward.compose.interpolate import Interpolator
from leeward.compose.merge import merge_services, strip_service_tags
from leeward.compose.node import Node, Tag
from leeward.compose.paths import is_remote, resolve_paths
from leeward.compose.schema import SERVICE
from leeward.compose.source import Sources


@dataclass(frozen=True, slots=True)
class _File:
    """One document of one file, while services of it are being extended."""

    path: str
    directory: str  # where the file of an `extends` starts
    services: dict[str, Node]  # in long form; replaced as they are extended


class Extender:
    """Applies ``extends``.

    Args:
        documents: parses other files.
        sources: resolves names of files.
        findings: takes everything that is wrong.
        home: what ``~`` stands for, or None.
    """

    def __init__(self, documents: Documents, sources: Sources, findings: Findings, home: str | None) -> None:
        self._documents = documents
        self._sources = sources
        self._findings = findings
        self._home = home

    def apply(self, tree: Node, path: str, directory: str, interpolator: Interpolator) -> Node:
        """Return `tree` with every service extended.

        Args:
            tree: the file `path` in long form, with what it includes.
            path: absolute.
            directory: where the files that ``extends`` names start.
            interpolator: substitutes in other files.
        """
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
        documents = self._documents.parse(path, "extended file", extends.location)
        for document in documents:
            entry = document.get("services")
            services.update(entry.items() if entry is not None else {})
        if not documents:
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
