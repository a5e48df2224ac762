"""The network's live picture of Services, endpoints, Ingresses and lost nodes.

Fed by watch events, read by DNS, proxy and ingress. Each change is folded in once, batched to the end
of the current turn of the event loop; then listeners are told which Services changed.
"""

from __future__ import annotations

from collections.abc import Callable

from leeward.base.clock import Clock
from leeward.cluster.interface.client import Event, Reader, Unsubscribe
from leeward.cluster.network.endpoints import ServiceView, view_service
from leeward.kube.objects import Obj, ObjectKey, find_condition, key_of, labels_of
from leeward.kube.wellknown import SERVICE_NAME

WATCHED = ("services", "endpointslices.discovery.k8s.io", "ingresses.networking.k8s.io", "nodes")
Listener = Callable[[set[ObjectKey]], None]


class ServiceTable:
    """Services by key, and nodes known to be lost.

    Args:
        reader: where objects come from.
        clock: batches changes.
    """

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._views: dict[ObjectKey, ServiceView] = {}
        self._slices: dict[ObjectKey, dict[str, Obj]] = {}  # Service key → slices by name
        self._dirty: set[ObjectKey] = set()
        self._listeners: list[Listener] = []
        self._unsubscribe: Unsubscribe | None = None
        self.lost_nodes: set[str] = set()
        self.on_node_lost: Callable[[str], None] = lambda node: None

    def start(self) -> None:
        """Read everything and follow changes."""
        self._unsubscribe = self._reader.watch(WATCHED, self._note)
        self.lost_nodes = {
            node["metadata"]["name"] for node in self._reader.list("nodes") if _has_unknown_state(node)
        }
        for item in self._reader.list("endpointslices.discovery.k8s.io"):
            self._keep_slice(item)
        for service in self._reader.list("services"):
            self._dirty.add(key_of(service))
        self._fold()

    def stop(self) -> None:
        """Follow no more."""
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None

    def listen(self, listener: Listener) -> None:
        """Tell `listener` the keys of changed Services, after the fact."""
        self._listeners.append(listener)

    def find(self, namespace: str, name: str) -> ServiceView | None:
        """Return the view of one Service, if it exists."""
        return self._views.get(ObjectKey(namespace, name))

    def views(self) -> list[ServiceView]:
        """Return all views, ordered by key."""
        return [self._views[key] for key in sorted(self._views)]

    def _note(self, event: Event) -> None:
        """Take note of a change; fold it in later."""
        if event.resource == "nodes":
            self._note_node(event)
            return
        key = key_of(event.object)
        if event.resource.startswith("endpointslices"):
            service = labels_of(event.object).get(SERVICE_NAME, "")
            if event.type == "DELETED":
                self._slices.get(ObjectKey(key.namespace, service), {}).pop(key.name, None)
            else:
                self._keep_slice(event.object)
            key = ObjectKey(key.namespace, service)
        if not self._dirty:
            self._clock.call_later(0.0, self._fold)
        self._dirty.add(key)

    def _note_node(self, event: Event) -> None:
        """Remember lost nodes; say so the moment one is lost."""
        name = event.object["metadata"]["name"]
        lost = event.type == "DELETED" or _has_unknown_state(event.object)
        if lost and name not in self.lost_nodes:
            self.lost_nodes.add(name)
            self._clock.call_later(0.0, lambda: self.on_node_lost(name))
        elif not lost:
            self.lost_nodes.discard(name)

    def _keep_slice(self, item: Obj) -> None:
        key = key_of(item)
        service = ObjectKey(key.namespace, labels_of(item).get(SERVICE_NAME, ""))
        self._slices.setdefault(service, {})[key.name] = item

    def _fold(self) -> None:
        """Rebuild the views of changed Services and tell the listeners."""
        changed, self._dirty = self._dirty, set()
        for key in changed:
            service = self._reader.find("services", *key)
            if service is None:
                self._views.pop(key, None)
                continue
            slices = self._slices.get(key, {})
            self._views[key] = view_service(service, [slices[name] for name in sorted(slices)])
        for listener in self._listeners:
            listener(changed)


def _has_unknown_state(node: Obj) -> bool:
    condition = find_condition(node, "Ready")
    return condition is not None and condition.get("status") == "Unknown"
