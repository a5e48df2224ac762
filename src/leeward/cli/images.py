"""Builds the images of a project for the process runtime, and refuses at once what cannot run here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cli import output
from leeward.cli.clusters import port_is_free
from leeward.cluster.runtimes.process.build import build
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.statedir import StateDir
from leeward.compose.project import Project, Service


def prepare_images(project: Project, state: StateDir, *, quiet: bool = False) -> Mapping[str, str]:
    """Build what has a ``build:``; check the rest. Returns service → reference of what was built.

    Raises:
        DiagnosticsError: images that cannot run on this machine, all of them, with file and line.
    """
    store = ImageStore(state.images)
    built: dict[str, str] = {}
    problems: list[Diagnostic] = []
    made: dict[tuple[object, ...], str] = {}
    for name, service in project.services.items():
        if service.build is not None:
            built[name] = _build(project, name, service, store, made, problems, quiet=quiet)
        elif service.image and (why := store.why_not(service.image)) is not None:
            problems.append(_finding(project, name, "image", "image-cannot-run", why))
    if problems:
        raise DiagnosticsError(problems)
    return built


def _build(
    project: Project,
    name: str,
    service: Service,
    store: ImageStore,
    made: dict[tuple[object, ...], str],
    problems: list[Diagnostic],
    *,
    quiet: bool,
) -> str:
    assert service.build is not None
    context = Path(service.build.context or project.working_dir)
    dockerfile = Path(service.build.dockerfile) if service.build.dockerfile else context / "Dockerfile"
    if not dockerfile.is_absolute():
        dockerfile = context / dockerfile
    args = {key: value for key, value in (service.build.args or {}).items() if value is not None}
    key = (context, dockerfile, service.build.target, tuple(sorted(args.items())))
    if key in made:
        return made[key]
    reference = service.image or f"leeward.local/{project.name}/{name}"
    try:
        image, notes = build(
            store, reference, context=context, dockerfile=dockerfile, target=service.build.target, args=args
        )
    except UserInputError as error:
        problems.append(_finding(project, name, "build", "cannot-build", str(error), error.remedy))
        return reference
    for text in () if quiet else notes:
        output.note(f"note: {text}")
    tagged = f"leeward.local/{project.name}/{name}:{image.id[-12:]}"
    store.tag(tagged, image.id)
    made[key] = tagged
    return tagged


def _finding(
    project: Project, service: str, key: str, code: str, message: str, remedy: str = ""
) -> Diagnostic:
    return Diagnostic(
        path=f"services.{service}.{key}",
        location=project.locations.find("services", service, key),
        code=code,
        severity=Severity.ERROR,
        message=message,
        remedy=remedy,
    )


def check_ports(project: Project, ours: set[tuple[str, int]]) -> None:
    """Refuse published ports that another program has.

    Args:
        project: the project.
        ours: (address, port) that this project publishes already.

    Raises:
        DiagnosticsError: ports that are taken, all of them, with file and line.
    """
    problems = []
    for name, service in project.services.items():
        for index, port in enumerate(service.ports):
            if not port.published or not str(port.published).isdigit() or port.protocol == "udp":
                continue
            host, number = port.host_ip or "127.0.0.1", int(port.published)
            if (host, number) not in ours and not port_is_free(number, host):
                location = project.locations.find("services", name, "ports", index)
                problems.append(
                    Diagnostic(
                        path=f"services.{name}.ports[{index}]",
                        location=location,
                        code="port-taken",
                        severity=Severity.ERROR,
                        message=f"port {number} on {host} is already taken",
                        remedy="Stop the program that has it, or publish another port.",
                    )
                )
    if problems:
        raise DiagnosticsError(problems)
