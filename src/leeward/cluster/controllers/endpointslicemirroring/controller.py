"""The mirroring controller: one key per Endpoints; those of Services with a selector are another's.

Source: ``pkg/controller/endpointslicemirroring`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from leeward.cluster.controllers.endpointslicemirroring.plan import (
    MANAGED_BY,
    MANAGER,
    MAX_ADDRESSES,
    Mirror,
    is_mirrored,
    mirror_of,
    reconcile,
)
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, is_terminating, key_of, labels_of
from leeward.kube.status import NotFoundError
from leeward.kube.wellknown import SERVICE_NAME

ENDPOINTS, SLICES = "endpoints", "endpointslices.discovery.k8s.io"


class EndpointSliceMirroringController:
    """Keeps slices equal to what Endpoints say."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client

    @property
    def resources(self) -> Collection[str]:
        return ("services", ENDPOINTS, SLICES)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == SLICES:
            labels = labels_of(event.object)
            if event.type == "ADDED" or labels.get(MANAGED_BY) != MANAGER or SERVICE_NAME not in labels:
                return ()
            return [ObjectKey(event.object["metadata"]["namespace"], labels[SERVICE_NAME])]
        if event.resource == "services":
            return self._keys_for_service(event)
        return [key_of(event.object)] if self._is_mine(event) else ()

    @staticmethod
    def _keys_for_service(event: Event) -> Iterable[ObjectKey]:
        states = [bool(obj["spec"].get("selector")) for obj in (event.object, event.previous) if obj]
        changed = len(set(states)) > 1 or (event.type != "MODIFIED" and not states[0])
        return [key_of(event.object)] if changed else ()

    def _is_mine(self, event: Event) -> bool:
        """Tell whether an event of Endpoints matters: those of a Service with a selector never do."""
        service = self._client.find("services", *key_of(event.object))
        if service is not None and service["spec"].get("selector"):
            return False
        return any(is_mirrored(obj) for obj in (event.object, event.previous) if obj)

    def sync(self, key: ObjectKey) -> float | None:
        """Mirror one Endpoints, or remove what is left of a mirror."""
        client = self._client
        slices = [found for found in client.list(SLICES, key.namespace) if self._mirrors(found, key)]
        endpoints, service = client.find(ENDPOINTS, *key), client.find("services", *key)
        if endpoints is None or service is None or service["spec"].get("selector"):
            self._delete(key, [found["metadata"]["name"] for found in slices])
            return None
        if not is_mirrored(endpoints):
            self._delete(key, [found["metadata"]["name"] for found in slices])
            return None
        mirror = mirror_of(endpoints)
        self._warn(endpoints, mirror)
        writes = reconcile(endpoints, mirror, slices)
        for obj in () if is_terminating(endpoints) else writes.create:
            client.create(SLICES, obj)
        for obj in writes.update:
            client.update(SLICES, obj)
        self._delete(key, writes.delete)
        return None

    @staticmethod
    def _mirrors(found: Obj, key: ObjectKey) -> bool:
        labels = labels_of(found)
        return labels.get(MANAGED_BY) == MANAGER and labels.get(SERVICE_NAME) == key.name

    def _delete(self, key: ObjectKey, names: Iterable[str]) -> None:
        for name in names:
            try:
                self._client.delete(SLICES, key.namespace, name)
            except NotFoundError:
                continue

    def _warn(self, endpoints: Obj, mirror: Mirror) -> None:
        told = []
        if mirror.invalid:
            text = f"Skipped {mirror.invalid} invalid IP addresses when mirroring to EndpointSlices"
            told.append(("InvalidIPAddress", text))
        if mirror.too_many:
            text = (
                f"A max of {MAX_ADDRESSES} addresses can be mirrored to EndpointSlices per Endpoints subset. "
                f"{mirror.invalid + mirror.too_many} addresses were skipped"
            )
            told.append(("TooManyAddressesToMirror", text))
        for reason, message in told:
            self._client.record(endpoints, event_type="Warning", reason=reason, message=message)


DESCRIPTOR = ControllerDescriptor(
    name="endpointslice-mirroring-controller",
    build=EndpointSliceMirroringController,
    component="endpoint-slice-mirroring-controller",
)
