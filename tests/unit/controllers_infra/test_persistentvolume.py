"""Zonal volumes: made where the Pod goes, bound, and removed with their claim."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.controllers.persistentvolume import controller, plan
from leeward.kube.objects import Obj
from leeward.kube.volumes import (
    BIND_COMPLETED,
    BOUND_BY_CONTROLLER,
    DEFAULT_CLASS,
    SELECTED_NODE,
    bound_volume,
)

STORAGE_CLASS: Obj = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "local", "annotations": {DEFAULT_CLASS: "true"}},
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
    world.annotate(controller.CLAIMS, made, **{SELECTED_NODE: "node-b1"})
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
    assert chosen["metadata"]["annotations"] == {BOUND_BY_CONTROLLER: "yes"}
    assert current(world)["metadata"]["annotations"] == {
        BIND_COMPLETED: "yes",
        BOUND_BY_CONTROLLER: "yes",
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
    bound = bound_volume(volume, claim)
    assert "annotations" not in bound["metadata"]
    assert bound["spec"]["claimRef"]["uid"] == "1"
    assert plan.bound_claim(claim, bound)["metadata"]["annotations"] == {BIND_COMPLETED: "yes"}


def volume(world: Any, name: str = "disk", size: str = "5Gi", **spec: Any) -> Obj:
    full = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], **spec}
    meta = {"name": name}
    made: Obj = world.create(
        controller.VOLUMES,
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": full},
    )
    return made


def plain_claim(world: Any, **spec: Any) -> Obj:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    meta = {"name": "data", "namespace": "shop"}
    kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
    made: Obj = world.create(controller.CLAIMS, {**kind, "metadata": meta, "spec": wanted})
    return made


def phase(world: Any, name: str = "disk") -> str:
    return str(world.client.get(controller.VOLUMES, "", name)["status"]["phase"])


def test_a_claim_that_waits_takes_a_volume_that_comes_later(world: Any) -> None:
    plain_claim(world)
    world.run(controller.DESCRIPTOR)
    message = "no persistent volumes available for this claim and no storage class is set"
    assert ("FailedBinding", message) in world.client.events
    volume(world)
    world.clock.advance(0)
    assert current(world)["status"]["phase"] == phase(world) == "Bound"


def test_a_selector_and_the_size_choose_among_volumes(world: Any) -> None:
    for name, size in (("small", "500Mi"), ("large", "9Gi"), ("fitting", "2Gi")):
        made = volume(world, name, size)
        labels = {**made["metadata"], "labels": {"tier": "fast"}}
        world.client.update(controller.VOLUMES, {**made, "metadata": labels})
    volume(world, "other", "1Gi")
    plain_claim(world, selector={"matchLabels": {"tier": "fast"}})
    world.run(controller.DESCRIPTOR)
    assert current(world)["spec"]["volumeName"] == "fitting"


def test_a_volume_reserved_by_name_waits_for_its_claim_and_for_no_other(world: Any) -> None:
    volume(world, claimRef={"namespace": "shop", "name": "data"})
    world.run(controller.DESCRIPTOR)
    assert phase(world) == "Available"
    plain_claim(world)
    world.clock.advance(0)
    assert current(world)["spec"]["volumeName"] == "disk"
    assert phase(world) == "Bound"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ({"resources": {"requests": {"storage": "50Gi"}}}, "requested PV is too small"),
        ({"storageClassName": "fast"}, "storageClassName does not match"),
        ({"volumeMode": "Block"}, "incompatible volumeMode"),
        ({"accessModes": ["ReadWriteMany"]}, "incompatible accessMode"),
    ],
)
def test_a_named_volume_that_does_not_satisfy_its_claim_is_not_bound(
    world: Any, spec: Obj, problem: str
) -> None:
    volume(world)
    plain_claim(world, volumeName="disk", **spec)
    world.run(controller.DESCRIPTOR)
    assert current(world)["status"]["phase"] == "Pending"
    assert ("VolumeMismatch", f'Cannot bind to requested volume "disk": {problem}') in world.client.events


def test_a_claim_of_a_class_that_is_not_there_says_so(world: Any) -> None:
    plain_claim(world, storageClassName="fast")
    world.run(controller.DESCRIPTOR)
    assert ("ProvisioningFailed", 'storageclass.storage.k8s.io "fast" not found') in world.client.events


def test_others_provisioners_are_named_and_waited_for(world: Any) -> None:
    external = {**STORAGE_CLASS, "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "Immediate"}
    world.create(controller.CLASSES, external)
    plain_claim(world, storageClassName="local")
    world.run(controller.DESCRIPTOR)
    notes = current(world)["metadata"]["annotations"]
    assert notes["volume.kubernetes.io/storage-provisioner"] == "ebs.csi.aws.com"
    assert any(reason == "ExternalProvisioning" for reason, _ in world.client.events)
    assert current(world)["status"]["phase"] == "Pending"


def test_a_class_may_allow_some_zones_only(world: Any) -> None:
    world.node("node-a1", "local-a")
    world.node("node-b1", "local-b")
    rule = {"key": "topology.kubernetes.io/zone", "values": ["local-b"]}
    term = {"matchLabelExpressions": [rule]}
    world.create(
        controller.CLASSES, {**STORAGE_CLASS, "volumeBindingMode": "Immediate", "allowedTopologies": [term]}
    )
    plain_claim(world)
    world.run(controller.DESCRIPTOR)
    assert world.made == [f"volumes/local-b/{current(world)['spec']['volumeName']}"]


def test_a_claim_whose_selected_node_is_gone_is_scheduled_again(world: Any) -> None:
    made = claim(world)
    world.run(controller.DESCRIPTOR)
    world.annotate(controller.CLAIMS, made, **{SELECTED_NODE: "node-x"})
    world.clock.advance(0)
    assert SELECTED_NODE not in current(world)["metadata"]["annotations"]
    message = 'failed to get target node: node "node-x" not found'
    assert ("ProvisioningFailed", message) in world.client.events


def test_a_volume_that_nobody_here_can_delete_fails(world: Any) -> None:
    volume(world, persistentVolumeReclaimPolicy="Delete")
    plain_claim(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete(controller.CLAIMS, "shop", "data")
    world.clock.advance(0)
    assert phase(world) == "Failed"
    message = 'error getting deleter volume plugin for volume "disk": no deletable volume plugin matched'
    assert ("VolumeFailedDelete", message) in world.client.events


def test_a_volume_whose_claim_took_another_is_free_again(world: Any) -> None:
    volume(world, "taken")
    made = plain_claim(world)
    world.run(controller.DESCRIPTOR)
    found = volume(world, "other")
    bound = {"namespace": "shop", "name": "data", "uid": made["metadata"]["uid"]}
    meta = {**found["metadata"], "annotations": {BOUND_BY_CONTROLLER: "yes"}}
    found = world.client.get(controller.VOLUMES, "", "other")
    spec = {**found["spec"], "claimRef": bound}
    world.client.update(
        controller.VOLUMES, {**found, "metadata": {**found["metadata"], **meta}, "spec": spec}
    )
    world.clock.advance(0)
    assert phase(world, "other") == "Available"
    assert "claimRef" not in world.client.get(controller.VOLUMES, "", "other")["spec"]
