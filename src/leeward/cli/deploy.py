"""Brings a rendered project to a cluster and waits until it is up.

Objects first, then workloads in the order of ``depends_on``; each workload is applied when what it waits
for holds. Nothing is deleted but what the project had and no longer has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cli import output
from leeward.delivery.api import Api
from leeward.delivery.apply import Change, in_order, plan_change
from leeward.delivery.health import Health
from leeward.delivery.live import (
    KEPT,
    POLL_SECONDS,
    delete_and_wait,
    delete_quietly,
    owned,
    resource_name,
    unwanted,
)
from leeward.delivery.startup import Startup
from leeward.kube.objects import Obj, is_terminating
from leeward.kube.wellknown import APP_PART_OF

STOP_MARGIN_SECONDS = 60  # beyond the grace period, before a Pod counts as stuck
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a project."""

    namespace: str
    health: Sequence[Health]


async def apply_object(api: Api, desired: Obj) -> Change:
    """Bring one object to the desired state."""
    resource, meta = resource_name(desired), desired["metadata"]
    namespace, name = meta.get("namespace") or "", meta["name"]
    live = await api.find(resource, namespace, name)
    while live is not None and is_terminating(live):  # an earlier one is still going
        await asyncio.sleep(POLL_SECONDS)
        live = await api.find(resource, namespace, name)
    change = plan_change(desired, live)
    if change.verb == "recreate":
        await delete_and_wait(api, SystemClock(), resource, namespace, name)
        await api.create(resource, change.desired)
    elif change.verb == "create":
        await api.create(resource, change.desired)
    elif change.patch is not None:
        await api.patch(resource, namespace, name, change.patch, patch_type="merge")
    return change


async def deploy(
    api: Api, project: str, namespace: str, objects: list[Obj], *, timeout: float, show: Show
) -> Deployed:
    """Apply a project and wait until every workload is up.

    Args:
        api: the cluster.
        project: its name.
        namespace: where it runs.
        objects: as rendered.
        timeout: seconds until it is given up.
        show: told what is going on.

    Raises:
        OperationError: a workload cannot come up, or did not in time; says which and why.
    """
    first, workloads = in_order(objects)
    startup = Startup(
        api, SystemClock(), project, namespace, workloads, apply=lambda obj: apply_object(api, obj), show=show
    )
    try:
        async with asyncio.timeout(timeout):
            for obj in first:
                await apply_object(api, obj)
            await _prune(api, project, namespace, objects)
            await startup.run()
    except TimeoutError as error:
        unfinished = startup.unfinished() or "earlier objects are still being deleted"
        raise OperationError(
            f"not up after {timeout:.0f} s: {unfinished}",
            remedy="`leeward ps` and `leeward logs SERVICE` tell more; --timeout waits longer.",
        ) from error
    health = list(startup.health.values())
    for each in health:
        if not each.done:
            output.note(f"note: {each.service} did not come up, which nothing requires: {each.problem}")
    return Deployed(namespace, health)


async def _prune(api: Api, project: str, namespace: str, objects: Sequence[Obj]) -> None:
    """Delete what the project had and no longer has, but no volumes."""
    for resource, live in unwanted(await owned(api, project, namespace), objects):
        await delete_quietly(api, resource, live)


async def take_down(api: Api, project: str, namespace: str, *, volumes: bool, show: Show) -> int:
    """Remove a project; with `volumes` its claims and its namespace too. Returns the objects removed."""
    removed = 0
    if await api.find("namespaces", "", namespace) is None:
        return 0
    for resource, obj in await owned(api, project, namespace):
        if obj["kind"] not in KEPT:
            await delete_quietly(api, resource, obj)
            removed += 1
    await _until_pods_are_gone(api, project, namespace, show)
    if volumes:
        show("removing volumes")
        await delete_and_wait(api, SystemClock(), "namespaces", "", namespace)
        removed += 1
    return removed


async def _until_pods_are_gone(api: Api, project: str, namespace: str, show: Show) -> None:
    """Wait for a project's Pods to end, as long as they may take.

    Raises:
        OperationError: some do not; names them.
    """
    began = time.monotonic()
    while pods := await api.list("pods", namespace, label_selector=f"{APP_PART_OF}={project}"):
        show(f"stopping {len(pods)} Pod{'s' if len(pods) > 1 else ''}")
        grace = max(pod["spec"].get("terminationGracePeriodSeconds") or 0 for pod in pods)
        if time.monotonic() - began > grace + STOP_MARGIN_SECONDS:
            names = ", ".join(pod["metadata"]["name"] for pod in pods)
            raise OperationError(
                f"{names}: not gone {grace + STOP_MARGIN_SECONDS} s after deletion",
                remedy="`kubectl describe pod` tells why; a finalizer or a lost node may hold it.",
            )
        await asyncio.sleep(POLL_SECONDS)
