"""Which project on which cluster a verb is about: named, or that of the Compose files here.

These verbs need names only, so what the Compose files lack for running, such as a required variable, does
not stop them. What runs is asked of the cluster: a service may run that the files no longer have.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.cli import output

if TYPE_CHECKING:
    from leeward.cli.projects import Source
    from leeward.cluster.statedir import StateDir
    from leeward.delivery.api import Api

Running = Mapping[str, Collection[str]]  # project → the services of it that are on the cluster


@dataclass(frozen=True, slots=True)
class Target:
    """A project on a running cluster."""

    cluster: str
    state: StateDir
    project: str
    namespace: str
    services: tuple[str, ...]  # as the Compose files have them; empty when these were not readable
    here: bool  # it is that of Compose files, not only a name


def find_target(
    cluster: str,
    files: Sequence[Path] | None,
    project_name: str | None,
    env_files: Sequence[Path] | None = None,
) -> Target:
    """Return what a verb is about.

    Raises:
        OperationError: the cluster does not run.
        DiagnosticsError: the Compose files do not even tell the project's name.
    """
    from leeward.cli import clusters
    from leeward.cli.projects import Source
    from leeward.render.naming import dns_label

    state = clusters.require_running(cluster)
    if project_name and not files:
        return Target(cluster, state, project_name, dns_label(project_name), (), here=False)
    name, services = read_names(Source.of(files, None, env_files, project_name))
    return Target(cluster, state, name, dns_label(name), services, here=True)


def read_names(source: Source) -> tuple[str, tuple[str, ...]]:
    """Return the name and the services of the project of Compose files.

    When the files cannot be used as they are, only the name is known, and a note says why.

    Raises:
        DiagnosticsError: the name cannot be told either.
    """
    from leeward.cli.projects import load_options
    from leeward.compose.load import find_project_name, load_project

    options = load_options(source)
    try:
        project = load_project(options).project
    except DiagnosticsError as error:
        try:
            name = find_project_name(options)
        except DiagnosticsError:
            raise error from None
        first = error.diagnostics[0]
        where = f"{first.location}: " if first.location else ""
        output.note(f"note: {where}{first.message} Going by the project's name: {name}.")
        return name, ()
    return project.name, (*project.services, *project.disabled)


async def find_running(api: Api) -> Running:
    """Return every project that is on a cluster, by name, with its services."""
    from leeward.delivery.health import WORKLOADS
    from leeward.kube.objects import labels_of
    from leeward.kube.wellknown import APP_MANAGED_BY, APP_NAME, APP_PART_OF

    found: dict[str, set[str]] = {}
    for resource in WORKLOADS.values():
        for workload in await api.list(resource, "", label_selector=f"{APP_MANAGED_BY}=leeward"):
            labels = labels_of(workload)
            services = found.setdefault(labels.get(APP_PART_OF, ""), set())
            services.add(labels.get(APP_NAME) or workload["metadata"]["name"])
    return found


def require_project(target: Target, running: Running) -> None:
    """Refuse a project that is not on the cluster.

    Raises:
        OperationError: it is not; the remedy lists those that are.
    """
    if target.project in running:
        return
    others = f"On it: {', '.join(sorted(running))}." if running else "Nothing is on it."
    raise OperationError(
        f"project {target.project} is not on cluster {target.cluster}",
        remedy=f"{others} Start a project with `leeward up` in its directory.",
    )


def require_services(target: Target, wanted: Sequence[str], running: Running) -> list[str]:
    """Return services as the cluster calls them.

    Raises:
        OperationError: the project is not on the cluster.
        UserInputError: neither the Compose files nor the cluster have such a service.
    """
    from leeward.render.naming import dns_label

    require_project(target, running)
    live = running[target.project]
    known = sorted({*target.services, *live})
    for service in wanted:
        if service not in known:
            raise UserInputError(
                f"{target.project} has no service {service!r}", remedy=f"It has: {', '.join(known)}."
            )
    return [service if service in live else dns_label(service) for service in wanted]
