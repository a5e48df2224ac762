"""A store of objects in memory, read by plugins under test."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from leeward.cluster.interface.client import Reader
from leeward.cluster.interface.store import Handler, Unsubscribe
from leeward.kube.objects import Obj
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

    def pods_on(self, node: str) -> Any:
        return []

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        return lambda: None


@pytest.fixture
def make_reader() -> Callable[[Collection[Obj]], Reader]:
    return DictReader
