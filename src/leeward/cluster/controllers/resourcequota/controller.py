"""The resource quota controller: keys are quotas.

They are counted again when they change, and when something that was charged goes or shrinks; where that is
of much, several changes are taken together. What is made need not be looked at: admission charges it.

Source: pkg/controller/resourcequota (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import (
    SELECTED_A_SECOND,
    ControllerContext,
    ControllerDescriptor,
    collected,
)
from leeward.cluster.controllers.resourcequota.plan import concerned, plan
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, key_of
from leeward.kube.quota.evaluators import IGNORED, evaluator_of
from leeward.kube.resources import BUILT_IN

QUOTAS = "resourcequotas"
_RESYNC = 300.0  # seconds; Pods that never end stop counting
_UNWATCHED_RESYNC = 5.0  # with custom resources, which are not watched
_UNCOUNTED = frozenset((*IGNORED, "leases.coordination.k8s.io"))


class ResourceQuotaController:
    """Writes the status of quotas."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._counted: dict[ObjectKey, int] = {}  # objects that each quota is about, the last time
        self._watched = frozenset(
            row.name for row in BUILT_IN if row.namespaced and row.name not in _UNCOUNTED
        )

    @property
    def resources(self) -> Collection[str]:
        return self._watched

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        obj, old = event.object, event.previous
        if event.resource == QUOTAS and event.type != "DELETED":
            spec = obj.get("spec")
            dirty = old is None or old.get("spec") != spec or (obj.get("status") or {}).get("used") is None
            return [key_of(obj)] if dirty else ()
        quotas = self._client.list(QUOTAS, obj["metadata"].get("namespace") or "")
        if not quotas or not (event.type == "DELETED" or self._shrinks(event)):
            return ()
        matches = evaluator_of(event.resource).matches
        return [
            key_of(each) for each in quotas if any(map(matches, (each.get("spec") or {}).get("hard") or ()))
        ]

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Take changes of many objects together that follow one another."""
        many = self._counted.get(key, 0) if event.resource != QUOTAS else 0
        return collected(many, SELECTED_A_SECOND, rested)

    def _shrinks(self, event: Event) -> bool:
        """Tell whether an object may use something else than before."""
        if event.previous is None or event.resource not in ("pods", "services", "persistentvolumeclaims"):
            return False
        usage, now = evaluator_of(event.resource).usage, self._clock.now()
        return usage(event.object, now) != usage(event.previous, now)

    def sync(self, key: ObjectKey) -> float | None:
        """Count what one quota is about."""
        quota = self._client.find(QUOTAS, *key)
        if quota is None:
            self._counted.pop(key, None)
            return None
        counted = 0

        def objects(resource: str) -> list[Obj]:
            nonlocal counted
            found = self._client.list(resource, key.namespace)
            counted += len(found)
            return found

        status = plan(quota, objects, self._clock.now())
        self._counted[key] = counted
        if status is not None:
            self._client.update_status(QUOTAS, {**quota, "status": status})
        about = {found.resource for found in concerned((quota.get("spec") or {}).get("hard") or ())}
        return _RESYNC if about <= self._watched else _UNWATCHED_RESYNC


DESCRIPTOR = ControllerDescriptor(name="resourcequota-controller", build=ResourceQuotaController)
