"""``leeward env remove``: an environment leaves its cluster, also one that leeward.yaml has no longer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import typer

from leeward.base.clock import SystemClock
from leeward.base.errors import LeewardError, OperationError
from leeward.base.ids import SystemIds
from leeward.cli import output
from leeward.cli.confirm import confirmed
from leeward.cli.hub import Application, access_of, embedded_name
from leeward.cli.hubaccess import refusals_explained
from leeward.delivery.clustertime import ClusterClock
from leeward.delivery.environments.removing import (
    Removal,
    plan_removal,
    refuse_obstacles,
    remove_environment,
)
from leeward.delivery.identity import who_am_i
from leeward.delivery.records import ENVIRONMENTS, hub_of

if TYPE_CHECKING:
    from leeward.kube.client import KubeClient
    from leeward.kube.kubeconfig import Access
    from leeward.settings.config import Cluster


async def remove(
    application: Application, name: str, *, yes: bool, force: bool, with_namespace: bool
) -> None:
    """Tell what would go, ask, and remove an environment.

    Raises:
        OperationError: no cluster has it, or something is against it.
    """
    async with _cluster_of(application, name) as (place, api):
        with refusals_explained(name):
            removal = await plan_removal(api, application.name, name)
            _tell(application, removal, place, with_namespace=with_namespace)
            if not force:
                refuse_obstacles(removal, with_namespace=with_namespace)
            if not (yes or confirmed(f"Remove {name}?")):
                raise typer.Exit(1)
            who = await who_am_i(api)
            holder = f"{who.replace('/', '_')}/{SystemIds().suffix()}"
            clock = ClusterClock(api, SystemClock())
            await remove_environment(api, removal, who, holder, clock, with_namespace=with_namespace)
    output.say(f"{name} is removed")
    if name in application.config.environments:
        output.note(f"note: {name} is still in leeward.yaml, so that `leeward env apply` writes it again")


def _tell(application: Application, removal: Removal, place: str, *, with_namespace: bool) -> None:
    environment = removal.environment
    runs = f"runs {environment.release}" if environment.release else "runs nothing"
    output.say(f"{environment.name} (cluster {place}, namespace {environment.namespace}) {runs}")
    output.say("  goes: the environment, its Roles and bindings")
    if with_namespace:
        output.say(
            f"  goes: the namespace {environment.namespace} with everything in it, volumes and variables"
        )
    else:
        there = f" ({', '.join(removal.services)})" if removal.services else ""
        output.say(
            f"  stays: the namespace {environment.namespace}, what runs there{there}, variables and volumes"
        )
    output.say("  stays: releases, promotions and the audit trail")


@asynccontextmanager
async def _cluster_of(application: Application, name: str) -> AsyncIterator[tuple[str, KubeClient]]:
    """Connect to the cluster that has an environment, whether leeward.yaml still has it or not.

    Raises:
        OperationError: none has it, of those that could be asked, or several have.
    """
    from leeward.kube.client import KubeClient

    silent: list[str] = []
    servers = set[str]()
    having: list[tuple[str, Access]] = []
    for place, access in _accesses(application, silent):
        if access.server in servers:
            continue
        servers.add(access.server)
        async with KubeClient(access) as api:
            try:
                with refusals_explained(name):
                    if await api.find(ENVIRONMENTS, hub_of(application.name), name) is not None:
                        having.append((place, access))
            except LeewardError as error:
                silent.append(f"{place}: {error}")
    if len(having) > 1:
        raise OperationError(
            f"several clusters have the environment {name} of {application.name}: "
            f"{', '.join(place for place, _ in having)}",
            remedy="Name the context of the one that is meant with --context.",
        )
    for place, access in having:
        async with KubeClient(access) as api:
            yield place, api
        return
    for line in silent:
        output.note(line)
    raise OperationError(
        f"no cluster that could be asked has the environment {name} of {application.name}",
        remedy="Name the context of its cluster with --context."
        if silent
        else "`leeward env apply` tells of those that left leeward.yaml.",
    )


def _accesses(application: Application, silent: list[str]) -> Iterator[tuple[str, Access]]:
    """Yield how to reach each cluster of ``leeward.yaml``; why others cannot be reached goes to `silent`."""
    from leeward.cli.clusters import require_running
    from leeward.kube.kubeconfig import load_access

    reach = application.reach
    if reach.context is not None:
        yield reach.context, access_of(reach.context)
        return
    others = [(name, each) for name, each in application.config.clusters.items() if each.embedded is None]
    for name, cluster in others:
        try:
            yield name, _access_of(cluster)
        except LeewardError as error:
            silent.append(f"{name}: {error}")
    clusters = application.config.clusters.items()
    named = [embedded_name(name, reach) for name, each in clusters if each.embedded is not None]
    for name in dict.fromkeys((*named, reach.cluster)):
        try:
            yield name, load_access(require_running(name).kubeconfig)
        except LeewardError as error:
            if name in named or not others or _has_embedded(application):
                silent.append(f"{name}: {error}")


def _access_of(cluster: Cluster) -> Access:
    if cluster.context is not None:
        return access_of(cluster.context)
    from leeward.cli.eks import access_to_spec

    return access_to_spec(cluster.spec or "")


def _has_embedded(application: Application) -> bool:
    environments: Sequence[str] = [*application.config.environments]
    return any(application.place_of(each) == application.reach.cluster for each in environments)
