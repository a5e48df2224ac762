"""Builds the images of a project for the process runtime, and refuses at once what cannot run here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.cli import output
from leeward.cluster.runtimes.process.build import build
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.statedir import StateDir
from leeward.compose.project import Build, Project, Service
from leeward.delivery.images.plan import finding


def prepare_images(project: Project, state: StateDir) -> Mapping[str, str]:
    """Build what has a ``build:``; check the rest. Returns service → reference of what was built.

    Raises:
        DiagnosticsError: images that cannot run on this machine, all of them, with file and line.
    """
    store = ImageStore(state.images)
    built: dict[str, str] = {}
    problems: list[Diagnostic] = []
    made: dict[tuple[object, ...], str] = {}
    notes: list[str] = []
    for name, service in project.services.items():
        if service.build is not None:
            built[name] = _build(project, name, service, store, made, problems, notes)
            _check_command(project, name, store, built[name], problems)
        elif service.image and (why := store.why_not(service.image)) is not None:
            problems.append(finding(project, name, "image", "image-cannot-run", why.message, why.remedy))
        others = sorted({hook.image for hook in service.pre_start if hook.image} - {service.image})
        problems += [
            finding(project, name, "pre_start", "image-cannot-run", why.message, why.remedy)
            for image in others
            if (why := store.why_not(image)) is not None
        ]
    for text in dict.fromkeys(notes):  # services of one Dockerfile have the same
        output.note(f"note: {text}")
    if problems:
        raise DiagnosticsError(problems)
    return built


def images_here(project: Project, state: StateDir) -> Mapping[str, str]:
    """As :func:`prepare_images`, but simulated containers take every image as it is written."""
    simulated = state.exists() and state.load()["runtime"] == "simulated"
    return {} if simulated else prepare_images(project, state)


def _build(
    project: Project,
    name: str,
    service: Service,
    store: ImageStore,
    made: dict[tuple[object, ...], str],
    problems: list[Diagnostic],
    notes: list[str],
) -> str:
    assert service.build is not None
    context = Path(service.build.context or project.working_dir)
    dockerfile = _dockerfile(service.build, context, store)
    args = {key: value for key, value in (service.build.args or {}).items() if value is not None}
    key = (context, dockerfile, service.build.target, tuple(sorted(args.items())))
    if key in made:
        return made[key]
    reference = service.image or f"leeward.local/{project.name}/{name}"
    try:
        image, found = build(
            store, reference, context=context, dockerfile=dockerfile, target=service.build.target, args=args
        )
    except UserInputError as error:
        problems.append(finding(project, name, "build", "cannot-build", str(error), error.remedy))
        return reference
    notes += found
    tagged = f"leeward.local/{project.name}/{name}:{image.id[-12:]}"
    store.tag(tagged, image.id)
    store.tag(f"leeward.local/{project.name}/{name}:latest", image.id)  # as `leeward render` names it
    made[key] = tagged
    return tagged


def _dockerfile(build: Build, context: Path, store: ImageStore) -> Path:
    """Return where the Dockerfile is; one that stands in the Compose file is written to the image store."""
    if build.dockerfile_inline is not None:
        digest = hashlib.sha256(build.dockerfile_inline.encode()).hexdigest()[:12]
        path = store.directory / f"inline-{digest}.Dockerfile"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(build.dockerfile_inline, encoding="utf-8")
        return path
    return context / (build.dockerfile or "Dockerfile")


def _check_command(
    project: Project, name: str, store: ImageStore, reference: str, problems: list[Diagnostic]
) -> None:
    """Refuse a service that has nothing to run before anything is started."""
    service, image = project.services[name], store.read(reference)
    if image is None or image.entrypoint or image.cmd or service.command or service.entrypoint:
        return
    message = (
        f"The image of {name!r} has neither ENTRYPOINT nor CMD: those of its base image are not known here."
    )
    problems.append(
        finding(
            project, name, "build", "no-command", message, "Write `command:` here, or CMD in the Dockerfile."
        )
    )
