"""Brings a rendered project to a cluster and waits until it is up.

Objects first, then workloads in the order of ``depends_on``; each workload is applied when what it waits
for holds. Nothing is deleted but what the project had and no longer has.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from leeward.base.errors import OperationError
from leeward.cli import output
from leeward.delivery.api import Api
from leeward.delivery.apply import Change, in_order, plan_change, project_selector
from leeward.delivery.health import WORKLOADS, Health, dependencies, dispensable, is_met, is_probed, judge
from leeward.kube.objects import Obj, is_terminating, labels_of
from leeward.kube.resources import BUILT_IN, resource_of_kind
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import APP_NAME, APP_PART_OF

POLL_SECONDS = 0.1
PROOF_SECONDS = 1.0  # that a program without a health check has to live before it counts as up
STOP_MARGIN_SECONDS = 60  # beyond the grace period, before a Pod counts as stuck
_KEPT = frozenset(("Namespace", "PersistentVolumeClaim"))  # down and pruning leave them
Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Deployed:
    """What became of a project."""

    namespace: str
    health: Sequence[Health]


def resource_name(obj: Obj) -> str:
    """Return the resource of an object.

    Raises:
        OperationError: its kind is not known.
    """
    found = resource_of_kind(obj["apiVersion"], obj["kind"])
    if found is None:
        raise OperationError(f"{obj['kind']} of {obj['apiVersion']} is not a kind that leeward applies")
    return found.name


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
        await _delete_and_wait(api, resource, namespace, name)
        await api.create(resource, change.desired)
    elif change.verb == "create":
        await api.create(resource, change.desired)
    elif change.patch is not None:
        await api.patch(resource, namespace, name, change.patch, patch_type="merge")
    return change


async def _delete_and_wait(api: Api, resource: str, namespace: str, name: str) -> None:
    try:
        await api.delete(resource, namespace, name, propagation="Background")
    except NotFoundError:
        return
    while await api.find(resource, namespace, name) is not None:
        await asyncio.sleep(POLL_SECONDS)


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
    waiting = {obj["metadata"]["name"]: obj for obj in workloads}
    health: dict[str, Health] = {}
    try:
        async with asyncio.timeout(timeout):
            for obj in first:
                await apply_object(api, obj)
            await _prune(api, project, namespace, objects)
            await _start_workloads(api, project, namespace, waiting, health, show)
    except TimeoutError as error:
        unfinished = _unfinished(health, waiting) or "earlier objects are still being deleted"
        raise OperationError(
            f"not up after {timeout:.0f} s: {unfinished}",
            remedy="`leeward ps` and `leeward logs SERVICE` tell more; --timeout waits longer.",
        ) from error
    for each in health.values():
        if not each.done:
            output.note(f"note: {each.service} did not come up, which nothing requires: {each.problem}")
    return Deployed(namespace, list(health.values()))


async def _start_workloads(
    api: Api, project: str, namespace: str, waiting: dict[str, Obj], health: dict[str, Health], show: Show
) -> None:
    """Apply each of `waiting` when its time has come and return when all are up; keeps `health` current."""
    applied: dict[str, str] = {}  # workload name → service
    optional = dispensable(waiting.values())
    proof = 0.0 if all(map(is_probed, waiting.values())) else PROOF_SECONDS
    steady_since: float | None = None
    while True:
        for name, obj in list(waiting.items()):
            if _may_start(obj, health, set(applied.values())):
                await apply_object(api, obj)
                applied[name] = labels_of(obj).get(APP_NAME) or name
                del waiting[name]
        seen = await look(api, namespace, project)
        health.clear()
        health.update({each.service: each for each in seen if each.service in applied.values()})
        lost = {each.service for each in health.values() if each.hopeless} & optional
        _stop_if_hopeless(each for each in health.values() if each.service not in lost)
        finished = all(each.done or each.service in lost for each in health.values())
        if not waiting and len(health) == len(set(applied.values())) and finished:
            steady_since = time.monotonic() if steady_since is None else steady_since
            if time.monotonic() - steady_since >= proof:
                return
        else:
            steady_since = None
        show(_progress(health, waiting))
        await asyncio.sleep(POLL_SECONDS)


def _may_start(obj: Obj, health: dict[str, Health], applied: set[str]) -> bool:
    return all(
        is_met(dependency, health.get(name), name in applied)
        for name, dependency in dependencies(obj).items()
    )


def _stop_if_hopeless(health: Iterable[Health]) -> None:
    for each in health:
        if each.hopeless:
            said = each.problem.startswith("it ends")
            raise OperationError(
                f"service {each.service} does not come up: {each.problem}",
                remedy=f"`leeward logs {each.service}` shows what it said."
                if said
                else "Correct it in the Compose file, then run `leeward up` again.",
            )


def _progress(health: dict[str, Health], waiting: dict[str, Obj]) -> str:
    parts = [f"{h.service} {h.ready}/{h.wanted}" for h in health.values() if not h.done]
    later = sorted({labels_of(obj).get(APP_NAME) or name for name, obj in waiting.items()})
    text = "waiting for " + ", ".join(parts) if parts else "starting the next"
    return text + (f"; later {', '.join(later)}" if later else "")


def _unfinished(health: dict[str, Health], waiting: dict[str, Obj]) -> str:
    parts = [
        f"{h.service} ({h.problem or f'{h.ready} of {h.wanted} ready'})"
        for h in health.values()
        if not h.done
    ]
    parts += [f"{name} (not started)" for name in waiting]
    return ", ".join(parts)


async def look(api: Api, namespace: str, project: str) -> list[Health]:
    """Return the state of every workload of a project."""
    selector = project_selector(project)
    pods = await api.list("pods", namespace)
    found: list[Health] = []
    for resource in WORKLOADS.values():
        for workload in await api.list(resource, namespace, label_selector=selector):
            uid = workload["metadata"]["uid"]
            service = labels_of(workload).get(APP_NAME) or workload["metadata"]["name"]
            own = [pod for pod in pods if labels_of(pod).get(APP_NAME) == service] or [
                pod
                for pod in pods
                if any(r["uid"] == uid for r in pod["metadata"].get("ownerReferences") or ())
            ]
            found.append(judge(workload, own))
    return found


async def _prune(api: Api, project: str, namespace: str, objects: Sequence[Obj]) -> None:
    """Delete what the project had and no longer has, but no volumes."""
    for resource, live in unwanted(await owned(api, project, namespace), objects):
        await _delete_quietly(api, resource, live)


def unwanted(mine: Iterable[tuple[str, Obj]], objects: Iterable[Obj]) -> list[tuple[str, Obj]]:
    """Return what of a project's live objects goes when `objects` are applied: never its volumes."""
    wanted = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    return [
        (resource, live)
        for resource, live in mine
        if live["kind"] not in _KEPT and (live["kind"], live["metadata"]["name"]) not in wanted
    ]


