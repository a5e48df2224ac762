"""Decides where the digest of each service's image comes from. Pure.

In this order: what was given for the service, a reference that has a digest, ``build:``, the registry. A
service that uses the image another one builds, without a ``build:`` of its own, gets what that one gets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import OperationError, UserInputError
from leeward.compose.project import Project, Service
from leeward.delivery.images.references import Reference, parse_reference
from leeward.render.naming import dns_label


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageOptions:
    """What was asked for besides what the Compose files say."""

    given: Mapping[str, str] = field(default_factory=dict)  # service → reference, of ``--image``
    registry: str = ""  # where images without a registry's name are pushed: "registry.example.com/team"
    insecure: Collection[str] = ()  # registries without TLS: "registry.local:5000"
    variables: Mapping[str, str] = field(default_factory=dict)  # for arguments of `build:` without a value
    labels: Mapping[str, str] = field(default_factory=dict)  # of what is built; those of `build:` win


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """Where the digests come from; a service is in one of the four, or has a problem, or has no image."""

    pinned: dict[str, str] = field(default_factory=dict)  # service → "registry/web@sha256:…"
    asked: dict[str, Reference] = field(default_factory=dict)  # service → what to ask its registry for
    built: dict[str, Reference] = field(default_factory=dict)  # service → where to push what is built
    follows: dict[str, str] = field(default_factory=dict)  # service → the one whose image it uses
    problems: list[Diagnostic] = field(default_factory=list)


def plan_images(project: Project, options: ImageOptions, *, can_build: bool) -> ImagePlan:
    """Decide for each service of a project.

    Args:
        project: its enabled services count.
        options: what was asked for.
        can_build: whether there is an engine.
    """
    plan = ImagePlan()
    for name in options.given:
        if name not in project.services:
            message = f"There is no service {name!r} in this project."
            plan.problems.append(_given_finding(name, "unknown-service", message))
    builders = _builders(project)
    for name, service in project.services.items():
        try:
            _place(plan, project, service, options, builders, can_build)
        except UserInputError as error:
            plan.problems.append(refused(project, name, options, "bad-image", error))
    return plan


def identity(reference: Reference) -> tuple[str, str, str]:
    """Return what is the same for all spellings of a reference that has no digest."""
    return reference.registry, reference.repository, reference.tag


def finding(
    project: Project, service: str, key: str, code: str, message: str, remedy: str = ""
) -> Diagnostic:
    """Return what is wrong with a service's ``image`` or ``build``."""
    return Diagnostic(
        path=f"services.{service}.{key}",
        location=project.locations.find("services", service, key),
        code=code,
        severity=Severity.ERROR,
        message=message,
        remedy=remedy,
    )


def refused(
    project: Project, service: str, options: ImageOptions, code: str, error: OperationError | UserInputError
) -> Diagnostic:
    """Return why a service's image is no good, which the command line or the files named."""
    if service in options.given:
        return _given_finding(service, code, *told(error))
    return finding(project, service, "image", code, *told(error))


def told(error: OperationError | UserInputError) -> tuple[str, str]:
    """Return message and remedy of an error such that the one can stand before the other."""
    message = str(error)
    if error.remedy and not message.endswith("."):
        message += "\n" if "\n" in message else "."
    return message, error.remedy


def _place(
    plan: ImagePlan,
    project: Project,
    service: Service,
    options: ImageOptions,
    builders: Mapping[tuple[str, str, str], str],
    can_build: bool,
) -> None:
    """Put a service where it belongs.

    Raises:
        UserInputError: its image is no reference.
    """
    name = service.name
    text = options.given.get(name) or service.image
    reference = parse_reference(text) if text else None
    if reference and reference.digest:
        plan.pinned[name] = reference.pinned(reference.digest)
    elif service.build is not None and name not in options.given:
        problem = _why_not_built(service, reference, options, can_build)
        if problem is None:
            plan.built[name] = _target(service, reference, options)
        else:
            plan.problems.append(finding(project, name, "build", "cannot-build", *problem))
    elif reference and name not in options.given and identity(reference) in builders:
        plan.follows[name] = builders[identity(reference)]
    elif reference:
        plan.asked[name] = reference


def _builders(project: Project) -> dict[tuple[str, str, str], str]:
    """Return which service builds what."""
    found: dict[tuple[str, str, str], str] = {}
    for name, service in project.services.items():
        if service.build is not None and service.image:
            try:
                found.setdefault(identity(parse_reference(service.image)), name)
            except UserInputError:  # which is told of the service itself
                continue
    return found


def _why_not_built(
    service: Service, reference: Reference | None, options: ImageOptions, can_build: bool
) -> tuple[str, str] | None:
    """Return what keeps a service's image from being built, and the ways out."""
    name, build = service.name, service.build
    assert build is not None
    given = f"`--image {name}=REGISTRY/NAME@sha256:…`"
    if not can_build:
        return (
            f"This machine has nothing that builds the image of {name!r}.",
            f"Give what your CI has built: {given}; or install Docker with buildx, or Podman.",
        )
    if (reference is None or reference.is_bare) and not options.registry:
        return (
            f"The image of {name!r} has no name with which it could be pushed to a registry of yours.",
            "Write `image: REGISTRY/NAME:TAG` next to `build:`, or set `registry` in leeward.yaml, or give "
            f"{given}.",
        )
    others = [key for key, value in build.additional_contexts.items() if value.startswith("service:")]
    if others:
        return (
            f"The additional context {others[0]!r} is another service, which is not built first here.",
            f"Name an image as `docker-image://…`, or let your CI build it and give {given}.",
        )
    return None


def _target(service: Service, reference: Reference | None, options: ImageOptions) -> Reference:
    """Return where a service's image is pushed: as it is called, or into the registry of the options."""
    if reference is not None and not reference.is_bare:
        return reference
    name = str(reference) if reference else f"{dns_label(service.name)}:latest"
    return parse_reference(f"{options.registry.rstrip('/')}/{name}")


def _given_finding(name: str, code: str, message: str, remedy: str = "") -> Diagnostic:
    return Diagnostic(
        path=f"--image {name}",
        location=None,
        code=code,
        severity=Severity.ERROR,
        message=message,
        remedy=remedy,
    )
