"""What an environment lays over releases, read from disk: its files and those they name, without secrets.

Who may look at an environment sees all of this, so that a value that looks secret is refused here, with its
line; it belongs into ``leeward env set``. Files of Compose secrets are never read.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace

from leeward.base.diagnostics import Location
from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings, ValuePath
from leeward.compose.node import Node
from leeward.compose.source import Sources
from leeward.compose.syntax import parse_documents
from leeward.delivery.environments.environment import Overlay, overlay_of
from leeward.render.renderers.environment import is_secret
from leeward.settings.configfile import ConfigFile

_VARIABLES, _COMPOSE = "environment file", "Compose file"
_MENTION = re.compile(r"\$\{?[A-Za-z_]")


def read_overlay(file: ConfigFile, name: str, sources: Sources, findings: Findings) -> Overlay:
    """Return what the environment `name` lays over releases.

    Args:
        file: a ``leeward.yaml`` without mistakes that has the environment.
        name: of the environment.
        sources: reads files.
        findings: takes what cannot be read, and what looks secret.
    """
    return _Reading(file, name, sources, findings).run()


class _Reading:
    def __init__(self, file: ConfigFile, name: str, sources: Sources, findings: Findings) -> None:
        self._directory = file.directory
        self._project = os.path.join(file.directory, os.path.dirname(next(iter(file.config.compose), "")))
        self._file = file
        self._name = name
        self._sources = sources
        self._findings = findings
        self._texts: dict[str, str] = {}  # path from leeward.yaml → text

    def run(self) -> Overlay:
        written = self._file.config.environments[self._name]
        for key, value in written.variables.items():
            if is_secret(key, value):
                where: ValuePath = ("environments", self._name, "variables", key)
                self._refuse(key, where, self._file.problem(where, "", "").location)
        for path in written.env_file:
            self._variables(path)
        for path in written.compose:
            text = self._read(path, _COMPOSE)
            for document in parse_documents(text, self._shown(path), self._findings):
                self._overlay(document)
        overlay = overlay_of(written, lambda path: self._texts.get(path, ""))
        return replace(overlay, files={**overlay.files, **self._texts})

    def _overlay(self, document: Node) -> None:
        services = document.get("services")
        for name, service in (services.items() if services is not None else {}).items():
            for key, value, place in _literals(service.get("environment")):
                if is_secret(key, value) and not _MENTION.search(value):
                    self._refuse(key, ("services", name, "environment", key), place, "${" + key + "}")
            for path in _paths(service.get("env_file")):
                self._variables(self._relative(path))
            for path in (*_paths(service.get("label_file")), *_paths(service.get("extends"), "file")):
                self._optional(path, _COMPOSE)
        configs = document.get("configs")
        for config in (configs.items() if configs is not None else {}).values():
            for path in _paths(config, "file"):
                self._optional(path, "configuration file")
        for path in _paths(document.get("include")):
            self._optional(path, _COMPOSE)

    def _variables(self, path: str) -> None:
        """Read a file with variables and refuse what looks secret in it."""
        if not os.path.exists(self._absolute(path)):
            return  # whether it has to be there is up to the loader
        text, shown = self._read(path, _VARIABLES), self._shown(path)
        for key, value in parse_dotenv(text, {}, shown, self._findings).items():
            if is_secret(key, value):
                match = re.search(rf"^\s*(?:export\s+)?{re.escape(key)}\s*[=:]", text, re.MULTILINE)
                start = match.end() if match else 0
                self._refuse(key, (key,), Location(shown, text.count("\n", 0, start) + 1))

    def _optional(self, path: str, what: str) -> None:
        relative = self._relative(path)
        if os.path.isfile(self._absolute(relative)):
            self._read(relative, what)

    def _read(self, path: str, what: str) -> str:
        text = self._sources.read(self._absolute(path), what)
        self._texts[path] = text or ""
        return text or ""

    def _relative(self, path: str) -> str:
        """Return the path from ``leeward.yaml`` of a file that a Compose file names."""
        return os.path.relpath(os.path.join(self._project, path), self._directory)

    def _absolute(self, path: str) -> str:
        return os.path.normpath(os.path.join(self._directory, path))

    def _shown(self, path: str) -> str:
        return self._sources.shown(self._absolute(path))

    def _refuse(self, key: str, path: ValuePath, at: Location | None, instead: str = "") -> None:
        instead = f"Write {instead} here, and set" if instead else "Remove it here, and set"
        self._findings.error(
            "secret-in-sight",
            f"{key} looks secret, and everybody who may look at {self._name} would see its value.",
            path=path,
            at=at,
            remedy=f"{instead} it with: leeward env set {key} --env {self._name}",
        )


def _literals(environment: Node | None) -> Iterator[tuple[str, str, Location]]:
    """Yield name, value and place of the variables that a service says itself."""
    if environment is None:
        return
    for key, node in environment.items().items():
        if node.value is not None and not isinstance(node.value, (dict, list)):
            yield key, str(node.value), node.location
    for node in environment.elements():
        name, equals, value = str(node.value).partition("=")
        if equals:
            yield name, value, node.location


def _paths(node: Node | None, key: str = "path") -> Iterator[str]:
    """Yield the paths of a string, a mapping's `key`, or a list of either; none with variables in it."""
    if node is None:
        return
    inner = node.get(key)
    for each in (node, *([inner] if inner is not None else ()), *node.elements()):
        if isinstance(each.value, str) and not _MENTION.search(each.value) and "://" not in each.value:
            yield each.value
        elif each is not node and each is not inner:
            yield from _paths(each, key)
