"""One environment of ``leeward.yaml``: what to load for it, and what it says of the loaded services.

``local`` is where people develop: it need not be written, and has the override file next to the application's
Compose file, as with Docker Compose. Other environments have exactly the files that are written.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from leeward.base.diagnostics import Diagnostic
from leeward.compose.findings import ValuePath, did_you_mean
from leeward.compose.project import Project, Service
from leeward.compose.source import FILE_NAMES, OVERRIDE_NAMES
from leeward.settings.config import Environment
from leeward.settings.configfile import ConfigFile
from leeward.settings.read import KEY
from leeward.settings.service import SIZES

LOCAL = "local"  # the environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to load for an environment; empty and None: as without ``leeward.yaml``."""

    app: str | None = None
    files: tuple[str, ...] = ()  # absolute
    env_files: tuple[str, ...] = ()  # absolute
    profiles: tuple[str, ...] = ()
    variables: Mapping[str, str] | None = None
    namespace: str | None = None
    embedded: bool | None = None


def environment_error(file: ConfigFile, name: str) -> Diagnostic | None:
    """Return what is wrong with asking for the environment `name`, if anything is."""
    known = file.config.environments
    if name == LOCAL or name in known:
        return None
    remedy = did_you_mean(name, known) or "Add it, or use one of these."
    there = f"It has {', '.join(known)}." if known else "It has none."
    return file.problem(
        ("environments",), "unknown-environment", f'There is no environment "{name}". {there}', remedy
    )


def inputs_of(file: ConfigFile, name: str) -> Inputs:
    """Return what to load for the environment `name`, which is known or local."""
    config = file.config
    environment = config.environments.get(name)
    if environment is None:
        return Inputs(app=config.app, files=application_files(file, with_override=True))

    def absolute(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.join(file.directory, each) for each in names)

    return Inputs(
        app=config.app,
        files=(*application_files(file, with_override=name == LOCAL), *absolute(environment.compose)),
        env_files=absolute(environment.env_file),
        profiles=environment.profiles,
        variables=environment.variables,
        namespace=environment.namespace,
        embedded=config.cluster_of(environment).embedded is not None,
    )


def application_files(file: ConfigFile, *, with_override: bool) -> tuple[str, ...]:
    """Return the application's Compose files, those that are written or the one that Compose finds."""
    found = [os.path.join(file.directory, name) for name in file.config.compose]
    if not found:
        present = (os.path.join(file.directory, name) for name in FILE_NAMES)
        found = [path for path in present if os.path.isfile(path)][:1]
    if with_override and len(found) == 1 and os.path.basename(found[0]) in FILE_NAMES:
        beside = (os.path.join(os.path.dirname(found[0]), name) for name in OVERRIDE_NAMES)
        found += [path for path in beside if os.path.isfile(path)][:1]
    return tuple(found)


def apply_environment(file: ConfigFile, name: str, project: Project) -> tuple[Project, list[Diagnostic]]:
    """Return `project` as the environment `name` has it, and what is wrong with what that says of it."""
    environment = file.config.environments.get(name)
    if environment is None:
        return project, []
    found = [
        file.problem(("environments", name, *path), code, message, remedy)
        for path, code, message, remedy in _problems(environment, project)
    ]
    services = {key: _with_defaults(service, environment) for key, service in project.services.items()}
    return replace(project, services=services), found


def _with_defaults(service: Service, environment: Environment) -> Service:
    """Return `service` as if its ``x-leeward`` said what the environment says of it."""
    own = service.extensions.get(KEY) or {}
    if not isinstance(own, Mapping):
        return service
    settings: dict[str, Any] = dict(own)
    if environment.size is not None:
        settings.setdefault("size", environment.size)
    if service.name in environment.replicas:
        settings["replicas"] = environment.replicas[service.name]
    return replace(service, extensions={**service.extensions, KEY: settings}) if settings != own else service


def _problems(environment: Environment, project: Project) -> Iterator[tuple[ValuePath, str, str, str]]:
    known = (*project.services, *project.disabled)
    named: list[tuple[ValuePath, str]] = [(("replicas", name), name) for name in environment.replicas]
    for index, each in enumerate(environment.verify):
        uses = (("run", each.run), ("service", each.service))
        named += [(("verify", index, key), name) for key, name in uses if name is not None]
    for path, name in named:
        if name not in known:
            remedy = did_you_mean(name, known) or f"There are: {', '.join(known)}."
            yield path, "unknown-service", f'There is no service "{name}".', remedy
    whole = project.extensions.get(KEY)
    own = whole.get("sizes") if isinstance(whole, Mapping) else None
    sizes = (*SIZES, *(own if isinstance(own, Mapping) else ()))
    if environment.size is not None and environment.size not in sizes:
        remedy = did_you_mean(environment.size, sizes) or f"The sizes are {', '.join(sizes)}."
        yield ("size",), "unknown-size", f'There is no size "{environment.size}".', remedy
