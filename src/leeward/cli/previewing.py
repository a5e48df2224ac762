"""``leeward up --preview``: rendering a preview, bringing it up or up to date, and saying where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cli import output
from leeward.cli.previews import VARIABLE, Home, find_home, made_distinct, seconds_of, span, urls_of
from leeward.cli.progress import Steps
from leeward.delivery.clustertime import ClusterClock
from leeward.delivery.previews import (
    access_of,
    end_of,
    find_preview,
    label_of,
    list_previews,
    marked,
    namespace_of,
    remove_expired,
)
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, StatusError
from leeward.render.naming import dns_label

if TYPE_CHECKING:
    from leeward.cli.projects import Rendered, Source
    from leeward.compose.project import Project
    from leeward.kube.client import KubeClient

Start = Callable[[str, "Rendered"], None]  # the embedded cluster of that name, unless it runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A preview, as it was asked for."""

    home: Home
    name: str
    label: str  # its name on the cluster
    source: Source
    seconds: float  # that it lives
    images: Mapping[str, str]  # service → reference with a digest

    @classmethod
    def of(
        cls,
        name: str,
        source: Source,
        cluster: str | None,
        context: str | None,
        *,
        ttl: str | None = None,
        images: Sequence[str] = (),
    ) -> Wish:
        """Return what the options of a verb mean; says so when the name had to change.

        Raises:
            UserInputError: one of them makes no sense.
            DiagnosticsError: ``leeward.yaml`` cannot be used, or the files do not tell the project's name.
        """
        home = find_home(source, cluster, context)
        label, seconds = label_of(home.app, name), seconds_of(ttl, home.settings)
        given: Mapping[str, str] = {}
        if images:
            from leeward.cli.releases import images_given

            given = images_given(images)
        if label != name:
            output.note(f"note: {name!r} is no name for a host; the preview is called {label} there")
        return cls(home=home, name=name, label=label, source=source, seconds=seconds, images=given)

    @property
    def namespace(self) -> str:
        """Where it runs; also the name of its project."""
        return namespace_of(self.home.app, self.label)


def bring_up(wish: Wish, start: Start, *, timeout: float, strict: bool) -> None:
    """Bring up a preview, or bring it up to date, and say where it is.

    Args:
        wish: what to bring up.
        start: starts the embedded cluster.
        timeout: seconds until everything has to be up.
        strict: warnings are errors.

    Raises:
        DiagnosticsError: the project cannot be used.
        UserInputError: the namespace is somebody else's.
        OperationError: it does not come up.
    """
    from leeward.cli.interrupts import InterruptedByUserError

    rendered = _render(wish, strict=strict)
    place = wish.home.place
    if place.is_embedded:
        start(place.cluster, rendered)
    try:
        with Steps() as steps:
            expires = asyncio.run(_bring_up(wish, rendered, timeout, steps))
    except KeyboardInterrupt:
        raise InterruptedByUserError(
            f"what was started keeps running until its time is over; `leeward down --preview {wish.label}` "
            "removes it"
        ) from None
    _tell(wish, rendered, expires)


def _render(wish: Wish, *, strict: bool) -> Rendered:
    """Return the objects of a preview, without the services that only verify releases."""
    from leeward.cli.projects import render_project
    from leeward.delivery.promotion.verification import split_checks

    home = wish.home
    source = replace(
        wish.source,
        project_name=wish.namespace,
        variables={**wish.source.variables, VARIABLE: wish.label},
    )
    rendered = render_project(
        source,
        strict=strict,
        environment=home.environment,
        adapt=lambda opened: made_distinct(opened, home.app, wish.label, embedded=home.place.is_embedded),
        build=lambda project: _images(wish, project),
    )
    known = rendered.config.environments.get(home.environment) if rendered.config else None
    verifying = [each.run for each in known.verify] if known else []
    checks = {name: 0.0 for name in verifying if name is not None and name in rendered.project.services}
    return replace(rendered, objects=split_checks(rendered.objects, checks)[0])


def _images(wish: Wish, project: Project) -> Mapping[str, str]:
    """Return service → image of those that are given or built."""
    if wish.images:
        from leeward.cli.releases import check_services

        check_services(project, wish.images)
    place, services = wish.home.place, project.services
    if place.is_embedded:
        from leeward.cli.clusters import state_of
        from leeward.cli.images import images_here

        there = {
            name: replace(services[name], image=image, build=None) for name, image in wish.images.items()
        }
        here = replace(project, services={**services, **there})
        return {**images_here(here, state_of(place.cluster)), **wish.images}
    left = {name: service for name, service in services.items() if name not in wish.images}
    names = {service.image for service in left.values() if service.build is not None}
    built = {name: each for name, each in left.items() if each.build is not None or each.image in names}
    found = asyncio.run(_pushed(wish, replace(project, services=built))) if built else {}
    return {**found, **wish.images}


