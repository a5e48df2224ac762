"""The disruption controller: keys are budgets, and Pods that say they are being disrupted.

Source: ``pkg/controller/disruption`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

from leeward.cluster.controllers.disruption import plan
from leeward.cluster.controllers.disruption.scales import SCALED, Scales
from leeward.cluster.controllers.framework.controller import (
    SELECTED_A_SECOND,
    ControllerContext,
    ControllerDescriptor,
    collected,
)
from leeward.cluster.controllers.framework.selection import Selection
from leeward.cluster.interface.client import Event
from leeward.kube.conditions import with_condition
from leeward.kube.objects import Obj, ObjectKey, find_condition, is_terminating, key_of, labels_of
from leeward.kube.selectors import matches_selector

BUDGETS = "poddisruptionbudgets.policy"
_STALE = "pod/"  # what keys of Pods have before their namespace


def _selects(budget: Obj, pod: Obj) -> bool:
    return matches_selector(budget["spec"].get("selector"), labels_of(pod))


def _is_same(pod: Obj, before: Obj) -> bool:
    return plan.view_of(pod) == plan.view_of(before)


class DisruptionController:
    """Counts what budgets allow."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._scales = Scales(context.client)
        self._pods = Selection(context.client, _selects, lambda budget, pod: plan.view_of(pod))
        self._several: dict[ObjectKey, str] = {}  # Pods that several budgets select → one of these

    @property
    def resources(self) -> Collection[str]:
        return (BUDGETS, "pods", *SCALED.values())

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "pods":
            return self._keys_for_pod(event)
        if event.resource == BUDGETS:
            return [key_of(event.object)]
        before = (event.previous or {}).get("spec", {}).get("replicas")
        if event.object["spec"].get("replicas") == before:
            return ()
        return [
            key_of(budget) for budget in self._client.list(BUDGETS, event.object["metadata"]["namespace"])
        ]

    def _keys_for_pod(self, event: Event) -> Iterable[ObjectKey]:
        pod, before = event.object, event.previous
        keys: list[ObjectKey] = []
        if event.type != "DELETED" and find_condition(pod, "DisruptionTarget") is not None:
            meta = pod["metadata"]
            keys.append(ObjectKey(_STALE + meta["namespace"], meta["name"]))
        budgets = self._client.list(BUDGETS, pod["metadata"]["namespace"])
        if not budgets:
            return keys
        same_labels = before is not None and labels_of(pod) == labels_of(before)
        if same_labels and before is not None and event.type == "MODIFIED" and _is_same(pod, before):
            return keys
        selecting = [each for each in budgets if _selects(each, pod)]
        if len(selecting) > 1 and event.type != "DELETED":
            self._several[key_of(pod)] = selecting[0]["metadata"]["name"]
        if before is not None and not same_labels:
            selecting += [each for each in budgets if each not in selecting and _selects(each, before)]
        for budget in selecting:
            self._pods.note(key_of(budget), pod["metadata"]["name"])
            keys.append(key_of(budget))
        return keys

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Take changes of many Pods together that follow one another."""
        many = event.resource == "pods"
        return collected(self._pods.count(key), SELECTED_A_SECOND, rested) if many else 0.0

    def sync(self, key: ObjectKey) -> float | None:
        """Bring one budget's status up to date, or take back what a Pod says of its disruption."""
        if key.namespace.startswith(_STALE):
            return self._clean(ObjectKey(key.namespace.removeprefix(_STALE), key.name))
        budget = self._client.find(BUDGETS, *key)
        if budget is None or is_terminating(budget):
            self._pods.forget(key)
            return None
        self._tell_of_several()
        pods = self._pods.of(key, budget).values
        return self._count(budget, pods)

    def _tell_of_several(self) -> None:
        for key, name in self._several.items():
            pod = self._client.find("pods", *key)
            if pod is not None:
                where = f'Pod "{key.namespace}"/"{key.name}" matches multiple PodDisruptionBudgets.'
                text = f'{where}  Chose "{name}" arbitrarily.'
                self._tell(pod, "Warning", "MultiplePodDisruptionBudgets", text)
        self._several.clear()

    def _tell(self, obj: Obj, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        self._client.record(obj, event_type=kind, reason=reason, message=message)

    def _count(self, budget: Obj, pods: dict[str, plan.PodView]) -> float | None:
        now, spec = self._clock.now(), budget["spec"]
        if not pods:
            self._tell(budget, "Normal", "NoPods", "No matching pods found")
        found = plan.still_disrupted((budget.get("status") or {}).get("disruptedPods") or {}, pods, now)
        namespace = budget["metadata"]["namespace"]
        try:
            counts = plan.count(spec, pods, found.left, lambda owner: self._scales.find(namespace, owner))
        except plan.UnknownScaleError as error:
            text = f"Failed to calculate the number of expected pods: {error}"
            self._tell(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            self._write(budget, plan.failed(budget, str(error), now))
            return None
        if plan.has_unmanaged(spec, pods):
            self._tell(budget, "Warning", "UnmanagedPods", plan.unmanaged_message(spec))
        for name in found.given_up:
            pod = self._client.find("pods", namespace, name)
            if pod is not None:
                text = f"Pod was expected by PDB {namespace}/{namespace} to be deleted but it wasn't"
                self._tell(pod, "Warning", "NotDeleted", text)
        self._write(budget, plan.with_status(budget, counts, found.left, now))
        return found.wait

    def _write(self, budget: Obj, new: Obj) -> None:
        if new.get("status") != budget.get("status"):
            self._client.update_status(BUDGETS, new)

    def _clean(self, key: ObjectKey) -> float | None:
        """Take back that a Pod is being disrupted, when it should be gone but is not."""
        pod = self._client.find("pods", *key)
        wait = plan.stale_after(pod, self._clock.now()) if pod is not None else None
        if pod is None or wait is None or wait > 0:
            return wait
        condition = {"type": "DisruptionTarget", "status": "False", "reason": "", "message": ""}
        self._client.update_status("pods", with_condition(pod, condition, self._clock.now()))
        return None


DESCRIPTOR = ControllerDescriptor(
    name="disruption-controller", build=DisruptionController, component="controllermanager"
)
