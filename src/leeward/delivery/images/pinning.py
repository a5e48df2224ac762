"""Pins the images of a project's services by digest: asks registries, builds and pushes.

What is wrong is told together. Nothing is built while anything else is known to be wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.compose.project import Build, Project, Secret
from leeward.delivery.images.engines import Engine, Log, Order
from leeward.delivery.images.plan import ImageOptions, finding, identity, plan_images, refused, told
from leeward.delivery.images.references import Reference, parse_reference, without_tls

_AT_ONCE = 8  # questions to registries
_REVISION, _SOURCE = "org.opencontainers.image.revision", "org.opencontainers.image.source"


class Digests(Protocol):
    """Knows what references are now; ``leeward.delivery.images.registry.Registry`` does."""

    async def digest(self, reference: Reference) -> str:
        """Return ``sha256:…``; errors are OperationError and UserInputError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The images of a project, and which of them were built."""

    images: Mapping[str, str]  # service → "registry/web@sha256:…"
    built: Mapping[str, str]  # service with a `build:` → what was built and pushed: "registry/web:1.2"


def origin_labels(revision: str, source: str) -> dict[str, str]:
    """Return the labels that say where an image is from.

    Args:
        revision: the commit; "" when it is not known.
        source: the repository's URL; "" when it is not known. A user name and password are left out.
    """
    source = re.sub(r"\A([a-z][a-z0-9+.-]*://)[^/]*@", r"\1", source)
    return {name: value for name, value in ((_REVISION, revision), (_SOURCE, source)) if value}


class ImagePinner:
    """Finds the digest of every image of a project; fulfils ``ImageResolver``.

    Args:
        digests: asks registries.
        engine: builds; None when this machine has none.
        options: what was asked for.
        log: takes the lines that the engine writes.
    """

    def __init__(self, digests: Digests, engine: Engine | None, options: ImageOptions, log: Log) -> None:
        self._digests = digests
        self._engine = engine
        self._options = options
        self._log = log

    async def resolve(self, project: Project) -> Mapping[str, str]:
        """Return service → ``repository@sha256:…``; errors as of :meth:`pin`."""
        return (await self.pin(project)).images

    async def pin(self, project: Project) -> Pinned:
        """Ask registries, then build and push.

        Services without an image, which a provider runs, are left out.

        Raises:
            DiagnosticsError: images that cannot be pinned, all that are known, with file and line.
        """
        plan = plan_images(project, self._options, can_build=self._engine is not None)
        problems = list(plan.problems)
        orders = {name: self._order(project, name, target, problems) for name, target in plan.built.items()}
        images = {**plan.pinned, **await self._ask(project, plan.asked, problems)}
        if problems:
            raise DiagnosticsError(problems)
        images |= await self._build(project, orders, problems)
        if problems:
            raise DiagnosticsError(problems)
        images |= {name: images[builder] for name, builder in plan.follows.items()}
        return Pinned(
            images={name: images[name] for name in project.services if name in images},
            built={name: order.reference for name, order in orders.items()},
        )

    async def _ask(
        self, project: Project, asked: Mapping[str, Reference], problems: list[Diagnostic]
    ) -> dict[str, str]:
        """Ask for each distinct image once, some at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(reference: Reference) -> str | OperationError | UserInputError:
            async with gate:
                try:
                    return await self._digests.digest(reference)
                except (OperationError, UserInputError) as error:
                    return error

        distinct = {identity(reference): reference for reference in asked.values()}
        async with asyncio.TaskGroup() as group:
            tasks = {key: group.create_task(ask(reference)) for key, reference in distinct.items()}
        found: dict[str, str] = {}
        for name, reference in asked.items():
            outcome = tasks[identity(reference)].result()
            if isinstance(outcome, str):
                found[name] = reference.pinned(outcome)
            else:
                problems.append(refused(project, name, self._options, "image-not-pinned", outcome))
        return found

    def _order(self, project: Project, name: str, target: Reference, problems: list[Diagnostic]) -> Order:
        """Return what to build for a service, with all values in it."""
        service, options = project.services[name], self._options
        assert service.build is not None
        secrets: dict[str, bytes] = {}
        for use in service.build.secrets:
            try:
                secrets[use.target or use.source] = _value(project.secrets[use.source])
            except UserInputError as error:
                problems.append(finding(project, name, "build", "cannot-build", *told(error)))
        build = _complete(service.build, options)
        if not build.platforms and service.platform:
            build = dataclasses.replace(build, platforms=(service.platform,))
        return Order(
            reference=str(target),
            build=build,
            secrets=secrets,
            insecure=without_tls(target.registry, options.insecure),
        )

    async def _build(
        self, project: Project, orders: Mapping[str, Order], problems: list[Diagnostic]
    ) -> dict[str, str]:
        """Build one after the other, because engines use all of a machine; what is the same is built once."""
        found: dict[str, str] = {}
        done: list[tuple[Order, str]] = []
        for name, order in orders.items():
            digest = next((digest for before, digest in done if before == order), None)
            try:
                if digest is None:
                    assert self._engine is not None  # else there would be no orders
                    digest = await self._engine.build_and_push(order, self._log)
                    done.append((order, digest))
                found[name] = parse_reference(order.reference).pinned(digest)
            except OperationError as error:
                problems.append(finding(project, name, "build", "cannot-build", *told(error)))
        return found


def _complete(build: Build, options: ImageOptions) -> Build:
    """Return `build` with the values of its arguments, and all labels."""
    values = {
        key: options.variables.get(key) if value is None else value for key, value in build.args.items()
    }
    args = {key: value for key, value in values.items() if value is not None}
    return dataclasses.replace(build, args=args, labels={**options.labels, **build.labels})


def _value(secret: Secret) -> bytes:
    """Return the value of a secret that a build uses.

    Raises:
        UserInputError: there is none on this machine.
    """
    if secret.content is not None:
        return secret.content.encode()
    if secret.file is None:
        missing = f"the variable {secret.environment} is not set" if secret.environment else "it is external"
        raise UserInputError(f"The build needs the secret {secret.key!r}, but {missing}.")
    try:
        return Path(secret.file).read_bytes()
    except OSError as error:
        raise UserInputError(
            f"The build needs the secret {secret.key!r}, but {secret.file}: {error.strerror}."
        ) from error
