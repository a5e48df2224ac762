"""Which project on which cluster a verb is about: named, or that of the Compose file here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.cli import clusters
from leeward.cluster.statedir import StateDir
from leeward.render.naming import dns_label


@dataclass(frozen=True, slots=True)
class Target:
    """A project on a running cluster."""

    state: StateDir
    project: str
    namespace: str
    services: tuple[str, ...]  # as the Compose files have them; empty when only a name was given


def find_target(cluster: str, files: Sequence[Path] | None, project_name: str | None) -> Target:
    """Return what a verb is about.

    Raises:
        OperationError: the cluster does not run.
        DiagnosticsError: the Compose files cannot be used.
    """
    state = clusters.require_running(cluster)
    if project_name and not files:
        return Target(state, project_name, dns_label(project_name), ())
    from leeward.cli.projects import Source, render_project

    rendered = render_project(Source.of(files, None, None, project_name), quiet=True)
    return Target(state, rendered.project.name, rendered.namespace, tuple(rendered.project.services))


def check_service(target: Target, service: str) -> None:
    """Refuse a service that the project does not have.

    Raises:
        UserInputError: there is none; the message lists what there is.
    """
    if target.services and service not in target.services:
        known = ", ".join(target.services)
        raise UserInputError(f"{target.project} has no service {service!r}", remedy=f"It has: {known}.")