async def _pushed(wish: Wish, project: Project) -> Mapping[str, str]:
    from leeward.cli.projects import load_options
    from leeward.cli.resolving import registry_resolver

    async with wish.home.place.connect() as api:
        await find_preview(api, wish.home.app, wish.name)  # nothing is pushed for what is refused
    variables = load_options(wish.source, wish.home.environment).environment
    async with registry_resolver(variables, wish.home.registry) as resolver:
        return await resolver().resolve(project)


async def _bring_up(wish: Wish, rendered: Rendered, timeout: float, steps: Steps) -> datetime:
    """Do it; returns when the preview ends."""
    from leeward.cli.deploy import deploy
    from leeward.delivery.identity import who_am_i

    async with wish.home.place.connect() as api:
        who = await who_am_i(api)
        now = ClusterClock(api, SystemClock()).now()
        await find_preview(api, wish.home.app, wish.name)  # refuses what is somebody else's
        await _clear(api, wish, now, steps)
        expires = end_of(now, wish.seconds)
        objects = [
            marked(obj, wish.home.app, wish.name, expires=expires, by=who)
            if obj["kind"] == "Namespace"
            else obj
            for obj in rendered.objects
        ]
        await _prepare(api, wish, objects, timeout)
        try:
            await deploy(api, wish.namespace, wish.namespace, objects, timeout=timeout, show=steps.show)
        except OperationError as error:
            raise OperationError(
                str(error),
                remedy=f"It stays to be looked at (namespace {wish.namespace}) until {_moment(expires)}; the "
                "same command goes on from there, and --timeout waits longer.",
            ) from error
        return expires


async def _clear(api: KubeClient, wish: Wish, now: datetime, steps: Steps) -> None:
    """Remove the other previews of the application whose time is over."""
    try:
        every = await list_previews(api, wish.home.app)
    except ForbiddenError:
        steps.line("note: you may not list namespaces here, so previews that ended stay")
        return
    for each in every:
        try:
            if each.label != wish.label and await remove_expired(api, wish.home.app, each, now):
                steps.line(f"preview {each.label} ended {span(each, now)}; it is being removed")
        except StatusError as error:
            steps.line(f"note: preview {each.label} ended {span(each, now)}, but stays: {error}")


async def _prepare(api: KubeClient, wish: Wish, objects: Sequence[Obj], timeout: float) -> None:
    """Make the namespace, or renew its time, and let people in.

    Raises:
        OperationError: an earlier namespace does not go.
    """
    from leeward.cli.deploy import apply_object
    from leeward.delivery.environments.access import BINDINGS, ROLES
    from leeward.delivery.records import ENVIRONMENT_LABEL

    namespace = next(obj for obj in objects if obj["kind"] == "Namespace")
    try:
        async with asyncio.timeout(timeout):
            await apply_object(api, namespace)
    except TimeoutError as error:
        raise OperationError(
            f"namespace {wish.namespace} is still being deleted after {timeout:.0f} s",
            remedy="A finalizer may hold it; `kubectl get namespace -o yaml` tells which.",
        ) from error
    groups = wish.home.settings.access
    if groups or await api.list(BINDINGS, wish.namespace, label_selector=ENVIRONMENT_LABEL):
        for obj in access_of(wish.home.app, wish.label, groups):
            await api.apply(ROLES if obj["kind"] == "Role" else BINDINGS, obj, force=True)


def _tell(wish: Wish, rendered: Rendered, expires: datetime) -> None:
    """Print where everything is."""
    place = wish.home.place
    ingresses = [obj for obj in rendered.objects if obj["kind"] == "Ingress"]
    urls = urls_of(ingresses, place.http_port())
    output.say(f"preview {wish.label} of {wish.home.app} is up until {_moment(expires)}")
    services = {obj["metadata"]["name"] for obj in rendered.objects if obj["kind"] == "Service"}
    for name, service in rendered.project.services.items():
        known = dns_label(name)
        if urls.get(known):
            output.say(f"  {name:<12} {'  '.join(urls[known])}")
        elif service.ports and known in services:
            target = service.ports[0].target
            output.say(
                f"  {name:<12} kubectl -n {wish.namespace} port-forward service/{known} {target}:{target}"
            )
    if place.is_embedded:
        from leeward.cli.clusters import state_of

        output.say(
            f"  {'kubectl':<12} export KUBECONFIG={state_of(place.cluster).kubeconfig}  "
            f"(namespace {wish.namespace})"
        )
    else:
        where = place.spec or f"context {place.context}"
        output.say(f"  {'kubectl':<12} {where}, namespace {wish.namespace}")


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
