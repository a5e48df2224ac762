"""Owners and what they leave behind."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.garbagecollector import controller
from leeward.kube.objects import Obj, owner_reference


def chain(world: Any) -> tuple[Obj, Obj, Obj]:
    def make(resource: str, api: str, kind: str, owner: Obj | None) -> Obj:
        meta: dict[str, Any] = {"name": kind.lower(), "namespace": "shop"}
        if owner:
            meta["ownerReferences"] = [owner_reference(owner)]
        made: Obj = world.create(resource, {"apiVersion": api, "kind": kind, "metadata": meta, "spec": {}})
        return made

    deployment = make("deployments.apps", "apps/v1", "Deployment", None)
    replica_set = make("replicasets.apps", "apps/v1", "ReplicaSet", deployment)
    return deployment, replica_set, make("pods", "v1", "Pod", replica_set)


def test_background_deletion_removes_the_whole_chain(world: Any) -> None:
    chain(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete("deployments.apps", "shop", "deployment")
    world.clock.advance(1)
    assert world.client.objects == {}


def test_foreground_deletion_keeps_the_owner_until_its_dependents_are_gone(world: Any) -> None:
    deployment, _, pod = chain(world)
    world.client.update("pods", {**pod, "metadata": {**pod["metadata"], "finalizers": ["test/hold"]}})
    world.run(controller.DESCRIPTOR)
    world.client.delete("deployments.apps", "shop", "deployment", propagation="Foreground")
    world.clock.advance(1)
    assert world.names("deployments.apps") == ["shop/deployment"]
    assert world.names("replicasets.apps") == ["shop/replicaset"]
    held = world.client.get("pods", "shop", "pod")
    assert held["metadata"]["deletionTimestamp"]
    world.client.update("pods", {**held, "metadata": {**held["metadata"], "finalizers": []}})
    world.clock.advance(1)
    assert world.client.objects == {}
    assert deployment["metadata"]["uid"]


def test_orphaned_dependents_stay_without_an_owner(world: Any) -> None:
    chain(world)
    world.run(controller.DESCRIPTOR)
    world.client.delete("deployments.apps", "shop", "deployment", propagation="Orphan")
    world.clock.advance(1)
    assert world.names("deployments.apps") == []
    assert "ownerReferences" not in world.client.get("replicasets.apps", "shop", "replicaset")["metadata"]
    assert world.names("pods") == ["shop/pod"]


def test_an_object_with_one_living_owner_loses_only_the_absent_one(world: Any) -> None:
    deployment, replica_set, _ = chain(world)
    absent = {**owner_reference(deployment, controller=False), "name": "gone", "uid": "no-such-uid"}
    meta = {**replica_set["metadata"], "ownerReferences": [owner_reference(deployment), absent]}
    world.client.update("replicasets.apps", {**replica_set, "metadata": meta})
    world.run(controller.DESCRIPTOR)
    left = world.client.get("replicasets.apps", "shop", "replicaset")["metadata"]["ownerReferences"]
    assert [found["uid"] for found in left] == [deployment["metadata"]["uid"]]


def test_an_owner_of_the_same_name_but_another_uid_is_absent(world: Any) -> None:
    deployment, _, _ = chain(world)
    world.client.delete("deployments.apps", "shop", "deployment")
    world.create(
        "deployments.apps",
        {**deployment, "metadata": {"name": "deployment", "namespace": "shop"}},
    )
    world.run(controller.DESCRIPTOR)
    world.clock.advance(1)
    assert world.names("pods") == []
    assert world.names("deployments.apps") == ["shop/deployment"]


def test_a_cluster_scoped_owner_owns_objects_of_namespaces(world: Any) -> None:
    node = world.node("node-a1", "a")
    meta = {"name": "web", "namespace": "shop", "ownerReferences": [owner_reference(node)]}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(controller.DESCRIPTOR)
    assert world.names("configmaps") == ["shop/web"]
    world.client.delete("nodes", "", "node-a1")
    world.clock.advance(1)
    assert world.names("configmaps") == []


def test_an_owner_of_an_unknown_kind_counts_as_present(world: Any) -> None:
    reference = {"apiVersion": "example.com/v1", "kind": "Widget", "name": "w", "uid": "u"}
    meta = {"name": "web", "namespace": "shop", "ownerReferences": [reference]}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(controller.DESCRIPTOR)
    world.clock.advance(5)
    assert world.names("configmaps") == ["shop/web"]


def test_objects_that_own_one_another_do_not_wait_for_one_another(world: Any) -> None:
    deployment, replica_set, _ = chain(world)
    block = {**owner_reference(replica_set, controller=False), "blockOwnerDeletion": True}
    meta = {**deployment["metadata"], "ownerReferences": [block]}
    world.client.update("deployments.apps", {**deployment, "metadata": meta})
    world.client.delete("replicasets.apps", "shop", "replicaset", propagation="Foreground")
    world.client.delete("deployments.apps", "shop", "deployment", propagation="Foreground")
    world.run(controller.DESCRIPTOR)
    world.clock.advance(1)
    assert world.client.objects == {}


def settings(world: Any, name: str, *owners: Obj, namespace: str = "shop") -> Obj:
    meta = {"name": name, "namespace": namespace, "ownerReferences": list(owners)}
    made: Obj = world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    return made


def test_an_owner_in_another_namespace_is_none_and_that_is_told(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    owner = settings(world, "owner", namespace="other")
    uid = owner["metadata"]["uid"]
    settings(world, "child", owner_reference(owner))
    world.clock.advance(1)
    assert world.names("configmaps") == ["other/owner"]
    named = f"[v1/ConfigMap, namespace: shop, name: owner, uid: {uid}]"
    message = f'ownerRef {named} does not exist in namespace "shop"'
    assert world.client.events == [("OwnerRefInvalidNamespace", message)]


def test_an_owner_that_is_named_wrong_is_none(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    owner = settings(world, "owner")
    settings(world, "child", {**owner_reference(owner), "name": "another"})
    world.clock.advance(1)
    assert world.names("configmaps") == ["shop/owner"]


def test_a_namespaced_owner_of_a_cluster_scoped_object_harms_nobody(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    owner = settings(world, "owner")
    meta = {"name": "disk", "ownerReferences": [owner_reference(owner)]}
    world.create("persistentvolumes", {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta})
    world.client.delete("configmaps", "shop", "owner")
    world.clock.advance(1)
    assert world.names("persistentvolumes") == ["disk"]


def test_objects_that_own_one_another_can_be_deleted_in_the_foreground(world: Any) -> None:
    world.run(controller.DESCRIPTOR)
    first = settings(world, "first")
    second = settings(world, "second", owner_reference(first))
    meta = {**first["metadata"], "ownerReferences": [owner_reference(second)]}
    world.client.update("configmaps", {**first, "metadata": meta})
    world.clock.advance(1)
    world.client.delete("configmaps", "shop", "first", propagation="Foreground")
    world.clock.advance(1)
    assert world.names("configmaps") == []


def test_an_object_whose_owners_are_all_there_is_not_looked_at(world: Any) -> None:
    built = controller.GarbageCollector(
        ControllerContext(client=world.client, clock=world.clock, ids=world.client.ids)
    )
    noted: list[Any] = []
    world.client.watch(None, lambda event: noted.extend(built.keys_for(event)))
    _, _, pod = chain(world)
    world.set_status("pods", pod, phase="Running")
    assert noted == []
