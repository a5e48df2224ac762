"""The endpoints controller: one key per Service; Pods enqueue the Services that select them.

Source: ``pkg/controller/endpoint/endpoints_controller.go`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.endpoint.plan import endpoints_for, pod_address
from leeward.cluster.controllers.framework.controller import (
    SELECTED_A_SECOND,
    ControllerContext,
    ControllerDescriptor,
    collected,
)
from leeward.cluster.controllers.framework.selection import Selection
from leeward.cluster.controllers.framework.servicepods import TriggerTimes, selects, services_of
from leeward.cluster.interface.client import Event
from leeward.kube.objects import ObjectKey, is_terminating, key_of
from leeward.kube.status import NotFoundError

ENDPOINTS = "endpoints"


class EndpointsController:
    """Keeps Endpoints equal to what the Pods are."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._times = TriggerTimes()
        self._pods = Selection(context.client, selects, pod_address)

    @property
    def resources(self) -> Collection[str]:
        return ("services", "pods", ENDPOINTS)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "services":
            return [key_of(event.object)]
        if event.resource == ENDPOINTS:  # gone, or left over from a time before this one
            return [key_of(event.object)] if event.type == "DELETED" or not event.revision else ()
        keys = services_of(event, lambda namespace: self._client.list("services", namespace))
        for key in keys:
            self._pods.note(key, event.object["metadata"]["name"])
        return keys

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Take changes of many Pods together that follow one another."""
        many = event.resource == "pods"
        return collected(self._pods.count(key), SELECTED_A_SECOND, rested) if many else 0.0

    def sync(self, key: ObjectKey) -> float | None:
        """Write the Endpoints of one Service, or delete what is left of one."""
        client = self._client
        service = client.find("services", *key)
        if service is None:
            self._delete(key)
            return None
        if service["spec"].get("type") == "ExternalName" or not service["spec"].get("selector"):
            return None
        if is_terminating(service):
            return None
        selected = self._pods.of(key, service)
        time = self._times.of(key, service, selected.looked_at, selected.gone)
        old = client.find(ENDPOINTS, *key)
        new = endpoints_for(service, selected.values.values(), old, time)
        if new is not None:
            (client.create if old is None else client.update)(ENDPOINTS, new)
        return None

    def _delete(self, key: ObjectKey) -> None:
        self._times.forget(key)
        self._pods.forget(key)
        if self._client.find(ENDPOINTS, *key) is not None:
            try:
                self._client.delete(ENDPOINTS, *key)
            except NotFoundError:
                return


DESCRIPTOR = ControllerDescriptor(
    name="endpoints-controller", build=EndpointsController, component="endpoint-controller"
)
