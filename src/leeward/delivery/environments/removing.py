"""Takes an environment off its cluster: the object, who may do what, and the lock on promotions.

What happened stays: promotions, approvals and the audit trail, and with them the numbers that were given.
What runs in the namespace stays, too, unless the namespace is to go with everything in it.

The environment's object goes last, after the record in the trail, so that whoever is interrupted runs the
command again. The first thing that goes is a Role, which only an administrator of the cluster removes: who
may not is refused before anything is gone.

Invariants: what was decided about an environment is not done to it when it has changed since; the namespace
with the audit trail never goes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.delivery.api import Deletes
from leeward.delivery.audit.trail import AuditApi, append
from leeward.delivery.environments.access import BINDINGS, LEVELS, ROLES, role_name
from leeward.delivery.environments.apply import others_in
from leeward.delivery.environments.environment import Environment, find_environment
from leeward.delivery.health import WORKLOADS
from leeward.delivery.live import KINDS, inhabitants
from leeward.delivery.promotion.lease import LEASES, Lease
from leeward.delivery.promotion.manifests import find_manifest
from leeward.delivery.promotion.rollout import is_of
from leeward.delivery.records import ENVIRONMENTS
from leeward.delivery.wording.additions import additions
from leeward.kube.objects import Obj, labels_of
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import APP_NAME
from leeward.render.naming import dns_label


class RemovalApi(AuditApi, Deletes, Protocol):
    """What removing environments needs of a Kubernetes API."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What removing an environment comes to."""

    environment: Environment
    services: Sequence[str]  # that promotions started and that run
    heirs: Sequence[str]  # the environments that take releases from it
    others: Sequence[str]  # the environments that share the namespace, of another application too
    strangers: Sequence[str]  # what is in the namespace that no promotion put there

    def obstacles(self, *, with_namespace: bool) -> list[str]:
        """Return what is against it, a sentence each; it can be forced all the same."""
        found, name = [], self.environment.name
        if self.services and not with_namespace:
            found.append(f"{', '.join(self.services)} of {name} would go on without an environment")
        if self.heirs:
            found.append(f"{', '.join(self.heirs)} would get no releases any more, which come from {name}")
        if (lock := self.environment.lock) is not None:
            found.append(f"{name} is locked by {lock.by}: {lock.reason}")
        if self.others and with_namespace:
            found.append(f"the namespace is also that of {', '.join(self.others)}")
        if self.strangers and with_namespace:
            some = f"{', '.join(self.strangers[:3])}{' and more' if self.strangers[3:] else ''}"
            found.append(f"{some} of the namespace would go, too, which no promotion put there")
        return found


async def plan_removal(api: RemovalApi, app: str, name: str) -> Removal:
    """Return what removing an environment comes to.

    Raises:
        OperationError: the cluster does not know it, or it is damaged.
    """
    environment = await find_environment(api, app, name)
    live, _ = await inhabitants(api, environment.namespace, {*KINDS, "Pod"})
    mine = [obj for obj in live if is_of(obj, name)]
    applied: Sequence[Obj] = []
    with contextlib.suppress(OperationError):  # it is damaged, and goes all the same
        applied = await find_manifest(api, environment.namespace, environment.promotion) or []
    strange = additions(applied, [obj for obj in live if not is_of(obj, name)])
    rest = [obj for obj in await api.list(ENVIRONMENTS, environment.hub) if obj["metadata"]["name"] != name]
    there = [
        each["metadata"]["name"] for each in rest if each["spec"].get("namespace") == environment.namespace
    ]
    for of, other in await others_in(api, environment):
        there.append(other if of == dns_label(app) else f"{other} of {of}")
    return Removal(
        environment=environment,
        services=sorted(
            {
                labels_of(obj).get(APP_NAME) or obj["metadata"]["name"]
                for obj in mine
                if obj["kind"] in WORKLOADS
            }
        ),
        heirs=[each["metadata"]["name"] for each in rest if each["spec"].get("from") == name],
        others=list(dict.fromkeys(there)),
        strangers=[f"{each.kind} {each.name}" for each in strange],
    )


async def remove_environment(
    api: RemovalApi, removal: Removal, who: str, holder: str, clock: Clock, *, with_namespace: bool
) -> None:
    """Remove an environment, and record it.

    Args:
        api: its cluster.
        removal: as planned.
        who: as the cluster knows who asks.
        holder: unlike any other, for the lock on promotions.
        clock: of the cluster.
        with_namespace: the namespace goes, too, with its volumes.

    Raises:
        ForbiddenError: the caller is no administrator of the cluster.
        OperationError: a promotion is at work on it, or it is not what was decided about.
    """
    environment = removal.environment
    if with_namespace and await api.list(ENVIRONMENTS, environment.namespace):
        raise OperationError(
            f"the namespace {environment.namespace} has environments, releases and an audit trail",
            remedy="Remove the environment without --delete-namespace.",
        )
    lease = f"leeward-{environment.name}"
    show: Callable[[str], None] = lambda _: None  # noqa: E731
    async with Lease(api, clock, environment.hub, lease, holder).held(lambda _: False, show):
        await _stop_if_changed(api, environment)
        for namespace in (environment.namespace, environment.hub):
            for level in LEVELS:
                for resource in (ROLES, BINDINGS):
                    await _delete(api, resource, namespace, role_name(environment.name, level))
        if with_namespace:
            await _delete(api, "namespaces", "", environment.namespace)
        details = {
            "namespace": environment.namespace,
            "release": environment.release,
            "services": list(removal.services),
            "namespaceDeleted": with_namespace,
        }
        await append(
            api,
            environment.app,
            who=who,
            action="env-remove",
            environment=environment.name,
            result="succeeded",
            details=details,
            clock=clock,
        )
        await _delete(api, ENVIRONMENTS, environment.hub, environment.name)
        await _delete(api, LEASES, environment.hub, lease)


async def _stop_if_changed(api: RemovalApi, decided: Environment) -> None:
    """Refuse when something was promoted, locked or applied since it was decided."""
    live = await find_environment(api, decided.app, decided.name)
    if any(getattr(live, key) != getattr(decided, key) for key in ("promotion", "generation", "lock")):
        raise OperationError(
            f"{decided.name} was changed by somebody else since you looked",
            remedy="Run the command again, and see what is different now.",
        )


async def _delete(api: RemovalApi, resource: str, namespace: str, name: str) -> None:
    with contextlib.suppress(NotFoundError):
        await api.delete(resource, namespace, name)


def refuse_obstacles(removal: Removal, *, with_namespace: bool) -> None:
    """Refuse what somebody has to decide first.

    Raises:
        OperationError: with everything that is against it.
    """
    found = removal.obstacles(with_namespace=with_namespace)
    if found:
        goes = removal.services and not with_namespace
        keep = ", or take what runs away, too: --delete-namespace" if goes else ""
        raise OperationError(
            f"{removal.environment.name} is not removed: " + "; ".join(found),
            remedy=f"Put that in order first, or remove it all the same with --force{keep}.",
        )
