"""Where a day-to-day verb works: an environment of ``leeward.yaml``, or a project on an embedded cluster.

What is there is read from the cluster, so that Compose files need not be usable, and the cluster decides who
may do what: with ``--env`` the credentials are those of the kubeconfig. What changes an environment, or runs
commands in it, is written into the audit trail where the person may write there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import output

if TYPE_CHECKING:
    from leeward.delivery.environments.environment import Environment
    from leeward.delivery.services import Service
    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj


@dataclass(frozen=True, slots=True, kw_only=True)
class Whereabouts:
    """The options by which a verb is told where to work."""

    environment: str | None
    files: Sequence[Path] | None
    env_files: Sequence[Path] | None
    project_name: str | None
    context: str | None
    cluster: str

    def refuse_context(self) -> None:
        """Refuse a context where no environment is named.

        Raises:
            UserInputError: one is given.
        """
        if self.context is not None and self.environment is None:
            raise UserInputError("--context is about an environment", remedy="Name it: --env ENV.")


@dataclass(frozen=True, slots=True)
class Room:
    """A namespace with services, and a client of its cluster."""

    api: KubeClient
    title: str  # the environment's name, or the project's
    namespace: str
    services: Mapping[str, Service]
    environment: Environment | None = None

    def service(self, name: str) -> Service:
        """Return a service by its Compose name.

        Raises:
            UserInputError: there is none of that name; says which are.
        """
        from leeward.compose.findings import did_you_mean
        from leeward.render.naming import dns_label

        found = self.services.get(name) or self.services.get(dns_label(name))
        if found is None:
            near = did_you_mean(name, self.services)
            there = f"It has: {', '.join(self.services)}."
            raise UserInputError(f"{self.title} has no service {name!r}", remedy=f"{near} {there}".lstrip())
        return found

    def chosen(self, names: Sequence[str] | None) -> list[Service]:
        """Return the services named; all without names.

        Raises:
            UserInputError: one is not there.
        """
        return [self.service(name) for name in names] if names else list(self.services.values())

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn what the cluster refuses into what may not be done, what it takes, and who has that.

        Raises:
            OperationError: instead of the cluster's answer.
        """
        from leeward.cli.hubaccess import REFUSED, refusal_text
        from leeward.delivery.environments.needs import who_may
        from leeward.kube.status import ForbiddenError

        try:
            yield
        except ForbiddenError as error:
            match, environment = REFUSED.search(str(error)), self.environment
            if match is None or environment is None:
                raise
            takes = who_may(environment, match["verb"], match["group"], match["resource"])
            raise OperationError(
                refusal_text(str(error)),
                remedy=f"{takes} Somebody who administers {environment.name} can allow it: `access` in "
                f"leeward.yaml, then `leeward env apply {environment.name}`.".lstrip(),
            ) from error

    async def require(self, verb: str, resource: str) -> None:
        """Refuse now what the cluster would refuse later: where that would come too late, or be overlooked.

        Args:
            verb: of the request.
            resource: such as "pods/attach", of the core group.

        Raises:
            ForbiddenError: it is not allowed here.
        """
        from leeward.delivery.identity import may_i, who_am_i
        from leeward.kube.status import ForbiddenError

        kind, _, subresource = resource.partition("/")
        if not await may_i(self.api, verb, kind, namespace=self.namespace, subresource=subresource):
            who = await who_am_i(self.api)
            raise ForbiddenError(
                f'User "{who}" cannot {verb} resource "{resource}" in API group "" '
                f'in the namespace "{self.namespace}"'
            )

    async def record(self, action: str, result: str, **details: Any) -> None:
        """Write what was done to an environment into the audit trail; says so when the person may not.

        Args:
            action: such as "exec".
            result: such as "started".
            details: names, never values.
        """
        from leeward.base.clock import SystemClock
        from leeward.cli.hubaccess import REFUSED
        from leeward.delivery.audit.trail import append
        from leeward.delivery.clustertime import ClusterClock
        from leeward.delivery.identity import who_am_i
        from leeward.kube.status import ForbiddenError

        if self.environment is None:
            return
        try:
            await append(
                self.api, self.environment.app, who=await who_am_i(self.api), action=action, result=result,
                environment=self.environment.name, release=self.environment.release, details=details,
                clock=ClusterClock(self.api, SystemClock()),
            )  # fmt: skip
        except ForbiddenError as error:
            match = REFUSED.search(str(error))
            who = match["user"] if match else "you"
            output.note(
                f"note: this {action} is not in the audit trail of {self.title}, which {who} may not write"
            )

    async def applied(self) -> list[Obj]:
        """Return what was promoted to the environment last, as far as it is known; nothing for a project."""
        from leeward.delivery.promotion.manifests import find_manifest

        if self.environment is None:
            return []
        found = await find_manifest(self.api, self.environment.namespace, self.environment.promotion)
        return found or []


@asynccontextmanager
async def entered(where: Whereabouts) -> AsyncIterator[Room]:
    """Connect to where a verb works, and see what is there.

    Raises:
        UserInputError: there is no such environment, or no ``leeward.yaml``.
        OperationError: the cluster cannot be reached, refuses something, or nothing runs there.
    """
    if where.environment is None:
        async with _project(where) as room:
            yield room
        return
    async with _environment(where, where.environment) as room:
        with room.explained():
            yield room


@asynccontextmanager
async def _project(where: Whereabouts) -> AsyncIterator[Room]:
    from leeward.cli.connection import connect
    from leeward.cli.target import find_running, find_target, require_project
    from leeward.delivery.services import services_in

    where.refuse_context()
    target = find_target(where.cluster, where.files, where.project_name, where.env_files)
    async with connect(target.state) as api:
        found = await services_in(api, target.namespace, project=target.project)
        if not found:
            require_project(target, await find_running(api))
        yield Room(api, target.project, target.namespace, found)


@asynccontextmanager
async def _environment(where: Whereabouts, name: str) -> AsyncIterator[Room]:
    from leeward.cli.hubaccess import application_of, open_environment
    from leeward.delivery.services import services_in

    application = application_of(where.files, where.project_name, where.context, where.cluster)
    async with open_environment(application, name) as (api, found):
        services = await services_in(api, found.namespace, environment=name)
        if not services:
            raise OperationError(
                f"nothing runs in {name} yet", remedy=f"Promote a release: leeward promote --to {name}"
            )
        yield Room(api, name, found.namespace, services, found)
