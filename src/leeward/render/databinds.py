"""Bind mounts that ``x-leeward.binds`` calls data: named volumes by another name.

They are turned into volumes of the project before anything is decided, so that everything that holds for
volumes (claims, one writer or several, StatefulSets) holds for them.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace

from leeward.compose.project import Mount, Project, Service, Volume
from leeward.render import naming
from leeward.settings.read import KEY

DATA = "data"


def _targets(service: Service) -> frozenset[str]:
    """Return the targets that are called data; anything that is not even a mapping is reported elsewhere."""
    written = service.extensions.get(KEY)
    binds = written.get("binds") if isinstance(written, Mapping) else None
    if not isinstance(binds, Mapping):
        return frozenset()
    return frozenset(posixpath.normpath(str(target)) for target, kind in binds.items() if kind == DATA)


def _key(service: Service, mount: Mount) -> str:
    return naming.dns_label(f"{service.name}{mount.target.replace('/', '-')}")


def with_data_volumes(project: Project) -> Project:
    """Return `project` with a named volume for every bind mount of data."""
    services, volumes = dict(project.services), dict(project.volumes)
    for name, service in project.services.items():
        if not (targets := _targets(service)):
            continue
        mounts = []
        for mount in service.volumes:
            if mount.type == "bind" and posixpath.normpath(mount.target) in targets:
                key = _key(service, mount)
                volumes.setdefault(key, Volume(key=key, name=key))
                mount = replace(mount, type="volume", source=key)
            mounts.append(mount)
        services[name] = replace(service, volumes=tuple(mounts))
    if services == project.services:
        return project
    return replace(project, services=services, volumes=volumes)
