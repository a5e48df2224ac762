"""The horizontal pod autoscaler: one key an autoscaler, looked at every 15 seconds.

What other servers measure is asked for when it is time for a look, and the look is taken when they have
answered. Invariant: Pods that the selectors of two autoscalers choose are scaled by neither.

Source: ``pkg/controller/podautoscaler/horizontal.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.podautoscaler import plan
from leeward.cluster.controllers.podautoscaler.apimetrics import queries_of
from leeward.cluster.controllers.podautoscaler.pace import History
from leeward.cluster.controllers.podautoscaler.proposals import Obstacle, Target, Warned
from leeward.cluster.interface.client import Event
from leeward.cluster.interface.metrics import Answer, MetricQuery
from leeward.cluster.registry.labelselectors import parse_label_selector
from leeward.kube.objects import Obj, ObjectKey, key_of, labels_of
from leeward.kube.resources import CRDS, Resource, custom_resources, group_of, resource_of_kind
from leeward.kube.scale import ScalePaths, scale_of, scale_paths
from leeward.kube.selectors import matches_requirement
from leeward.kube.status import BadRequestError, NotFoundError, StatusError

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
SYNC_SECONDS = 15.0
_ASKING_SECONDS = 0.05  # between looks at whether other servers have answered

Rules = Sequence[Mapping[str, Any]]  # of a label selector


class HorizontalController:
    """Scales what autoscalers point at."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._metrics = context.metrics
        self._apis = context.metrics_apis
        self._histories: dict[ObjectKey, History] = {}
        self._due: dict[ObjectKey, float] = {}  # monotonic seconds
        self._asking: set[ObjectKey] = set()
        self._answers: dict[ObjectKey, Mapping[MetricQuery, Answer]] = {}
        self._selectors: dict[ObjectKey, Rules] = {}  # with which Pods were chosen

    @property
    def resources(self) -> Collection[str]:
        return (AUTOSCALERS,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return () if event.type == "MODIFIED" else [key_of(event.object)]

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one autoscaler, if it is time."""
        autoscaler = self._client.find(AUTOSCALERS, *key)
        if autoscaler is None:
            for known in (self._due, self._histories, self._answers, self._selectors):
                known.pop(key, None)
            return None
        now = self._clock.monotonic()
        if key not in self._due:
            self._due[key] = now + SYNC_SECONDS
            self._begin(autoscaler)
        if now < self._due[key]:
            return self._due[key] - now
        if not self._answered(key, autoscaler):
            return _ASKING_SECONDS
        self._due[key] = now + SYNC_SECONDS
        self._reconcile(autoscaler)
        return SYNC_SECONDS

    def _begin(self, autoscaler: Obj) -> None:
        """Let the window begin at whose end the target is measured first."""
        try:
            scale = self._scale_of(autoscaler, self._resource(autoscaler["spec"]["scaleTargetRef"]))
            rules = parse_label_selector(scale["status"].get("selector") or "")
        except StatusError:
            return  # it is told when it is time
        if rules and self._metrics is not None:
            self._metrics.known(self._chosen(autoscaler["metadata"]["namespace"], rules))

    def _answered(self, key: ObjectKey, autoscaler: Obj) -> bool:
        """Ask what other servers measure; tell whether everything is answered."""
        if self._apis is None or key in self._asking:
            return self._apis is None
        try:
            scale = self._scale_of(autoscaler, self._resource(autoscaler["spec"]["scaleTargetRef"]))
        except StatusError:
            return True  # nothing is to be known of it
        queries = queries_of(autoscaler, scale["status"].get("selector") or "")
        if not queries or set(queries) <= self._answers.get(key, {}).keys():
            return True

        def tell(answers: Mapping[MetricQuery, Answer]) -> None:
            self._asking.discard(key)
            if key in self._due:
                self._answers[key] = answers

        self._asking.add(key)
        self._apis.ask(queries, tell)
        return key not in self._asking

    def _reconcile(self, autoscaler: Obj) -> None:
        now, key = self._clock.now(), key_of(autoscaler)
        answers = self._answers.pop(key, {})
        try:
            resource = self._resource(autoscaler["spec"]["scaleTargetRef"])
            scale = self._scale_of(autoscaler, resource)
        except StatusError as error:
            self._report(autoscaler, plan.without_scale(autoscaler, str(error), now))
            return
        target = replace(self._target(key, scale), answers=answers)
        outcome = plan.look(autoscaler, target, self._histories.get(key) or History(), now)
        if outcome.replicas is not None:
            outcome = self._scale(autoscaler, resource, outcome)
        self._histories[key] = outcome.history
        self._report(autoscaler, outcome)

    def _scale_of(self, autoscaler: Obj, resource: Resource) -> Obj:
        """Return the scale of a target.

        Raises:
            StatusError: it is not there, or has no scale.
        """
        namespace, name = autoscaler["metadata"]["namespace"], autoscaler["spec"]["scaleTargetRef"]["name"]
        return scale_of(self._client.get(resource.name, namespace, name), self._paths(resource))

    def _target(self, key: ObjectKey, scale: Obj) -> Target:
        """Return what is scaled, and what its Pods use."""
        selector = scale["status"].get("selector") or ""
        target = Target(
            replicas=scale["spec"].get("replicas", 0),
            observed=scale["status"].get("replicas", 0),
            selector=selector,
        )
        if not selector:
            warned = Warned("SelectorRequired", "selector is required")
            text = "the HPA target's scale is missing a selector"
            return replace(target, obstacle=Obstacle(warned, "InvalidSelector", text))
        try:
            rules = parse_label_selector(selector)
        except BadRequestError as error:
            text = f"couldn't convert selector into a corresponding internal selector object: {error}"
            obstacle = Obstacle(Warned("InvalidSelector", text), "InvalidSelector", text)
            return replace(target, obstacle=obstacle)
        pods = self._chosen(key.namespace, rules)
        self._selectors[key] = rules
        if len(choosing := self._choosing(key.namespace, pods)) > 1:
            shown = " ".join(f"{each.namespace}/{each.name}" for each in choosing)
            text = f"pods by selector {selector} are controlled by multiple HPAs: [{shown}]"
            obstacle = Obstacle(Warned("AmbiguousSelector", text), "AmbiguousSelector", text)
            return replace(target, obstacle=obstacle)
        if self._metrics is None:
            return replace(target, pods=pods)
        usage = {pod.name: used for pod, used in self._metrics.known(pods).items()}
        return replace(target, pods=pods, usage=usage)

    def _chosen(self, namespace: str, rules: Rules) -> list[Obj]:
        """Return the Pods that a selector chooses."""
        return [pod for pod in self._client.list("pods", namespace) if _matches(rules, pod)]

    def _choosing(self, namespace: str, pods: Iterable[Obj]) -> list[ObjectKey]:
        """Return the autoscalers that were seen to choose any of these Pods."""
        there = [(key, rules) for key, rules in self._selectors.items() if key.namespace == namespace]
        return sorted(key for key, rules in there if any(_matches(rules, pod) for pod in pods))

    def _resource(self, reference: Obj) -> Resource:
        """Return what kind of object is scaled.

        Raises:
            NotFoundError: there is no such kind, or it has no scale.
        """
        version, kind = reference.get("apiVersion") or "", reference["kind"]
        found = resource_of_kind(version, kind)
        if found is None:
            rows = custom_resources(self._client.list(CRDS))
            found = next((row for row in rows if (row.group, row.kind) == (group_of(version), kind)), None)
        if found is None:
            raise NotFoundError(f'no matches for kind "{kind}" in group "{group_of(version)}"')
        if "scale" not in found.subresources:
            raise NotFoundError("the server could not find the requested resource")
        return found

    def _paths(self, resource: Resource) -> ScalePaths | None:
        """Return where a custom kind keeps its replicas; None for Kubernetes' own kinds."""
        definition = self._client.find(CRDS, "", resource.name)
        versions = definition["spec"]["versions"] if definition else ()
        return next((scale_paths(each) for each in versions if each["name"] == resource.version), None)

    def _scale(self, autoscaler: Obj, resource: Resource, outcome: plan.Outcome) -> plan.Outcome:
        namespace, name = autoscaler["metadata"]["namespace"], autoscaler["spec"]["scaleTargetRef"]["name"]
        patch = {"spec": {"replicas": outcome.replicas}}
        now = self._clock.now()
        try:
            self._client.patch(resource.name, namespace, name, patch, patch_type="merge", subresource="scale")
        except StatusError as error:
            return plan.not_rescaled(autoscaler, outcome, str(error), now)
        message = f"New size: {outcome.replicas}; reason: {outcome.reason}"
        self._client.record(autoscaler, event_type="Normal", reason="SuccessfulRescale", message=message)
        return plan.rescaled(outcome, now)

    def _report(self, autoscaler: Obj, outcome: plan.Outcome) -> None:
        for reason, message in outcome.warnings:
            self._client.record(autoscaler, event_type="Warning", reason=reason, message=message)
        if outcome.autoscaler["status"] == autoscaler["status"]:
            return
        try:
            self._client.update_status(AUTOSCALERS, outcome.autoscaler)
        except StatusError as error:
            message = str(error)
            self._client.record(
                autoscaler, event_type="Warning", reason="FailedUpdateStatus", message=message
            )
            raise


def _matches(rules: Rules, pod: Obj) -> bool:
    return all(matches_requirement(rule, labels_of(pod)) for rule in rules)


DESCRIPTOR = ControllerDescriptor(
    name="horizontal-pod-autoscaler-controller",
    build=HorizontalController,
    component="horizontal-pod-autoscaler",
)
