"""The controllers and the scheduler together, on the real registry, in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.controllers.catalog import CONTROLLERS
from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.framework.manager import ControllerManager
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.registry import Registry
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, owner_reference


class Plane:
    """A control plane with nodes but without kubelets."""

    def __init__(self) -> None:
        self.clock, ids = VirtualClock(), SeededIds(3)
        registry = Registry(
            MemoryStore(), clock=self.clock, ids=ids, options=AdmissionOptions(disabled=("ServiceAccount",))
        )
        bootstrap(registry, api_address="127.0.0.1", api_port=6443)
        self.client = registry.client("system:admin")
        context = ControllerContext(client=self.client, clock=self.clock, ids=ids, root_ca="PEM")
        built = [(found.name, found.build(context)) for found in CONTROLLERS]
        ControllerManager(built, self.client, self.clock).start()
        Scheduler(self.client, self.clock).start()
        for zone in "abc":
            self.node(f"node-{zone}1", f"local-{zone}")
        self.clock.advance(0.5)

    def node(self, name: str, zone: str) -> None:
        labels = {"topology.kubernetes.io/zone": zone, "kubernetes.io/hostname": name}
        node = self.client.create("nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}})
        capacity = {"cpu": "4", "memory": "8Gi", "pods": "110"}
        status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": capacity}
        self.client.update_status("nodes", {**node, "status": status})

    def pod(self, name: str, **spec: Any) -> Obj:
        meta = {"name": name, "namespace": "shop", "labels": {"app": "web"}}
        full = {"containers": [{"name": "c", "image": "web"}], **spec}
        return self.client.create("pods", {"metadata": meta, "spec": full})


@pytest.fixture
def plane() -> Plane:
    made = Plane()
    made.client.create("namespaces", {"metadata": {"name": "shop"}})
    made.clock.advance(0.1)
    return made


def test_a_namespace_starts_complete_and_ends_empty(plane: Plane) -> None:
    assert plane.client.find("serviceaccounts", "shop", "default") is not None
    plane.client.delete("namespaces", "", "shop")
    plane.clock.advance(2)
    assert plane.client.find("namespaces", "", "shop") is None
    assert plane.client.list("configmaps", "shop") == []


def test_a_pod_with_a_claim_gets_a_node_and_a_volume_of_its_zone(plane: Plane) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    meta = {"name": "data", "namespace": "shop"}
    plane.client.create("persistentvolumeclaims", {"metadata": meta, "spec": spec})
    plane.pod("db", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    plane.clock.advance(0.5)
    node = plane.client.get("pods", "shop", "db")["spec"]["nodeName"]
    (volume,) = plane.client.list("persistentvolumes")
    zone = plane.client.get("nodes", "", node)["metadata"]["labels"]["topology.kubernetes.io/zone"]
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"][0]["values"] == [zone]
    assert volume["status"]["phase"] == "Bound"


def test_a_service_lists_its_ready_pods_and_goes_with_its_slices(plane: Plane) -> None:
    ports = [{"port": 80, "targetPort": 8080}]
    meta = {"name": "web", "namespace": "shop"}
    plane.client.create("services", {"metadata": meta, "spec": {"selector": {"app": "web"}, "ports": ports}})
    pod = plane.pod("web-1")
    plane.clock.advance(0.1)
    pod = plane.client.get("pods", "shop", "web-1")
    conditions = [{"type": "Ready", "status": "True"}]
    status = {**pod["status"], "phase": "Running", "podIP": "10.0.0.9", "conditions": conditions}
    plane.client.update_status("pods", {**pod, "status": status})
    plane.clock.advance(0.1)
    (found,) = plane.client.list("endpointslices.discovery.k8s.io", "shop")
    assert found["endpoints"][0]["conditions"]["ready"]
    plane.client.delete("pods", "shop", "web-1", grace_period_seconds=0)
    plane.clock.advance(0.1)
    (found,) = plane.client.list("endpointslices.discovery.k8s.io", "shop")
    assert not found["endpoints"]
    plane.client.delete("services", "shop", "web")
    plane.clock.advance(0.1)
    assert plane.client.list("endpointslices.discovery.k8s.io", "shop") == []


def test_a_node_that_falls_silent_is_tainted(plane: Plane) -> None:
    plane.clock.advance(3)
    for name in ("node-a1", "node-b1"):
        lease = {"name": name, "namespace": "kube-node-lease"}
        renewed = plane.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        plane.client.create("leases.coordination.k8s.io", {"metadata": lease, "spec": {"renewTime": renewed}})
    plane.clock.advance(2)
    taints = plane.client.get("nodes", "", "node-c1")["spec"]["taints"]
    assert {taint["effect"] for taint in taints} == {"NoSchedule", "NoExecute"}
    assert "taints" not in plane.client.get("nodes", "", "node-a1")["spec"]


def test_a_claim_and_its_data_stay_until_no_pod_uses_them(plane: Plane) -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    plane.client.create(
        "persistentvolumeclaims", {"metadata": {"name": "data", "namespace": "shop"}, "spec": claim}
    )
    plane.pod("db", volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    plane.clock.advance(1)
    volume = plane.client.get("persistentvolumeclaims", "shop", "data")["spec"]["volumeName"]

    plane.client.delete("persistentvolumeclaims", "shop", "data")
    plane.client.delete("persistentvolumes", "", volume)
    plane.clock.advance(5)
    assert plane.client.get("persistentvolumeclaims", "shop", "data")["metadata"]["deletionTimestamp"]
    assert plane.client.get("persistentvolumes", "", volume)["status"]["phase"] == "Bound"

    plane.client.delete("pods", "shop", "db", grace_period_seconds=0)
    plane.clock.advance(1)
    assert plane.client.find("persistentvolumeclaims", "shop", "data") is None
    assert plane.client.find("persistentvolumes", "", volume) is None


def test_nodes_say_how_long_what_was_read_may_be_kept(plane: Plane) -> None:
    (node, *_) = plane.client.list("nodes")
    assert node["metadata"]["annotations"] == {"node.alpha.kubernetes.io/ttl": "0"}


def test_the_owners_of_a_kind_that_is_defined_later_are_followed_too(plane: Plane) -> None:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    definition = {"metadata": {"name": "widgets.example.com"}, "spec": spec}
    plane.client.create("customresourcedefinitions.apiextensions.k8s.io", definition)
    for name in ("parent", "foreground"):
        owner = plane.client.create("widgets.example.com", {"metadata": {"name": name, "namespace": "shop"}})
        meta = {"name": f"{name}-child", "namespace": "shop", "ownerReferences": [owner_reference(owner)]}
        plane.client.create("configmaps", {"metadata": meta})
        plane.client.create("widgets.example.com", {"metadata": meta})
    plane.clock.advance(1)
    plane.client.delete("widgets.example.com", "shop", "parent")
    plane.client.delete("widgets.example.com", "shop", "foreground", propagation="Foreground")
    plane.clock.advance(1)
    assert plane.client.list("widgets.example.com", "shop") == []
    left = [each["metadata"]["name"] for each in plane.client.list("configmaps", "shop")]
    assert [name for name in left if name.endswith("-child")] == []
