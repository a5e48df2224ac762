"""Objects in memory: a reader for plugins, and a small cluster for the scheduler as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.store import Event, Handler, Unsubscribe
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.kube.objects import Obj, key_of
from leeward.kube.status import NotFoundError

_RESOURCES = {
    "Service": "services",
    "ReplicaSet": "replicasets.apps",
    "StatefulSet": "statefulsets.apps",
    "ReplicationController": "replicationcontrollers",
    "PodDisruptionBudget": "poddisruptionbudgets.policy",
    "StorageClass": "storageclasses.storage.k8s.io",
    "PersistentVolume": "persistentvolumes",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Namespace": "namespaces",
    "PriorityClass": "priorityclasses.scheduling.k8s.io",
    "RuntimeClass": "runtimeclasses.node.k8s.io",
}


class DictReader:
    """Serves a fixed set of objects."""

    def __init__(self, objects: Collection[Obj] = ()) -> None:
        self.objects = {
            (_RESOURCES[obj["kind"]], obj["metadata"].get("namespace") or "", obj["metadata"]["name"]): obj
            for obj in objects
        }

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        found = self.find(resource, namespace, name)
        if found is None:
            raise NotFoundError(f"{resource} {name!r} not found")
        return found

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self.objects.get((resource, namespace, name))

    def list(self, resource: str, namespace: str = "") -> list[Obj]:
        return [
            obj
            for (kind, where, _), obj in sorted(self.objects.items())
            if kind == resource and namespace in ("", where)
        ]

    def controlled_by(self, resource: str, uid: str) -> Any:
        return []

    def uncontrolled(self, resource: str, namespace: str) -> Any:
        return []

    def pods_on(self, node: str) -> Any:
        return []

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        return lambda: None


class Cluster(DictReader):
    """A scheduler at work on a few nodes, in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = VirtualClock()
        self.handlers: list[tuple[frozenset[str] | None, Handler]] = []
        self.recorded: list[tuple[str, str]] = []  # (reason, message)
        self.graceful: set[str] = set()  # Pods that stay terminating when deleted
        self.scheduler = Scheduler(self, self.clock)  # type: ignore[arg-type]

    def start(self) -> None:
        self.scheduler.start()
        self.clock.advance(0)

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        entry = (None if resources is None else frozenset(resources), handler)
        self.handlers.append(entry)
        return lambda: self.handlers.remove(entry)

    def put(self, resource: str, obj: Obj) -> Obj:
        """Create or replace an object."""
        key = (resource, *key_of(obj))
        previous = self.objects.get(key)
        self.objects[key] = obj
        self._tell(Event("MODIFIED" if previous else "ADDED", resource, obj, previous, 1))
        return obj

    def _tell(self, event: Event) -> None:
        for resources, handler in list(self.handlers):
            if resources is None or event.resource in resources:
                handler(event)

    def update(self, resource: str, obj: Obj) -> Obj:
        return self.put(resource, obj)

    def update_status(self, resource: str, obj: Obj) -> Obj:
        return self.put(resource, {**self.get(resource, *key_of(obj)), "status": obj["status"]})

    def bind(self, namespace: str, pod: str, node: str) -> None:
        old = self.get("pods", namespace, pod)
        self.put("pods", {**old, "spec": {**old["spec"], "nodeName": node}})

    def delete(self, resource: str, namespace: str, name: str, **options: Any) -> None:
        obj = self.get(resource, namespace, name)
        if name in self.graceful and not options:
            self.put(resource, {**obj, "metadata": {**obj["metadata"], "deletionTimestamp": "soon"}})
            return
        del self.objects[(resource, namespace, name)]
        self._tell(Event("DELETED", resource, obj, obj, 1))

    def record(self, involved: Obj, *, event_type: str, reason: str, message: str, **more: Any) -> None:
        self.recorded.append((reason, message))

    def node(self, name: str, zone: str = "a", cpu: str = "4", **spec: Any) -> Obj:
        labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}
        allocatable = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
        meta = {"name": name, "labels": labels}
        return self.put("nodes", {"metadata": meta, "spec": spec, "status": {"allocatable": allocatable}})

    def pod(self, name: str, cpu: str = "100m", **spec: Any) -> Obj:
        container = {"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}
        meta = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "labels": {"app": "web"}}
        return self.put("pods", {"metadata": meta, "spec": {"containers": [container], **spec}})

    def placed(self, name: str) -> str:
        node: str = self.get("pods", "shop", name)["spec"].get("nodeName", "")
        return node

    def condition(self, name: str) -> tuple[str, str]:
        (found,) = self.get("pods", "shop", name)["status"]["conditions"]
        return found["reason"], found["message"]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def make_reader() -> Callable[[Collection[Obj]], Reader]:
    return DictReader
