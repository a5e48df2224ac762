"""A reader over plain objects."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection
from types import SimpleNamespace

import pytest

from leeward.base.clock import VirtualClock
from leeward.cluster.interface.client import Handler, Unsubscribe
from leeward.cluster.network.table import ServiceTable
from leeward.kube.objects import Obj, key_of


class FakeReader:
    """Holds objects by resource; tells nobody of changes."""

    def __init__(self, objects: dict[str, list[Obj]]) -> None:
        self.objects = objects

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return next((o for o in self.list(resource, namespace) if o["metadata"]["name"] == name), None)

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        found = self.find(resource, namespace, name)
        assert found is not None
        return found

    def list(self, resource: str, namespace: str = "") -> list[Obj]:
        return [o for o in self.objects.get(resource, []) if namespace in ("", key_of(o).namespace)]

    def controlled_by(self, resource: str, uid: str) -> builtins.list[Obj]:
        return []

    def uncontrolled(self, resource: str, namespace: str) -> builtins.list[Obj]:
        return []

    def pods_on(self, node: str) -> builtins.list[Obj]:
        return []

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Unsubscribe:
        return lambda: None


def make_service(name: str, namespace: str = "shop", ip: str = "10.0.0.5", **spec: object) -> Obj:
    ports = [{"name": "http", "port": 80, "protocol": "TCP"}]
    return {
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"clusterIP": ip, "ports": ports, **spec},
    }


def make_slice(service: str, *ips: str, namespace: str = "shop", port: int = 8080) -> Obj:
    return {
        "metadata": {
            "name": f"{service}-x",
            "namespace": namespace,
            "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"name": "http", "port": port, "protocol": "TCP"}],
        "endpoints": [{"addresses": [ip], "nodeName": "n1", "conditions": {"ready": True}} for ip in ips],
    }


@pytest.fixture
def world() -> Callable[..., SimpleNamespace]:
    """Return a function that makes a table over Services, slices and Ingresses."""

    def make(
        services: list[Obj], slices: list[Obj] | None = None, ingresses: list[Obj] | None = None
    ) -> SimpleNamespace:
        reader = FakeReader(
            {
                "services": services,
                "endpointslices.discovery.k8s.io": slices or [],
                "ingresses.networking.k8s.io": ingresses or [],
            }
        )
        table = ServiceTable(reader, VirtualClock())
        table.start()
        return SimpleNamespace(reader=reader, table=table, service=make_service, slice=make_slice)

    make.service = make_service  # type: ignore[attr-defined]
    make.slice = make_slice  # type: ignore[attr-defined]
    return make
