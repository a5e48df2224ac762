"""What of a project is on a cluster, how it is, and taking parts of it away."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Container, Iterable

from leeward.base.clock import Clock
from leeward.base.errors import OperationError
from leeward.delivery.api import Api, Lists
from leeward.delivery.apply import project_selector
from leeward.delivery.health import WORKLOADS, Health, judge
from leeward.delivery.records import ENVIRONMENT_LABEL
from leeward.kube.objects import Obj, labels_of
from leeward.kube.resources import BUILT_IN, resource_of_kind
from leeward.kube.status import ForbiddenError, NotFoundError
from leeward.kube.wellknown import APP_NAME

POLL_SECONDS = 0.1
KEPT = frozenset(("Namespace", "PersistentVolumeClaim"))  # down and pruning leave them
KINDS = frozenset(  # that are applied into a namespace
    (
        "Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "Service", "Ingress", "NetworkPolicy",
        "PodDisruptionBudget", "HorizontalPodAutoscaler", "ConfigMap", "Secret", "ServiceAccount",
        "PersistentVolumeClaim",
    )
)  # fmt: skip
_UNRECORDED = f"!{ENVIRONMENT_LABEL}"  # versions of variables and kept manifests have that label


def resource_name(obj: Obj) -> str:
    """Return the resource of an object.

    Raises:
        OperationError: its kind is not known.
    """
    found = resource_of_kind(obj["apiVersion"], obj["kind"])
    if found is None:
        raise OperationError(f"{obj['kind']} of {obj['apiVersion']} is not a kind that leeward applies")
    return found.name


async def delete_and_wait(api: Api, clock: Clock, resource: str, namespace: str, name: str) -> None:
    """Delete an object and what belongs to it; returns when it is gone."""
    try:
        await api.delete(resource, namespace, name, propagation="Background")
    except NotFoundError:
        return
    while await api.find(resource, namespace, name) is not None:
        await clock.sleep(POLL_SECONDS)


async def look(api: Api, namespace: str, project: str, kinds: Collection[str] = WORKLOADS) -> list[Health]:
    """Return the state of every workload of a project, or of those of some kinds."""
    selector = project_selector(project)
    resources = [resource for kind, resource in WORKLOADS.items() if kind in kinds]
    pods, *listed = await asyncio.gather(
        api.list("pods", namespace),
        *(api.list(each, namespace, label_selector=selector) for each in resources),
    )
    found: list[Health] = []
    for workloads in listed:
        for workload in workloads:
            uid = workload["metadata"]["uid"]
            service = labels_of(workload).get(APP_NAME) or workload["metadata"]["name"]
            own = [pod for pod in pods if labels_of(pod).get(APP_NAME) == service] or [
                pod
                for pod in pods
                if any(r["uid"] == uid for r in pod["metadata"].get("ownerReferences") or ())
            ]
            found.append(judge(workload, own))
    return found


def unwanted(mine: Iterable[tuple[str, Obj]], objects: Iterable[Obj]) -> list[tuple[str, Obj]]:
    """Return what of a project's live objects goes when `objects` are applied: never its volumes."""
    wanted = {(obj["kind"], obj["metadata"]["name"]) for obj in objects}
    return [
        (resource, live)
        for resource, live in mine
        if live["kind"] not in KEPT and (live["kind"], live["metadata"]["name"]) not in wanted
    ]


async def owned(api: Api, project: str, namespace: str) -> list[tuple[str, Obj]]:
    """Return (resource, object) of everything of a project that leeward applied."""
    selector, resources = project_selector(project), _resources(KINDS)
    listed = await asyncio.gather(*(api.list(each, namespace, label_selector=selector) for each in resources))
    return [(each, obj) for each, found in zip(resources, listed, strict=True) for obj in found]


async def inhabitants(
    api: Lists, namespace: str, kinds: Iterable[str] = KINDS
) -> tuple[list[Obj], frozenset[str]]:
    """Return everything of some kinds in a namespace, whoever made it, and the kinds that may not be seen.

    What leeward itself keeps there (versions of variables, what promotions applied) is left out.
    """
    found, hidden = list[Obj](), set[str]()
    for resource in _resources(frozenset(kinds)):
        try:
            found += await api.list(resource, namespace, label_selector=_UNRECORDED)
        except ForbiddenError:
            hidden |= {row.kind for row in BUILT_IN if row.name == resource}
    return found, frozenset(hidden)


def _resources(kinds: Container[str]) -> list[str]:
    return [row.name for row in BUILT_IN if row.kind in kinds and row.group != "events.k8s.io"]


async def delete_quietly(api: Api, resource: str, obj: Obj) -> None:
    """Delete an object that may be gone already."""
    meta = obj["metadata"]
    try:
        await api.delete(resource, meta.get("namespace") or "", meta["name"], propagation="Background")
    except NotFoundError:
        return
