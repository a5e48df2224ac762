"""A registry over a store in memory, in virtual time, with the namespaces default and shop."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.store import Event
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.options import DeleteOptions, WriteOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj

DEPLOYMENTS = "deployments.apps"


class Cluster:
    """The registry and short ways to write through it."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.clock = VirtualClock()
        self.store = registry.store if registry else MemoryStore()
        self.registry = registry or Registry(
            self.store,
            clock=self.clock,
            ids=SeededIds(7),
            options=AdmissionOptions(disabled=("ServiceAccount",)),
        )
        self.client = self.registry.client("system:admin")
        self.rehearsal = self.registry.client("system:admin", dry_run=True)
        for name in ("default", "shop"):
            self.client.create("namespaces", {"metadata": {"name": name}})

    def watched(self, *resources: str) -> list[Event]:
        """Return a list that fills with the events of `resources`; of all when there are none."""
        events: list[Event] = []
        self.client.watch(resources or None, events.append)
        return events

    def configmap(self, name: str = "settings", **fields: Any) -> Obj:
        meta = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
        return self.client.create("configmaps", {"metadata": meta, **fields})

    def pod(self, name: str = "web", node: str = "", status: Obj | None = None, **fields: Any) -> Obj:
        """Create a Pod; bind it to `node` and write `status` when given."""
        meta = {"name": name, "namespace": "shop", **fields.pop("metadata", {})}
        spec = {"containers": [{"name": "c", "image": "web:1"}], **fields}
        made = self.client.create("pods", {"metadata": meta, "spec": spec})
        if node:
            self.client.bind("shop", name, node)
            made = self.client.get("pods", "shop", name)
        if status is not None:
            made = self.client.update_status("pods", {**made, "status": {**made["status"], **status}})
        return made

    def deployment(self, name: str = "web", **fields: Any) -> Obj:
        """Return a Deployment, not created."""
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "c", "image": "web:1"}]},
        }
        spec = {"selector": {"matchLabels": {"app": name}}, "template": template, **fields}
        return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec}

    def deploy(self, name: str = "web", **fields: Any) -> Obj:
        return self.client.create(DEPLOYMENTS, self.deployment(name, **fields))

    def service(self, name: str = "web", *ports: Obj, **spec: Any) -> Obj:
        full = {"selector": {"app": name}, "ports": list(ports) or [{"port": 80}], **spec}
        return self.client.create("services", {"metadata": {"name": name, "namespace": "shop"}, "spec": full})

    def delete(self, resource: str, name: str, **options: Any) -> Obj:
        namespace = "shop" if self.registry.resource(resource).namespaced else ""
        return self.registry.delete(resource, namespace, name, DeleteOptions(**options))

    def has(self, resource: str, name: str) -> bool:
        namespace = "shop" if self.registry.resource(resource).namespaced else ""
        return self.client.find(resource, namespace, name) is not None

    @staticmethod
    def options(**fields: Any) -> WriteOptions:
        return WriteOptions(**fields)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()
