"""The endpointslice controller: one key per Service; Pods enqueue the Services that select them.

Source: ``pkg/controller/endpointslice`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.endpointslice.plan import MANAGED_BY, MANAGER, reconcile
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.framework.servicepods import TriggerTimes, selects, services_of
from leeward.cluster.interface.client import Event
from leeward.kube.objects import (
    ObjectKey,
    is_terminating,
    key_of,
    labels_of,
)
from leeward.kube.wellknown import SERVICE_NAME, ZONE

SLICES = "endpointslices.discovery.k8s.io"


class EndpointSliceController:
    """Keeps slices equal to what the Pods are."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._times = TriggerTimes()

    @property
    def resources(self) -> Collection[str]:
        return ("services", "pods", "nodes", SLICES)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "services":
            return [key_of(event.object)]
        if event.resource == SLICES:
            return self._keys_for_slice(event)
        if event.resource == "nodes":
            return self._keys_for_node(event)
        return services_of(event, lambda namespace: self._client.list("services", namespace))

    @staticmethod
    def _keys_for_slice(event: Event) -> Iterable[ObjectKey]:
        labels, namespace = labels_of(event.object), event.object["metadata"]["namespace"]
        if event.previous is None or labels.get(MANAGED_BY) != MANAGER or SERVICE_NAME not in labels:
            return ()
        return [ObjectKey(namespace, labels[SERVICE_NAME])]

    def _keys_for_node(self, event: Event) -> Iterable[ObjectKey]:
        before = labels_of(event.previous).get(ZONE) if event.previous else None
        if event.type == "DELETED" or before == labels_of(event.object).get(ZONE):
            return ()
        return [key_of(service) for service in self._client.list("services")]

    def sync(self, key: ObjectKey) -> float | None:
        """Reconcile the slices of one Service."""
        client = self._client
        service = client.find("services", *key)
        if service is None:
            self._times.forget(key)
        if service is None or is_terminating(service) or not service["spec"].get("selector"):
            return None  # the garbage collector removes the slices of a Service that is gone
        pods = [pod for pod in client.list("pods", key.namespace) if selects(service, pod)]
        slices = [
            found
            for found in client.list(SLICES, key.namespace)
            if labels_of(found).get(SERVICE_NAME) == key.name and labels_of(found).get(MANAGED_BY) == MANAGER
        ]
        time = self._times.of(key, service, pods)
        writes = reconcile(service, pods, slices, lambda name: client.find("nodes", "", name), time)
        for obj in writes.create:
            client.create(SLICES, obj)
        for obj in writes.update:
            client.update(SLICES, obj)
        for name in writes.delete:
            client.delete(SLICES, key.namespace, name)
        return None


DESCRIPTOR = ControllerDescriptor(name="endpointslice-controller", build=EndpointSliceController)
