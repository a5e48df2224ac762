"""The ``x-leeward`` of a whole project → typed settings, and a finding for everything that is wrong.

Source: the Compose Specification, "Extension".
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.compose.findings import did_you_mean, path_text
from leeward.compose.project import Project, Service, ValuePath
from leeward.settings.service import (
    SIZES,
    NetworkSettings,
    ProjectSettings,
    ServiceSettings,
    VolumeSettings,
)

KEY = "x-leeward"
ALMOST = 0.85  # how much an extension must look like ours to be taken for a mistake
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a project says for leeward: everything has settings, where nothing is said the defaults."""

    project: ProjectSettings
    services: Mapping[str, ServiceSettings]  # by Compose name
    volumes: Mapping[str, VolumeSettings]  # by key
    networks: Mapping[str, NetworkSettings]  # by key
    diagnostics: tuple[Diagnostic, ...]


def read_settings(project: Project) -> Declared:
    """Return every setting of `project`. What cannot be read is reported and left at its default."""
    reader = _Reader(project)
    whole = reader.read(ProjectSettings(), (), project.extensions)
    services = {name: reader.service(service, whole) for name, service in project.services.items()}
    volumes, networks = VolumeSettings(), NetworkSettings()
    of_volumes = {
        key: reader.read(volumes, ("volumes", key), volume.extensions)
        for key, volume in project.volumes.items()
    }
    of_networks = {
        key: reader.read(networks, ("networks", key), network.extensions)
        for key, network in project.networks.items()
    }
    reader.refuse_elsewhere()
    return Declared(
        project=whole,
        services=services,
        volumes=of_volumes,
        networks=of_networks,
        diagnostics=tuple(reader.found),
    )


def is_external(service: Service) -> bool:
    """Tell whether somebody else runs `service`, as its file has it."""
    written = service.extensions.get(KEY)
    return isinstance(written, Mapping) and written.get("external") is not None


class _Reader:
    """Reads one project and collects what is wrong."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._default = ServiceSettings()
        self.found: list[Diagnostic] = []

    def read(self, default: T, path: ValuePath, extensions: Mapping[str, Any]) -> T:
        """Return the settings at `path`: a copy of `default` with what is said."""
        self._warn_of_typos(path, extensions)
        if extensions.get(KEY) is None:
            return default
        from leeward.settings.check import check

        checked = check(type(default), extensions[KEY])
        for problem in checked.problems:
            self._report(
                (*path, KEY, *problem.path), problem.code, Severity.ERROR, problem.message, problem.remedy
            )
        return default if checked.settings is None else checked.settings

    def service(self, service: Service, whole: ProjectSettings) -> ServiceSettings:
        """Return the settings of one service, after the rules between them."""
        path: ValuePath = ("services", service.name)
        settings = self.read(self._default, path, service.extensions)
        if settings is self._default:
            return settings
        settings = replace(settings, hosts=tuple(dict.fromkeys(settings.hosts)))  # of several files
        from leeward.settings.rules import broken_rules

        for rule in broken_rules(service, settings):
            self._report((*path, KEY, *rule.path), "bad-setting", rule.severity, rule.message, rule.remedy)
        sizes = {**SIZES, **whole.sizes}
        if settings.size is not None and settings.size not in sizes:
            self._report(
                (*path, KEY, "size"), "unknown-size", Severity.ERROR,
                f'There is no size "{settings.size}".',
                did_you_mean(settings.size, sizes) or f"The sizes are {', '.join(sizes)}.",
            )  # fmt: skip
        return settings

    def refuse_elsewhere(self) -> None:
        """Report settings of configs and secrets, which have none."""
        for section in ("configs", "secrets"):
            for key, entry in getattr(self._project, section).items():
                if KEY in entry.extensions:
                    self._report(
                        (section, key, KEY), "unknown-setting", Severity.ERROR,
                        f"{section.capitalize()} have no settings for leeward.", "Remove it.",
                    )  # fmt: skip

    def _warn_of_typos(self, path: ValuePath, extensions: Mapping[str, Any]) -> None:
        """Report extensions that mean nothing and are spelt almost like ours."""
        for key in extensions:
            if key != KEY and difflib.SequenceMatcher(None, key.lower(), KEY).ratio() > ALMOST:
                self._report(
                    (*path, key), "unknown-extension", Severity.WARNING,
                    f'"{key}" means nothing to leeward.', f'Did you mean "{KEY}"?',
                )  # fmt: skip

    def _report(self, path: ValuePath, code: str, severity: Severity, message: str, remedy: str) -> None:
        self.found.append(
            Diagnostic(
                path=path_text(path),
                location=self._project.locations.find(*path),
                code=code,
                severity=severity,
                message=message,
                remedy=remedy,
            )
        )