async def owned(api: Api, project: str, namespace: str) -> list[tuple[str, Obj]]:
    """Return (resource, object) of everything of a project that leeward applied."""
    kinds = {
        "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Ingress", "NetworkPolicy",
        "PodDisruptionBudget", "HorizontalPodAutoscaler", "ConfigMap", "Secret", "ServiceAccount",
        "PersistentVolumeClaim",
    }  # fmt: skip
    found = []
    for row in BUILT_IN:
        if row.kind in kinds and row.group != "events.k8s.io":
            selector = project_selector(project)
            found += [(row.name, obj) for obj in await api.list(row.name, namespace, label_selector=selector)]
    return found


async def _delete_quietly(api: Api, resource: str, obj: Obj) -> None:
    meta = obj["metadata"]
    try:
        await api.delete(resource, meta.get("namespace") or "", meta["name"], propagation="Background")
    except NotFoundError:
        return


async def take_down(api: Api, project: str, namespace: str, *, volumes: bool, show: Show) -> int:
    """Remove a project; with `volumes` its claims and its namespace too. Returns the objects removed."""
    removed = 0
    if await api.find("namespaces", "", namespace) is None:
        return 0
    for resource, obj in await owned(api, project, namespace):
        if obj["kind"] not in _KEPT:
            await _delete_quietly(api, resource, obj)
            removed += 1
    await _until_pods_are_gone(api, project, namespace, show)
    if volumes:
        show("removing volumes")
        await _delete_and_wait(api, "namespaces", "", namespace)
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
