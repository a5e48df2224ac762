"""The endpointslice controller: one key per Service; Pods enqueue the Services that select them.

Source: ``pkg/controller/endpointslice`` (Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial

from leeward.cluster.controllers.endpointslice import zones
from leeward.cluster.controllers.endpointslice.hints import follows_zones, hinted, hints_for
from leeward.cluster.controllers.endpointslice.packing import Changes, pack, recycled, unsupported
from leeward.cluster.controllers.endpointslice.plan import (
    MANAGED_BY,
    MANAGER,
    PodEndpoints,
    families_of,
    groups_of,
    pod_endpoints,
)
from leeward.cluster.controllers.framework.controller import (
    SELECTED_A_SECOND,
    ControllerContext,
    ControllerDescriptor,
    collected,
)
from leeward.cluster.controllers.framework.selection import Selection
from leeward.cluster.controllers.framework.servicepods import (
    TriggerTimes,
    selects,
    services_of,
    with_trigger_time,
)
from leeward.cluster.interface.client import Event
from leeward.kube.objects import Obj, ObjectKey, is_condition_true, is_terminating, key_of, labels_of
from leeward.kube.wellknown import SERVICE_NAME, ZONE

_AT_ONCE = 10  # slices written a pass; more of them would keep others waiting
SLICES = "endpointslices.discovery.k8s.io"


class EndpointSliceController:
    """Keeps slices equal to what the Pods are."""

    def __init__(self, context: ControllerContext) -> None:
        self._client = context.client
        self._times = TriggerTimes()
        self._pods: Selection[PodEndpoints] = Selection(
            context.client, selects, lambda service, pod: pod_endpoints(service, pod, self._find_node)
        )
        self._spread: dict[tuple[ObjectKey, str], bool] = {}  # Services with a topology mode → have hints
        self._left: dict[ObjectKey, list[Callable[[], object]]] = {}  # writes still to be made
        self._writes = False

    @property
    def resources(self) -> Collection[str]:
        return ("services", "pods", "nodes", SLICES)

    def _find_node(self, name: str) -> Obj | None:
        return self._client.find("nodes", "", name)

    def keys_for(self, event: Event) -> Iterable[ObjectKey]:
        if event.resource == "pods":
            return self._keys_for_pod(event)
        if event.resource == "services":
            return [key_of(event.object)]
        if event.resource == SLICES:
            return self._keys_for_slice(event)
        return self._keys_for_node(event)

    def _keys_for_pod(self, event: Event) -> Iterable[ObjectKey]:
        keys = services_of(event, lambda namespace: self._client.list("services", namespace))
        for key in keys:
            self._pods.note(key, event.object["metadata"]["name"])
        return keys

    def delay(self, key: ObjectKey, event: Event, rested: float) -> float:
        """Take changes of many Pods together that follow one another."""
        many = event.resource == "pods"
        return collected(self._pods.count(key), SELECTED_A_SECOND, rested) if many else 0.0

    def _keys_for_slice(self, event: Event) -> Iterable[ObjectKey]:
        if self._writes or event.previous is None:
            return ()
        namespace = event.object["metadata"]["namespace"]
        both = (labels_of(event.previous), labels_of(event.object))
        mine = [each for each in both if each.get(MANAGED_BY) == MANAGER and SERVICE_NAME in each]
        return [ObjectKey(namespace, name) for name in dict.fromkeys(each[SERVICE_NAME] for each in mine)]

    def _keys_for_node(self, event: Event) -> Iterable[ObjectKey]:
        """Return the Services whose Pods are on a node that came or moved, and those that follow zones."""
        node, before = event.object, event.previous
        keys: dict[ObjectKey, None] = {}
        moved = before is None or labels_of(before).get(ZONE) != labels_of(node).get(ZONE)
        if event.type != "DELETED" and moved:
            for pod in self._client.pods_on(node["metadata"]["name"]):
                for key in self._keys_for_pod(Event("ADDED", "pods", pod, None, event.revision)):
                    keys[key] = None
        if self._spread and (before is None or moved or _capacity(node) != _capacity(before)):
            keys.update((key, None) for key, _ in self._spread)
        return keys

    def sync(self, key: ObjectKey) -> float | None:
        """Reconcile the slices of one Service."""
        service = self._client.find("services", *key)
        if service is None:
            self._forget(key)
        if service is None or is_terminating(service) or not service["spec"].get("selector"):
            return None  # the garbage collector removes the slices of a Service that is gone
        if service["spec"].get("type") == "ExternalName":
            return None
        goes_on = key in self._left
        writes = self._left.pop(key) if goes_on else list(self._writes_for(key, service))
        self._writes = True
        try:
            for write in writes[:_AT_ONCE]:
                write()
        finally:
            self._writes = False
        if len(writes) > _AT_ONCE:
            self._left[key] = writes[_AT_ONCE:]
            return 0.0
        return 0.0 if goes_on else None  # for what happened between its passes

    def _writes_for(self, key: ObjectKey, service: Obj) -> Iterator[Callable[[], object]]:
        """Yield the writes that a Service needs now."""
        selected = self._pods.of(key, service)
        time = self._times.of(key, service, selected.looked_at, selected.gone)
        slices = self._slices_of(key)
        for family in families_of(service):
            ours = [each for each in slices if each.get("addressType") == family]
            groups = groups_of(service, selected.values.values(), family)
            found = self._with_hints(key, service, family, pack(service, family, groups, ours))
            yield from self._calls(recycled(service, found), time)
        yield from self._calls(Changes(delete=unsupported(service, slices)), time)

    def _forget(self, key: ObjectKey) -> None:
        self._times.forget(key)
        self._pods.forget(key)
        self._left.pop(key, None)
        for known in [known for known in self._spread if known[0] == key]:
            del self._spread[known]

    def _slices_of(self, key: ObjectKey) -> Sequence[Obj]:
        return [
            found
            for found in self._client.list(SLICES, key.namespace)
            if labels_of(found).get(SERVICE_NAME) == key.name and labels_of(found).get(MANAGED_BY) == MANAGER
        ]

    def _with_hints(self, key: ObjectKey, service: Obj, family: str, found: Changes) -> Changes:
        """Add the hints that a Service wishes; an Event tells when those of its topology mode come or go."""
        had = self._spread.pop((key, family), False)
        if not follows_zones(service):
            if had:
                self._tell(service, family, zones.DISABLED)
            return hinted(found, hints_for(service))
        spread = zones.spread(found, zones.cpu_shares(self._client.list("nodes")))
        self._spread[key, family] = not isinstance(spread, str)
        if isinstance(spread, str):
            self._tell(service, family, spread)
            return hinted(found, lambda endpoint: None)
        if not had:
            self._tell(service, family, zones.ENABLED)
        return spread

    def _tell(self, service: Obj, family: str, message: str) -> None:
        enabled = message == zones.ENABLED
        self._client.record(
            service,
            event_type="Normal" if enabled else "Warning",
            reason="TopologyAwareHintsEnabled" if enabled else "TopologyAwareHintsDisabled",
            message=f"{message}, addressType: {family}",
        )

    def _calls(self, found: Changes, time: str) -> Iterator[Callable[[], object]]:
        for obj in found.create:
            yield partial(self._client.create, SLICES, _timed(obj, time))
        for obj in found.update:
            yield partial(self._client.update, SLICES, _timed(obj, time))
        for obj in found.delete:
            yield partial(self._client.delete, SLICES, *key_of(obj))


def _timed(obj: Obj, time: str) -> Obj:
    return {**obj, "metadata": with_trigger_time(obj["metadata"], time)}


def _capacity(node: Obj) -> tuple[object, ...]:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return allocatable.get("cpu"), is_condition_true(node, "Ready")


DESCRIPTOR = ControllerDescriptor(name="endpointslice-controller", build=EndpointSliceController)
