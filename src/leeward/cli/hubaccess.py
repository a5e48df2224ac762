"""Working with the hubs of an application: each once, and what a cluster refuses told in people's words."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from leeward.base.errors import LeewardError, OperationError, UserInputError
from leeward.cli import output
from leeward.cli.hub import Application, Reach, open_application
from leeward.kube.status import ForbiddenError, NotFoundError, UnauthorizedError

if TYPE_CHECKING:
    from leeward.delivery.environments.environment import Environment
    from leeward.kube.client import KubeClient

T = TypeVar("T")
REFUSED = re.compile(
    r'User "(?P<user>[^"]+)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r' in API group "(?P<group>[^"]*)"(?: in the namespace "(?P<namespace>[^"]+)")?'
)


@dataclass(slots=True)
class Hub(Generic[T]):
    """A cluster with environments of an application, and what was asked of it."""

    cluster: str  # as leeward.yaml calls it; the context, where one was named
    environments: list[str]
    answer: T


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What clusters said, and those that said nothing."""

    hubs: Sequence[Hub[T]]
    missing: Sequence[str]  # clusters; why was told


def application_of(
    files: Sequence[Path] | None, project_name: str | None, context: str | None, cluster: str
) -> Application:
    """Return the application that the options of a verb mean.

    Raises:
        DiagnosticsError: ``leeward.yaml`` or the Compose files cannot be used.
        UserInputError: there is no ``leeward.yaml``.
    """
    from leeward.cli.projects import Source

    return open_application(Source.of(files, None, None, project_name), Reach(context, cluster))


async def ask_hubs(
    application: Application,
    environment: str | None,
    ask: Callable[[KubeClient, Sequence[str]], Awaitable[T]],
) -> Answers[T]:
    """Ask the cluster of one environment, or of all, each cluster once.

    A cluster of several that cannot be asked is told of and left out.

    Args:
        application: whose environments they are.
        environment: None for all.
        ask: gets a client and the environments that are on that cluster.

    Raises:
        UserInputError: there is no such environment.
        LeewardError: no cluster could be asked.
    """
    places = _places(application, environment)
    hubs: dict[str, Hub[T]] = {}
    failures: list[tuple[str, LeewardError]] = []
    for cluster, names in places.items():
        try:
            async with application.connect(names[0]) as api:
                if known := hubs.get(api.access.server):  # another name for the same cluster
                    known.environments += names
                    names = known.environments
                with refusals_explained(names[0]):
                    hubs[api.access.server] = Hub(
                        known.cluster if known else cluster, names, await ask(api, names)
                    )
        except LeewardError as error:
            failures.append((cluster, error))
    if failures and not hubs:
        raise failures[0][1]
    for cluster, failure in failures:
        output.note(f"{cluster}: {failure}")
    return Answers(list(hubs.values()), [cluster for cluster, _ in failures])


def _places(application: Application, environment: str | None) -> dict[str, list[str]]:
    """Return cluster → the environments on it."""
    if environment is not None:
        application.require(environment)
    known = application.config.environments
    if not known:
        raise UserInputError("leeward.yaml has no environments", remedy="Write some under environments:.")
    found: dict[str, list[str]] = {}
    for name in known if environment is None else (environment,):
        found.setdefault(application.place_of(name), []).append(name)
    return found


@asynccontextmanager
async def open_environment(
    application: Application, name: str
) -> AsyncIterator[tuple[KubeClient, Environment]]:
    """Connect to the cluster of an environment that it knows.

    Raises:
        UserInputError: there is no such environment.
        OperationError: the cluster does not run, does not know the environment, or refuses something.
    """
    from leeward.delivery.environments.environment import find_environment

    application.require(name)
    async with application.connect(name) as api:
        with refusals_explained(name):
            yield api, await find_environment(api, application.name, name)


async def ask_environments(
    application: Application,
    environment: str | None,
    ask: Callable[[KubeClient, Environment], Awaitable[T]],
) -> list[T]:
    """Ask about one environment, or about all; one of several that cannot be asked is told of and left out.

    Raises:
        UserInputError: there is no such environment.
        LeewardError: nothing could be asked.
    """
    names = [environment] if environment is not None else list(application.config.environments)
    answers: list[T] = []
    failures: list[tuple[str, LeewardError]] = []
    for name in names:
        try:
            async with open_environment(application, name) as (api, found):
                answers.append(await ask(api, found))
        except LeewardError as error:
            failures.append((name, error))
    if failures and not answers:
        raise failures[0][1]
    for name, failure in failures:
        output.note(f"{name}: {failure}")
    return answers


@contextmanager
def refusals_explained(environment: str) -> Iterator[None]:
    """Turn what the cluster refuses into what may not be done, and who can change that.

    Raises:
        OperationError: instead of the cluster's answer.
    """
    try:
        yield
    except ForbiddenError as error:
        raise OperationError(
            refusal_text(str(error)),
            remedy=f"Somebody who administers {environment} can allow it: `access` in leeward.yaml, then "
            f"`leeward env apply {environment}`.",
        ) from error
    except UnauthorizedError as error:
        raise OperationError(
            f"the cluster does not know you: {error}",
            remedy="Log in again; your credentials may be too old. In EKS your IAM role needs an access "
            "entry too: `access` in the cluster's file.",
        ) from error
    except NotFoundError as error:
        raise OperationError(
            f"the cluster of {environment} does not have that: {error}",
            remedy=f"If it was never written there: leeward env apply {environment}",
        ) from error


def refusal_text(message: str) -> str:
    """Return in people's words what a cluster refuses."""
    match = REFUSED.search(message)
    if match is None:
        return f"not allowed: {message}"
    group = f".{match['group']}" if match["group"] else ""
    resource, slash, sub = match["resource"].partition("/")
    where = f" in the namespace {match['namespace']}" if match["namespace"] else ""
    return f"{match['user']} may not {match['verb']} {resource}{group}{slash}{sub}{where}"
