"""The disruption controller: one key per PodDisruptionBudget.

Source: ``pkg/controller/disruption`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.disruption import plan
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    Obj,
    ObjectKey,
    controller_of,
    is_condition_true,
    is_terminating,
    key_of,
    labels_of,
)
from leeward.kube.selectors import matches_selector

BUDGETS = "poddisruptionbudgets.policy"
_SCALED = {
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
    "Deployment": "deployments.apps",
}


def _view(pod: Obj) -> tuple[object, ...]:
    return labels_of(pod), is_condition_true(pod, "Ready"), is_terminating(pod)


class DisruptionController:
    """Counts what budgets allow."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock

    @property
    def resources(self) -> Collection[str]:
        return (BUDGETS, "pods", *_SCALED.values())

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == BUDGETS:
            return [key_of(event.object)]
        budgets = self._client.list(BUDGETS, event.object["metadata"]["namespace"])
        if event.resource != "pods":
            before = (event.previous or {}).get("spec", {}).get("replicas")
            changed = event.object["spec"].get("replicas") != before
            return [key_of(budget) for budget in budgets] if changed else ()
        if event.previous is not None and _view(event.object) == _view(event.previous):
            return ()
        pods = [pod for pod in (event.object, event.previous) if pod is not None]
        return [
            key_of(budget)
            for budget in budgets
            if any(matches_selector(budget["spec"].get("selector"), labels_of(pod)) for pod in pods)
        ]

    def sync(self, key: ObjectKey) -> float | None:
        """Bring one budget's status up to date."""
        budget = self._client.find(BUDGETS, *key)
        if budget is None or is_terminating(budget):
            return None
        selector = budget["spec"].get("selector")
        pods = [
            pod
            for pod in self._client.list("pods", key.namespace)
            if matches_selector(selector, labels_of(pod))
        ]
        now = self._clock.now()
        disrupted, wait = plan.still_disrupted(
            (budget.get("status") or {}).get("disruptedPods") or {}, pods, now
        )
        counts = plan.count(budget["spec"], pods, disrupted, self._scale_of)
        new = plan.with_status(budget, counts, disrupted, now)
        if new.get("status") != budget.get("status"):
            if not pods:
                self._client.record(
                    budget, event_type="Normal", reason="NoPods", message="No matching pods found"
                )
            self._client.update_status(BUDGETS, new)
        return wait

    def _scale_of(self, pod: Obj) -> tuple[str, int] | None:
        """Return what scales a Pod: its controller, or that one's Deployment."""
        owner = self._owner(pod)
        if owner is None:
            return None
        owner = self._owner(owner) or owner
        replicas = owner["spec"].get("replicas")
        return owner["metadata"]["uid"], 1 if replicas is None else replicas

    def _owner(self, obj: Obj) -> Obj | None:
        reference = controller_of(obj)
        resource = _SCALED.get(reference["kind"]) if reference else None
        if reference is None or resource is None:
            return None
        owner = self._client.find(resource, obj["metadata"]["namespace"], reference["name"])
        return owner if owner is not None and owner["metadata"]["uid"] == reference["uid"] else None


DESCRIPTOR = ControllerDescriptor(
    name="disruption-controller", build=DisruptionController, component="controllermanager"
)
