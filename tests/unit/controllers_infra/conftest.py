"""A cluster in memory: objects with revisions, deletion with finalizers and grace, synchronous watch."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.config import Timing
from leeward.cluster.controllers.framework.controller import ControllerContext, ControllerDescriptor
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.interface.client import Client, Event, Handler
from leeward.kube.objects import Obj, annotations_of, controller_of, format_time, key_of
from leeward.kube.status import AlreadyExistsError, ConflictError, NotFoundError


class MemoryClient:
    """Enough of an API server for controllers."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.ids = SeededIds(1)
        self.objects: dict[tuple[str, str, str], Obj] = {}
        self.events: list[tuple[str, str]] = []  # (reason, message)
        self._handlers: list[tuple[frozenset[str] | None, Handler]] = []
        self._revision = 0

    def batch(self) -> AbstractContextManager[None]:
        return nullcontext()

    def find(self, resource: str, namespace: str, name: str) -> Obj | None:
        return self.objects.get((resource, namespace, name))

    def get(self, resource: str, namespace: str, name: str) -> Obj:
        found = self.find(resource, namespace, name)
        if found is None:
            raise NotFoundError(f'{resource} "{name}" not found')
        return found

    def list(self, resource: str, namespace: str = "") -> builtins.list[Obj]:
        return [
            obj
            for (kind, where, _), obj in sorted(self.objects.items())
            if kind == resource and namespace in ("", where)
        ]

    def controlled_by(self, resource: str, uid: str) -> builtins.list[Obj]:
        return [obj for obj in self.list(resource) if (controller_of(obj) or {}).get("uid") == uid]

    def uncontrolled(self, resource: str, namespace: str) -> builtins.list[Obj]:
        return [obj for obj in self.list(resource, namespace) if controller_of(obj) is None]

    def pods_on(self, node: str) -> builtins.list[Obj]:
        return [pod for pod in self.list("pods") if pod["spec"].get("nodeName") == node]

    def watch(self, resources: Collection[str] | None, handler: Handler) -> Callable[[], None]:
        entry = (None if resources is None else frozenset(resources), handler)
        self._handlers.append(entry)
        return lambda: self._handlers.remove(entry)

    def _commit(self, kind: Any, resource: str, obj: Obj, previous: Obj | None) -> Obj:
        self._revision += 1
        obj = {**obj, "metadata": {**obj["metadata"], "resourceVersion": str(self._revision)}}
        key = (resource, *key_of(obj))
        if kind == "DELETED":
            self.objects.pop(key)
        else:
            self.objects[key] = obj
        for resources, handler in list(self._handlers):
            if resources is None or resource in resources:
                handler(Event(kind, resource, obj, previous, self._revision))
        return obj

    def create(self, resource: str, obj: Obj) -> Obj:
        meta = dict(obj["metadata"])
        if "name" not in meta:
            meta["name"] = meta.pop("generateName") + self.ids.suffix()
        meta.setdefault("uid", self.ids.uid())
        meta.setdefault("creationTimestamp", format_time(self.clock.now()))
        if (resource, meta.get("namespace") or "", meta["name"]) in self.objects:
            raise AlreadyExistsError(meta["name"])
        return self._commit("ADDED", resource, {**obj, "metadata": meta}, None)

    def update(self, resource: str, obj: Obj) -> Obj:
        old = self.get(resource, *key_of(obj))
        if obj["metadata"].get("resourceVersion") not in (None, old["metadata"]["resourceVersion"]):
            raise ConflictError("the object has been modified")
        new = {**obj, **({"status": old["status"]} if "status" in old else {})}
        if new == old:
            return old
        if self._is_finished(resource, new):
            return self._commit("DELETED", resource, new, old)
        return self._commit("MODIFIED", resource, new, old)

    @staticmethod
    def _is_finished(resource: str, obj: Obj) -> bool:
        meta = obj["metadata"]
        left = meta.get("finalizers") or (
            resource == "namespaces" and (obj.get("spec") or {}).get("finalizers")
        )
        pending = resource == "pods" and meta.get("deletionGracePeriodSeconds")
        return bool(meta.get("deletionTimestamp")) and not left and not pending

    def update_status(self, resource: str, obj: Obj) -> Obj:
        old = self.get(resource, *key_of(obj))
        if obj["metadata"].get("resourceVersion") not in (None, old["metadata"]["resourceVersion"]):
            raise ConflictError("the object has been modified")
        new = {**old, "status": obj["status"]}
        return old if new == old else self._commit("MODIFIED", resource, new, old)

    def patch(self, *args: Any, **kwargs: Any) -> Obj:
        raise AssertionError("no controller here does that")

    def delete(
        self,
        resource: str,
        namespace: str,
        name: str,
        *,
        uid: str | None = None,
        grace_period_seconds: int | None = None,
        propagation: str | None = None,
    ) -> None:
        old = self.get(resource, namespace, name)
        if uid not in (None, old["metadata"]["uid"]):
            raise ConflictError("uid differs")
        finalizers = list(old["metadata"].get("finalizers") or ())
        if propagation in ("Foreground", "Orphan"):
            added = "foregroundDeletion" if propagation == "Foreground" else "orphan"
            finalizers += [added] if added not in finalizers else []
        grace = 0
        if resource == "pods" and old["spec"].get("nodeName"):
            grace = 30 if grace_period_seconds is None else grace_period_seconds
        stamp = format_time(self.clock.now() + timedelta(seconds=grace))
        meta = {
            **old["metadata"],
            "deletionTimestamp": stamp,
            "deletionGracePeriodSeconds": grace,
            "finalizers": finalizers,
        }
        new = {**old, "metadata": meta}
        self._commit("DELETED" if self._is_finished(resource, new) else "MODIFIED", resource, new, old)

    def bind(self, namespace: str, pod: str, node: str) -> None:
        old = self.get("pods", namespace, pod)
        self._commit("MODIFIED", "pods", {**old, "spec": {**old["spec"], "nodeName": node}}, old)

    def evict(self, namespace: str, pod: str, *, grace_period_seconds: int | None = None) -> None:
        raise AssertionError("no controller here does that")

    def request_token(self, namespace: str, account: str, request: Obj) -> Obj:
        raise AssertionError("no controller here does that")

    def secret_token(self, account: Obj, secret: Obj) -> str:
        return f"token of {account['metadata']['name']} in {secret['metadata']['name']}"

    def finalize_namespace(self, obj: Obj) -> Obj:
        return self.update("namespaces", obj)

    def record(self, involved: Obj, *, event_type: str, reason: str, message: str, **more: Any) -> None:
        self.events.append((reason, message))


