"""The horizontal pod autoscaler: one key an autoscaler, looked at every 15 seconds.

Source: ``pkg/controller/podautoscaler/horizontal.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.podautoscaler import plan
from leeward.cluster.controllers.podautoscaler.metrics import Target, Warned
from leeward.cluster.controllers.podautoscaler.pace import History
from leeward.cluster.interface.client import Event
from leeward.cluster.registry.labelselectors import parse_label_selector
from leeward.kube.objects import Obj, ObjectKey, key_of, labels_of
from leeward.kube.resources import CRDS, Resource, custom_resources, group_of, resource_of_kind
from leeward.kube.scale import ScalePaths, scale_of, scale_paths
from leeward.kube.selectors import matches_requirement
from leeward.kube.status import BadRequestError, NotFoundError, StatusError

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"
SYNC_SECONDS = 15.0


class HorizontalController:
    """Scales what autoscalers point at."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._clock = context.clock
        self._metrics = context.metrics
        self._histories: dict[ObjectKey, History] = {}
        self._due: dict[ObjectKey, float] = {}  # monotonic seconds

    @property
    def resources(self) -> Collection[str]:
        return (AUTOSCALERS,)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        return () if event.type == "MODIFIED" else [key_of(event.object)]

    def sync(self, key: ObjectKey) -> float | None:
        """Look at one autoscaler, if it is time."""
        autoscaler = self._client.find(AUTOSCALERS, *key)
        if autoscaler is None:
            self._due.pop(key, None)
            self._histories.pop(key, None)
            return None
        now = self._clock.monotonic()
        if key not in self._due:
            self._due[key] = now + SYNC_SECONDS
            self._begin(autoscaler)
        if now < self._due[key]:
            return self._due[key] - now
        self._due[key] = now + SYNC_SECONDS
        self._reconcile(autoscaler)
        return SYNC_SECONDS

    def _begin(self, autoscaler: Obj) -> None:
        """Let the window begin at whose end the target is measured first."""
        try:
            self._target(autoscaler, self._resource(autoscaler["spec"]["scaleTargetRef"]))
        except StatusError:
            return  # it is told when it is time

    def _reconcile(self, autoscaler: Obj) -> None:
        now, key = self._clock.now(), key_of(autoscaler)
        try:
            resource = self._resource(autoscaler["spec"]["scaleTargetRef"])
            target = self._target(autoscaler, resource)
        except StatusError as error:
            self._report(autoscaler, plan.without_scale(autoscaler, str(error), now))
            return
        outcome = plan.look(autoscaler, target, self._histories.get(key) or History(), now)
        if outcome.replicas is not None:
            outcome = self._scale(autoscaler, resource, outcome)
        self._histories[key] = outcome.history
        self._report(autoscaler, outcome)

    def _target(self, autoscaler: Obj, resource: Resource) -> Target:
        """Return what is scaled, and what its Pods use.

        Raises:
            StatusError: it is not there, or has no scale.
        """
        namespace, name = autoscaler["metadata"]["namespace"], autoscaler["spec"]["scaleTargetRef"]["name"]
        scale = scale_of(self._client.get(resource.name, namespace, name), self._paths(resource))
        replicas, selector = scale["spec"].get("replicas", 0), scale["status"].get("selector") or ""
        if not selector:
            warned = Warned("SelectorRequired", "selector is required")
            return Target(
                replicas=replicas, obstacle=(warned, "the HPA target's scale is missing a selector")
            )
        try:
            rules = parse_label_selector(selector)
        except BadRequestError as error:
            text = f"couldn't convert selector into a corresponding internal selector object: {error}"
            return Target(replicas=replicas, obstacle=(Warned("InvalidSelector", text), text))
        pods = [
            pod
            for pod in self._client.list("pods", namespace)
            if all(matches_requirement(rule, labels_of(pod)) for rule in rules)
        ]
        if self._metrics is None:
            return Target(replicas=replicas, pods=pods)
        usage = {key.name: used for key, used in self._metrics.known(pods).items()}
        return Target(replicas=replicas, pods=pods, usage=usage)

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
        if outcome.autoscaler["status"] != autoscaler["status"]:
            self._client.update_status(AUTOSCALERS, outcome.autoscaler)


DESCRIPTOR = ControllerDescriptor(
    name="horizontal-pod-autoscaler-controller",
    build=HorizontalController,
    component="horizontal-pod-autoscaler",
)
