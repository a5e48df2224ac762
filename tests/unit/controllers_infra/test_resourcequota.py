"""The resource quota controller, on the real registry, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.controllers.resourcequota.controller import DESCRIPTOR
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj

CRDS = "customresourcedefinitions.apiextensions.k8s.io"


class Quotas:
    """A registry with the controller; namespace "shop" is there."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        ids = SeededIds(1)
        options = AdmissionOptions(disabled=("ServiceAccount",))
        registry = Registry(MemoryStore(), clock=self.clock, ids=ids, options=options)
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        controller = DESCRIPTOR.build(ControllerContext(client=self.client, clock=self.clock, ids=ids))
        ControllerManager([(DESCRIPTOR.name, controller)], self.client, self.clock).start()

    def make(self, resource: str, name: str, **fields: Any) -> Obj:
        made: Obj = self.client.create(resource, {"metadata": {"name": name, "namespace": "shop"}, **fields})
        self.clock.advance(0.01)
        return made

    def quota(self, hard: Obj, **spec: Any) -> None:
        self.make("resourcequotas", "q", spec={"hard": hard, **spec})

    def pod(self, name: str = "web", **resources: Any) -> Obj:
        container = {"name": "c", "image": "x", "resources": resources}
        return self.make("pods", name, spec={"containers": [container]})

    def used(self) -> Obj:
        self.clock.advance(0.01)
        found: Obj = self.client.get("resourcequotas", "shop", "q")["status"]["used"]
        return found


@pytest.fixture
def quotas() -> Quotas:
    return Quotas()


def test_what_is_there_already_is_counted(quotas: Quotas) -> None:
    quotas.pod("a", requests={"cpu": "100m", "memory": "1Gi"})
    quotas.pod("b", requests={"cpu": "1"}, limits={"cpu": "2"})
    quotas.make("services", "s", spec={"type": "NodePort", "ports": [{"port": 80}]})
    quotas.make("configmaps", "c")
    hard = {"pods": "5", "requests.cpu": "4", "requests.memory": "4Gi", "limits.cpu": "9"}
    more = {"services.nodeports": "3", "configmaps": "4", "count/configmaps": "4", "secrets": "1"}
    quotas.quota({**hard, **more})
    assert quotas.used() == {
        "pods": "2", "requests.cpu": "1100m", "requests.memory": "1Gi", "limits.cpu": "2",
        "services.nodeports": "1", "configmaps": "1", "count/configmaps": "1", "secrets": "0",
    }  # fmt: skip
    assert quotas.client.get("resourcequotas", "shop", "q")["status"]["hard"] == {**hard, **more}


def test_a_quota_counts_itself(quotas: Quotas) -> None:
    quotas.quota({"resourcequotas": "1"})
    assert quotas.used() == {"resourcequotas": "1"}


def test_what_goes_or_ends_is_given_back(quotas: Quotas) -> None:
    quotas.quota({"pods": "2", "count/pods": "9"})
    quotas.pod("a")
    pod = quotas.pod("b")
    assert quotas.used() == {"pods": "2", "count/pods": "2"}
    quotas.client.update_status("pods", {**pod, "status": {**pod["status"], "phase": "Succeeded"}})
    assert quotas.used() == {"pods": "1", "count/pods": "2"}
    quotas.client.delete("pods", "shop", "a")
    assert quotas.used() == {"pods": "0", "count/pods": "1"}


def test_a_changed_quota_is_counted_again(quotas: Quotas) -> None:
    quotas.quota({"pods": "2"})
    quotas.pod()
    quotas.client.patch("resourcequotas", "shop", "q", {"spec": {"hard": {"pods": None, "count/pods": "1"}}})
    assert quotas.used() == {"count/pods": "1"}


def test_only_what_is_in_the_scope_is_counted(quotas: Quotas) -> None:
    quotas.pod("a")
    quotas.pod("b", requests={"cpu": "1"})
    quotas.quota({"pods": "5"}, scopes=["BestEffort"])
    assert quotas.used() == {"pods": "1"}


def test_custom_resources_are_counted_too(quotas: Quotas) -> None:
    schema = {"openAPIV3Schema": {"type": "object"}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    names = {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"}
    spec = {"group": "x.dev", "scope": "Namespaced", "names": names, "versions": [version]}
    quotas.client.create(CRDS, {"metadata": {"name": "widgets.x.dev"}, "spec": spec})
    quotas.quota({"count/widgets.x.dev": "2"})
    quotas.make("widgets.x.dev", "w")
    assert quotas.used() == {"count/widgets.x.dev": "1"}
    quotas.client.delete("widgets.x.dev", "shop", "w")
    quotas.clock.advance(10)
    assert quotas.used() == {"count/widgets.x.dev": "0"}


def test_nothing_is_written_while_nothing_changes(quotas: Quotas) -> None:
    quotas.quota({"pods": "2"})
    quotas.used()
    version = quotas.client.get("resourcequotas", "shop", "q")["metadata"]["resourceVersion"]
    quotas.clock.advance(3600)
    assert quotas.client.get("resourcequotas", "shop", "q")["metadata"]["resourceVersion"] == version
