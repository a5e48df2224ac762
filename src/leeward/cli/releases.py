"""Makes a release: loads the base project, pins its images, writes it to the hub of the first environment."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leeward.base.diagnostics import Severity
from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.projects import Source, base_options, show_findings
from leeward.cli.provenance import git_of
from leeward.cli.waivers import sort_by_waivers
from leeward.compose.findings import did_you_mean
from leeward.compose.load import LoadOptions
from leeward.compose.project import Project
from leeward.delivery.audit.trail import append
from leeward.delivery.identity import who_am_i
from leeward.delivery.images.references import parse_reference
from leeward.delivery.installing import ensure_definitions, ensure_namespace
from leeward.delivery.releases.bundle import bundle_of, release_object
from leeward.delivery.releases.inputs import ENVIRONMENT, Recorded, record_project
from leeward.delivery.releases.kept import add_release, find_release, list_releases
from leeward.delivery.releases.making import Made, make_bundle
from leeward.delivery.releases.unset import load_unset
from leeward.kube.objects import Obj
from leeward.render.render import RenderOptions, render
from leeward.settings.read import is_external

if TYPE_CHECKING:
    from leeward.base.clock import PassiveClock
    from leeward.cli.hub import Application
    from leeward.delivery.api import ImageResolver
    from leeward.kube.client import KubeClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What ``leeward release create`` was asked for."""

    source: Source
    version: str = ""
    images: Mapping[str, str]  # service → reference with a digest
    images_of: str | None = None  # a release


@dataclass(frozen=True, slots=True)
class Stored:
    """A release in the hub."""

    release: Obj
    new: bool


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project that can become a release."""

    here: Project  # with the services that run, on this machine's disk
    recorded: Recorded
    options: LoadOptions
    root: str


def first_environment(app: Application) -> str:
    """Return the environment that releases come into from the build.

    Raises:
        UserInputError: there is none.
    """
    for name, environment in app.config.environments.items():
        if environment.from_ is None:
            return name
    raise UserInputError(
        "leeward.yaml has no environment that releases start in",
        remedy="Leave out `from` of the first one, such as `ci: {cluster: local}`.",
    )


def images_given(given: Sequence[str]) -> dict[str, str]:
    """Return service → reference, of ``--image``.

    Raises:
        UserInputError: one is no reference with a digest.
    """
    found: dict[str, str] = {}
    for text in given:
        service, equals, image = text.partition("=")
        if not equals or not service:
            raise UserInputError(
                f"--image {text} names no service", remedy="Write it as `--image web=registry/web@sha256:…`."
            )
        reference = parse_reference(image)
        if not reference.digest:
            raise UserInputError(
                f"--image {text} has no digest: what {image} is may change",
                remedy="Write `registry/name@sha256:…`; `docker push` prints the digest.",
            )
        found[service] = reference.pinned(reference.digest)
    return found


def prepare(source: Source, name: str) -> Prepared:
    """Load the base project, tell what is wrong with it, and take down what it is made of.

    Raises:
        DiagnosticsError: leeward.yaml or the Compose files cannot be used.
    """
    options, config_directory = base_options(source, name)
    loaded, _ = load_unset(replace(options, profiles=("*",)))
    waived = sort_by_waivers(loaded.project, loaded.diagnostics)
    show_findings([*waived.open, *waived.expired])
    rendered = render(loaded.project, RenderOptions(environment=ENVIRONMENT))
    errors = [each for each in rendered.diagnostics if each.severity is Severity.ERROR]
    if problems := sort_by_waivers(loaded.project, errors).open:
        output.note(
            f"note: {output.count(len(problems), 'error')} that environments would have to correct; "
            "`leeward check` shows them"
        )
    project = loaded.project
    here = {
        key: each for key, each in project.services.items() if not is_external(each) and each.provider is None
    }
    files = options.files or [os.path.join(options.working_dir, file) for file in project.files]
    recorded = record_project(replace(options, files=files))
    root = os.path.relpath(config_directory, project.working_dir)
    return Prepared(replace(project, services=here), recorded, options, root)


def check_services(project: Project, images: Mapping[str, str]) -> None:
    """Refuse images of services that are not there.

    Raises:
        UserInputError: there is no such service.
    """
    for service in images:
        if service not in project.services:
            remedy = did_you_mean(service, project.services) or f"It has: {', '.join(project.services)}."
            raise UserInputError(f"--image: the project has no service {service!r}", remedy=remedy)


async def create(
    api: KubeClient,
    app: Application,
    wish: Wish,
    prepared: Prepared,
    resolver: Callable[[], ImageResolver],
    clock: PassiveClock,
) -> Stored:
    """Pin images, make the release and write it.

    Raises:
        LeewardError: an image cannot be pinned, or the cluster refuses.
    """
    who = await who_am_i(api)
    await ensure_definitions(api)
    images = dict(wish.images)
    if wish.images_of is not None:
        taken = bundle_of(await find_release(api, app.name, wish.images_of)).images
        images = {name: image for name, image in taken.items() if name in prepared.here.services} | images
    images = await _pinned(prepared.here, images, resolver)
    made = make_bundle(prepared.recorded, images, prepared.root)
    output.show_diagnostics(made.findings)
    _tell_needs(made)
    release = release_object(
        made.bundle, version=wish.version, created_by=who, git=git_of(prepared.here.working_dir)
    )
    await _refuse_taken(api, app.name, release)
    return await store(api, app.name, release, who, clock)


async def _refuse_taken(api: KubeClient, app: str, release: Obj) -> None:
    """Refuse a version that another release has: nobody could tell them apart by it.

    Raises:
        UserInputError: there is one.
    """
    version, name = release["spec"].get("version"), release["metadata"]["name"]
    for each in await list_releases(api, app) if version else ():
        if each["spec"].get("version") == version and each["metadata"]["name"] != name:
            raise UserInputError(
                f"{version} is the version of {each['metadata']['name']} already",
                remedy="Give this one another --version; a release never changes.",
            )


async def store(api: KubeClient, app: str, release: Obj, who: str, clock: PassiveClock) -> Stored:
    """Write a release into its hub, if it is new."""
    await ensure_namespace(api, release["metadata"]["namespace"])
    if (
        release["spec"].get("createdBy") != who
    ):  # somebody else made it; whoever brings it here is told as well
        spec = {"createdBy": who, **release["spec"], "copiedBy": who}
        release = {**release, "spec": spec}
    there, new = await add_release(api, app, release)
    if new:
        await append(
            api,
            app,
            who=who,
            action="release-create",
            release=release["metadata"]["name"],
            result="succeeded",
            details={"version": release["spec"].get("version", "")},
            clock=clock,
        )
    version, called = release["spec"].get("version"), there["spec"].get("version")
    if version and version != called:
        output.note(f"note: it is called {called or 'nothing but its id'} already; {version} is not written")
    return Stored(there, new)


async def _pinned(
    project: Project, images: dict[str, str], resolver: Callable[[], ImageResolver]
) -> dict[str, str]:
    """Return service → image of all services: as given, as written with a digest, else as resolved."""
    left = {}
    for name, service in project.services.items():
        if name in images:
            continue
        if service.build is None and service.image and "@sha256:" in service.image:
            images[name] = service.image
        else:
            left[name] = service
    found = await resolver().resolve(replace(project, services=left)) if left else {}
    return {name: image for name in project.services if (image := images.get(name) or found.get(name))}


def _tell_needs(made: Made) -> None:
    needs = [need.name for need in made.bundle.secrets if need.required]
    if needs:
        count = output.count(len(needs), "secret")
        output.note(f"note: every environment needs values of {count}: {', '.join(needs)}")
