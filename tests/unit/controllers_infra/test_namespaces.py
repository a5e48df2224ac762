"""What a namespace starts with, and how it ends."""

from __future__ import annotations

from typing import Any

from leeward.cluster.controllers.framework.controller import ControllerContext
from leeward.cluster.controllers.namespace import controller as namespace
from leeward.cluster.controllers.podgc import controller as podgc
from leeward.cluster.controllers.rootcacertpublisher import controller as rootcacertpublisher
from leeward.cluster.controllers.serviceaccount import controller as serviceaccount
from leeward.kube.objects import ObjectKey, find_condition
from leeward.kube.status import ForbiddenError


def make_namespace(world: Any, name: str = "shop") -> None:
    spec = {"finalizers": ["kubernetes"]}
    world.create(
        "namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}, "spec": spec}
    )


def test_a_namespace_gets_a_service_account_and_the_ca_certificate(world: Any) -> None:
    world.run(serviceaccount.DESCRIPTOR, rootcacertpublisher.DESCRIPTOR)
    make_namespace(world)
    world.clock.advance(0)
    assert world.names("serviceaccounts") == ["shop/default"]
    assert world.client.get("configmaps", "shop", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_what_a_namespace_must_have_comes_back_when_deleted_or_changed(world: Any) -> None:
    make_namespace(world)
    world.run(serviceaccount.DESCRIPTOR, rootcacertpublisher.DESCRIPTOR)
    world.client.delete("serviceaccounts", "shop", "default")
    changed = {**world.client.get("configmaps", "shop", "kube-root-ca.crt"), "data": {}}
    world.client.update("configmaps", changed)
    world.clock.advance(0)
    assert world.names("serviceaccounts") == ["shop/default"]
    assert world.client.get("configmaps", "shop", "kube-root-ca.crt")["data"] == {"ca.crt": "PEM"}


def test_a_terminating_namespace_loses_its_pods_first_and_then_the_rest(world: Any) -> None:
    make_namespace(world)
    world.node("node-a1", "a")
    world.pod("web", "node-a1")
    meta = {"name": "settings", "namespace": "shop"}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(namespace.DESCRIPTOR)
    world.client.delete("namespaces", "", "shop")
    world.clock.advance(1)
    assert world.names("configmaps") == ["shop/settings"]
    assert condition(world, "NamespaceContentRemaining")[1] == "ContentRemoved"  # as 1.36 says meanwhile
    held = world.client.get("configmaps", "shop", "settings")
    held = {**held, "metadata": {**held["metadata"], "finalizers": ["example.com/hold"]}}
    world.client.update("configmaps", held)
    world.client.delete("pods", "shop", "web", grace_period_seconds=0)
    world.clock.advance(1)
    left = "Some resources are remaining: configmaps. has 1 resource instances"
    assert condition(world, "NamespaceContentRemaining")[2] == left
    held = world.client.get("configmaps", "shop", "settings")
    world.client.update("configmaps", {**held, "metadata": {**held["metadata"], "finalizers": []}})
    world.clock.advance(1)
    assert world.names("configmaps") == world.names("namespaces") == []


def test_other_namespaces_are_not_touched(world: Any) -> None:
    make_namespace(world)
    make_namespace(world, "other")
    meta = {"name": "settings", "namespace": "other"}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(namespace.DESCRIPTOR, podgc.DESCRIPTOR)
    world.client.delete("namespaces", "", "shop")
    world.clock.advance(1)
    assert world.names("namespaces") == ["other"]
    assert world.names("configmaps") == ["other/settings"]


def test_a_namespace_says_which_finalizers_hold_it(world: Any) -> None:
    make_namespace(world)
    meta = {"name": "settings", "namespace": "shop", "finalizers": ["example.com/hold"]}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(namespace.DESCRIPTOR)
    world.client.delete("namespaces", "", "shop")
    world.clock.advance(1)
    found = world.client.get("namespaces", "", "shop")["status"]["conditions"]
    assert {item["type"]: item["message"] for item in found if item["status"] == "True"} == {
        "NamespaceContentRemaining": ("Some resources are remaining: configmaps. has 1 resource instances"),
        "NamespaceFinalizersRemaining": (
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
        ),
    }


def condition(world: Any, kind: str) -> tuple[str, str, str]:
    found = find_condition(world.client.get("namespaces", "", "shop"), kind) or {}
    return found["status"], found["reason"], found["message"]


def test_a_namespace_says_that_it_is_empty_before_it_goes(world: Any) -> None:
    make_namespace(world)
    world.run(namespace.DESCRIPTOR)
    told: list[Any] = []
    world.client.watch(["namespaces"], lambda event: told.append(event.object))
    world.client.delete("namespaces", "", "shop")
    world.clock.advance(1)
    last = find_condition(told[-1], "NamespaceContentRemaining") or {}
    assert (last["status"], last["message"]) == ("False", "All content successfully removed")
    assert world.names("namespaces") == []


def test_what_should_be_gone_but_is_not_is_told(world: Any) -> None:
    make_namespace(world)
    world.pod("web", "node-a1", terminationGracePeriodSeconds=5)
    world.run(namespace.DESCRIPTOR)
    world.client.delete("namespaces", "", "shop")
    world.clock.advance(1)
    assert condition(world, "NamespaceDeletionContentFailure")[1] == "ContentDeleted"
    world.clock.advance(5)
    assert condition(world, "NamespaceDeletionContentFailure") == (
        "True",
        "ContentDeletionFailed",
        "Failed to delete all resource types, 1 remaining: unexpected items still remain in namespace: shop "
        "for gvr: /v1, Resource=pods",
    )


def test_what_cannot_be_deleted_is_told(world: Any) -> None:
    make_namespace(world)
    meta = {"name": "settings", "namespace": "shop"}
    world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    world.run(namespace.DESCRIPTOR)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise ForbiddenError("a webhook says no")

    delete, world.client.delete = world.client.delete, refuse
    delete("namespaces", "", "shop")
    world.clock.advance(1)
    status, reason, message = condition(world, "NamespaceDeletionContentFailure")
    assert (status, reason) == ("True", "ContentDeletionFailed")
    assert "a webhook says no" in message


def test_much_is_deleted_bit_by_bit(world: Any) -> None:
    make_namespace(world)
    for number in range(300):
        meta = {"name": f"settings-{number}", "namespace": "shop"}
        world.create("configmaps", {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta})
    built = namespace.NamespaceController(
        ControllerContext(client=world.client, clock=world.clock, ids=world.client.ids)
    )
    world.client.delete("namespaces", "", "shop")
    assert built.sync(ObjectKey("", "shop")) == 0.0
    assert len(world.names("configmaps")) == 300 - 64
    for _ in range(5):
        built.sync(ObjectKey("", "shop"))
    assert world.names("namespaces") == []
