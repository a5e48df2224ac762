"""Zonal volumes: made where the Pod goes, bound, and removed with their claim."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.persistentvolume import controller, plan
from leeward.kube.objects import Obj

STORAGE_CLASS: Obj = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local", "annotations": {plan.DEFAULT_CLASS: "true"}},
    "provisioner": plan.PROVISIONER,
    "reclaimPolicy": "Delete",
}


def claim(world: Any, *, mode: str = "WaitForFirstConsumer", class_name: str | None = None) -> Obj:
    world.create(controller.CLASSES, {**STORAGE_CLASS, "volumeBindingMode": mode})
    spec: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    if class_name is not None:
        spec["storageClassName"] = class_name
    made: Obj = world.create(
        controller.CLAIMS,
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": {"name": "data", "namespace": "shop"},
            "spec": spec,
        },
    )
    return made


def current(world: Any) -> Obj:
    found: Obj = world.client.get(controller.CLAIMS, "shop", "data")
    return found


def test_a_claim_waits_for_its_first_consumer(world: Any) -> None:
    world.node("node-b1", "local-b")
    claim(world)
    world.run(controller.DESCRIPTOR)
    assert current(world)["status"] == {"phase": "Pending"}
    assert current(world)["spec"]["storageClassName"] == "local"
    assert world.made == []
    assert ("WaitForFirstConsumer", "waiting for first consumer to be created before binding") in (
        world.client.events
    )


def test_a_volume_is_made_in_the_zone_of_the_selected_node_and_bound(world: Any) -> None:
    world.node("node-b1", "local-b")
    made = claim(world)
    world.run(controller.DESCRIPTOR)
    world.annotate(controller.CLAIMS, made, **{plan.SELECTED_NODE: "node-b1"})
    world.clock.advance(0)
    (volume,) = world.client.list(controller.VOLUMES)
    name = volume["metadata"]["name"]
    assert current(world)["status"]["phase"] == volume["status"]["phase"] == "Bound"
    assert current(world)["spec"]["volumeName"] == name == f"pvc-{made['metadata']['uid']}"
    assert world.made == [f"volumes/local-b/{name}"]
    (term,) = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
    assert term["matchExpressions"] == [
        {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["local-b"]}
    ]


def test_deleting_the_claim_removes_the_volume_and_its_directory(world: Any) -> None:
    world.node("node-b1", "local-b")
    claim(world, mode="Immediate")
    world.run(controller.DESCRIPTOR)
    assert current(world)["status"]["phase"] == "Bound"
    world.client.delete(controller.CLAIMS, "shop", "data")
    world.clock.advance(1)
    assert world.client.list(controller.VOLUMES) == []
    assert world.removed == world.made


def test_a_free_volume_that_fits_is_taken_before_one_is_made(world: Any) -> None:
    world.node("node-a1", "local-a")
    for name, size in (("small", "500Mi"), ("big", "5Gi"), ("right", "2Gi")):
        spec = {
            "capacity": {"storage": size},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": "local",
            "hostPath": {"path": "/x"},
        }
        world.create(
            controller.VOLUMES,
            {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec},
        )
    claim(world, mode="Immediate", class_name="local")
    world.run(controller.DESCRIPTOR)
    assert current(world)["spec"]["volumeName"] == "right"
    chosen = world.client.get(controller.VOLUMES, "", "right")
    assert chosen["metadata"]["annotations"] == {plan.BOUND_BY_CONTROLLER: "yes"}
    assert current(world)["metadata"]["annotations"] == {
        plan.BIND_COMPLETED: "yes",
        plan.BOUND_BY_CONTROLLER: "yes",
    }
    assert world.client.get(controller.VOLUMES, "", "big")["status"]["phase"] == "Available"


def test_a_claim_whose_volume_is_gone_is_lost(world: Any) -> None:
    world.node("node-b1", "local-b")
    claim(world, mode="Immediate")
    world.run(controller.DESCRIPTOR)
    world.client.delete(controller.VOLUMES, "", current(world)["spec"]["volumeName"])
    world.clock.advance(1)
    assert current(world)["status"]["phase"] == "Lost"


def test_a_retained_volume_is_released_and_kept(world: Any) -> None:
    world.node("node-b1", "local-b")
    claim(world, mode="Immediate")
    world.run(controller.DESCRIPTOR)
    volume = world.client.get(controller.VOLUMES, "", current(world)["spec"]["volumeName"])
    spec = {**volume["spec"], "persistentVolumeReclaimPolicy": "Retain"}
    world.client.update(controller.VOLUMES, {**volume, "spec": spec})
    world.client.delete(controller.CLAIMS, "shop", "data")
    world.clock.advance(1)
    (left,) = world.client.list(controller.VOLUMES)
    assert left["status"]["phase"] == "Released"
    assert world.removed == []


def test_a_claim_and_a_volume_that_name_each_other_do_not_say_who_chose() -> None:
    claim = {
        "metadata": {"name": "data", "namespace": "shop", "uid": "1", "resourceVersion": "7"},
        "spec": {"volumeName": "v"},
    }
    volume = {
        "metadata": {"name": "v"},
        "spec": {"claimRef": {"name": "data", "namespace": "shop"}},
    }
    bound = plan.bound_volume(volume, claim)
    assert "annotations" not in bound["metadata"]
    assert bound["spec"]["claimRef"]["uid"] == "1"
    assert plan.bound_claim(claim, bound)["metadata"]["annotations"] == {plan.BIND_COMPLETED: "yes"}