@dataclass
class World:
    """A cluster, its clock, and the controllers under test."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    made: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.client = MemoryClient(self.clock)

    def run(self, *descriptors: ControllerDescriptor, timing: Timing | None = None) -> None:
        context = ControllerContext(
            client=self.client,
            clock=self.clock,
            ids=self.client.ids,
            timing=timing or Timing(),
            root_ca="PEM",
            make_volume=lambda path: self.made.append(str(path)),
            remove_volume=lambda path: self.removed.append(str(path)),
        )
        built = [(found.name, found.build(context)) for found in descriptors]
        ControllerManager(built, self.client, self.clock).start()
        self.clock.advance(0)

    def create(self, resource: str, obj: Obj) -> Obj:
        return self.client.create(resource, obj)

    def set_status(self, resource: str, obj: Obj, **status: Any) -> Obj:
        current = self.client.get(resource, *key_of(obj))
        return self.client.update_status(
            resource, {**current, "status": {**(current.get("status") or {}), **status}}
        )

    def annotate(self, resource: str, obj: Obj, **annotations: str) -> Obj:
        current = self.client.get(resource, *key_of(obj))
        meta = {**current["metadata"], "annotations": {**annotations_of(current), **annotations}}
        return self.client.update(resource, {**current, "metadata": meta})

    def names(self, resource: str) -> list[str]:
        return [str(key_of(obj)) for obj in self.client.list(resource)]

    def node(self, name: str, zone: str) -> Obj:
        ready = {
            "type": "Ready",
            "status": "True",
            "lastHeartbeatTime": format_time(self.clock.now()),
            "lastTransitionTime": format_time(self.clock.now()),
        }
        labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}
        return self.create(
            "nodes",
            {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": labels},
                "spec": {},
                "status": {
                    "conditions": [ready],
                    "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                },
            },
        )

    def pod(self, name: str, node: str = "", *, ready: bool = True, **extra: Any) -> Obj:
        state = "True" if ready else "False"
        spec = {"containers": [{"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}]}
        meta = {"name": name, "namespace": "shop", "labels": {"app": "web"}, **extra.pop("metadata", {})}
        return self.create(
            "pods",
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": meta,
                "spec": {**spec, **({"nodeName": node} if node else {}), **extra},
                "status": {
                    "phase": "Running",
                    "podIP": f"10.0.0.{len(self.client.objects) + 1}",
                    "conditions": [{"type": "Ready", "status": state}],
                },
            },
        )

    def renew(self, *names: str) -> None:
        """Renew nodes' leases."""
        for name in names:
            spec = {"renewTime": format_time(self.clock.now())}
            lease = {"metadata": {"name": name, "namespace": "kube-node-lease"}, "spec": spec}
            if self.client.find("leases.coordination.k8s.io", "kube-node-lease", name):
                self.client.update("leases.coordination.k8s.io", lease)
            else:
                self.create("leases.coordination.k8s.io", lease)

    def live(self, seconds: int, *names: str) -> None:
        """Let time pass while the nodes `names` keep renewing their leases."""
        for _ in range(seconds):
            self.renew(*names)
            self.clock.advance(1)


@pytest.fixture
def world() -> World:
    return World()


if TYPE_CHECKING:  # fail here when the stand-in stops being a Client

    def _is_client(client: MemoryClient) -> Client:
        return client
