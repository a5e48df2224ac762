"""Bind mounts of data: named volumes by another name.

They are turned into volumes of the project before anything is decided, so that everything that holds for
volumes (claims, one writer or several, StatefulSets) holds for them. Services that bind one directory share
one volume.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from leeward.base.diagnostics import Severity
from leeward.compose.project import Mount, Project, Service, Volume, VolumeOptions
from leeward.render import naming
from leeward.render.bindkinds import BindKind, Decision, choice_of, classify
from leeward.render.files import Files
from leeward.render.model import ProjectContext
from leeward.settings.read import KEY


@dataclass(frozen=True, slots=True)
class DataBind:
    """A bind mount that became a volume."""

    service: str
    index: int  # in the service's volumes
    mount: Mount  # as written
    volume: str
    decision: Decision


class _Keys:
    """Names of volumes for directories, which say nothing of the machine that renders."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._sources = dict.fromkeys(project.volumes, "")  # name → directory, for those that are one's

    def of(self, source: str) -> str:
        """Return the name: its path in the project, or as many of its last words as tell it from others."""
        inside = posixpath.relpath(source, self._project.working_dir)
        outside = inside.startswith("..")
        words = [word for word in inside.split("/") if word != ".."]
        prefix = "host" if outside else "bind"
        for first in range(1, len(words) + 1) if outside else (len(words),):
            key = naming.dns_label(f"{prefix}-{'-'.join(words[-first:]).strip('.')}")
            if self._sources.setdefault(key, source) == source:
                return key
        return naming.hashed_name(prefix, inside)


def _settings(service: Service, mount: Mount) -> Mapping[str, Any]:
    """Return what ``x-leeward.binds`` says of the volume."""
    said = choice_of(service, posixpath.normpath(mount.target))
    return {key: said[key] for key in ("size", "class") if said.get(key) is not None}


def with_data_volumes(project: Project, files: Files) -> tuple[Project, tuple[DataBind, ...]]:
    """Return `project` with a named volume for every directory of data, and what became one."""
    services, volumes, found = dict(project.services), dict(project.volumes), list[DataBind]()
    keys = _Keys(project)
    for name, service in project.services.items():
        mounts = list(service.volumes)
        for index, mount in enumerate(mounts):
            if mount.type != "bind" or mount.source is None:
                continue
            decision = classify(project, service, mount, files)
            if decision.kind is not BindKind.DATA:
                continue
            key = keys.of(posixpath.normpath(mount.source))
            known = volumes.get(key, Volume(key=key, name=key))
            settings = {**known.extensions.get(KEY, {}), **_settings(service, mount)}
            volumes[key] = replace(known, extensions={KEY: settings}) if settings else known
            mounts[index] = replace(mount, type="volume", source=key, volume=VolumeOptions(nocopy=True))
            found.append(DataBind(name, index, mount, key, decision))
        services[name] = (
            replace(service, volumes=tuple(mounts)) if tuple(mounts) != service.volumes else service
        )
    if not found:
        return project, ()
    return replace(project, services=services, volumes=volumes), tuple(found)


def report_data(context: ProjectContext, binds: tuple[DataBind, ...]) -> None:
    """Tell which bind mounts became volumes, and why."""
    for bind in binds:
        left = "; what is in it now is not copied" if bind.decision.filled else ""
        size = context.plan.volume_settings[bind.volume].size
        context.report(
            ("services", bind.service, "volumes", bind.index),
            "data-directory",
            Severity.WARNING if left else Severity.NOTE,
            f"{bind.mount.target} is a volume of {size} that starts empty{left}: {bind.decision.why}.",
            "Say in x-leeward.binds what it is for, and the size of data.",
        )
