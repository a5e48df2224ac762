"""How objects go: at once, after their finalizers, after a grace period, with their dependents or without."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.status import ConflictError, NotFoundError


def finalizers(obj: Obj) -> list[str]:
    return list(obj["metadata"].get("finalizers") or ())


def test_an_object_that_nothing_holds_goes_at_once(cluster: Any) -> None:
    made, events = cluster.deploy(), cluster.watched()
    gone = cluster.delete("deployments.apps", "web")
    assert not cluster.has("deployments.apps", "web")
    assert [event.type for event in events] == ["DELETED"]
    assert gone["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(NotFoundError):
        cluster.delete("deployments.apps", "web")


def test_finalizers_hold_an_object_until_the_last_is_removed(cluster: Any) -> None:
    cluster.configmap(metadata={"finalizers": ["a.io/x", "a.io/y"]})
    cluster.clock.advance(5)
    held = cluster.delete("configmaps", "settings")
    assert held["metadata"]["deletionTimestamp"] == "2030-01-01T00:00:05Z"
    assert held["metadata"]["deletionGracePeriodSeconds"] == 0
    assert finalizers(held) == ["a.io/x", "a.io/y"]
    half = cluster.client.patch("configmaps", "shop", "settings", {"metadata": {"finalizers": ["a.io/y"]}},
                                patch_type="merge")  # fmt: skip
    assert cluster.client.get("configmaps", "shop", "settings") == half
    assert half["metadata"]["deletionTimestamp"] == "2030-01-01T00:00:05Z"
    events = cluster.watched()
    last = cluster.client.update("configmaps", {**half, "metadata": {**half["metadata"], "finalizers": []}})
    assert last["metadata"]["resourceVersion"] == half["metadata"]["resourceVersion"]
    assert not cluster.has("configmaps", "settings")
    assert [event.type for event in events] == ["DELETED"]


def test_finalizers_may_go_without_the_object_when_nobody_deletes_it(cluster: Any) -> None:
    made = cluster.configmap(metadata={"finalizers": ["a.io/x"]})
    cluster.client.update("configmaps", {**made, "metadata": {**made["metadata"], "finalizers": []}})
    assert cluster.has("configmaps", "settings")


def test_a_second_deletion_of_a_held_object_changes_nothing(cluster: Any) -> None:
    cluster.configmap(metadata={"finalizers": ["a.io/x"]})
    first = cluster.delete("configmaps", "settings")
    cluster.clock.advance(5)
    assert cluster.delete("configmaps", "settings") == first


def test_being_deleted_counts_as_a_change_of_spec(cluster: Any) -> None:
    made = cluster.deploy()
    held = {**made, "metadata": {**made["metadata"], "finalizers": ["a.io/x"]}}
    cluster.client.update("deployments.apps", held)
    assert cluster.delete("deployments.apps", "web")["metadata"]["generation"] == 2
    assert cluster.delete("deployments.apps", "web")["metadata"]["generation"] == 2


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"propagation": "Foreground"}, ["a.io/x", "foregroundDeletion"]),
        ({"propagation": "Orphan"}, ["a.io/x", "orphan"]),
        ({"propagation": "Background"}, ["a.io/x"]),
        ({"orphan_dependents": True}, ["a.io/x", "orphan"]),
        ({"orphan_dependents": False}, ["a.io/x"]),
        ({"propagation": "Foreground", "orphan_dependents": True}, ["a.io/x", "foregroundDeletion"]),
        ({}, ["a.io/x"]),
    ],
)
def test_propagation_is_a_finalizer_for_the_garbage_collector(
    cluster: Any, options: dict[str, Any], expected: list[str]
) -> None:
    cluster.configmap(metadata={"finalizers": ["a.io/x"]})
    assert finalizers(cluster.delete("configmaps", "settings", **options)) == expected


def test_a_later_deletion_may_change_its_mind_about_dependents(cluster: Any) -> None:
    cluster.configmap()
    assert finalizers(cluster.delete("configmaps", "settings", propagation="Foreground")) == [
        "foregroundDeletion"
    ]
    assert finalizers(cluster.delete("configmaps", "settings", propagation="Orphan")) == ["orphan"]
    assert finalizers(cluster.delete("configmaps", "settings")) == ["orphan"]
    cluster.delete("configmaps", "settings", propagation="Background")
    assert not cluster.has("configmaps", "settings")


def test_only_the_object_that_was_meant_is_deleted(cluster: Any) -> None:
    made = cluster.configmap()
    uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
    with pytest.raises(ConflictError, match="Precondition failed: UID in precondition: other"):
        cluster.delete("configmaps", "settings", uid="other")
    with pytest.raises(ConflictError, match="Precondition failed: ResourceVersion in precondition: 0"):
        cluster.delete("configmaps", "settings", resource_version="0")
    with pytest.raises(ConflictError):
        cluster.client.delete("configmaps", "shop", "settings", uid="other")
    assert cluster.client.get("configmaps", "shop", "settings") == made
    cluster.delete("configmaps", "settings", uid=uid, resource_version=version)
    assert not cluster.has("configmaps", "settings")


def test_a_running_pod_gets_its_grace_period(cluster: Any) -> None:
    made = cluster.pod(node="n1", terminationGracePeriodSeconds=45)
    going = cluster.delete("pods", "web")
    assert going["metadata"]["deletionTimestamp"] == "2030-01-01T00:00:45Z"
    assert going["metadata"]["deletionGracePeriodSeconds"] == 45
    assert going["metadata"]["generation"] == made["metadata"]["generation"] + 1
    assert cluster.client.get("pods", "shop", "web") == going


def test_a_pod_has_thirty_seconds_unless_it_or_the_caller_says_otherwise(cluster: Any) -> None:
    cluster.pod("a", node="n1")
    cluster.pod("b", node="n1")
    assert cluster.delete("pods", "a")["metadata"]["deletionGracePeriodSeconds"] == 30
    asked = cluster.delete("pods", "b", grace_period_seconds=90)["metadata"]
    assert (asked["deletionGracePeriodSeconds"], asked["deletionTimestamp"]) == (90, "2030-01-01T00:01:30Z")


def test_a_pod_without_a_node_or_with_nothing_left_to_do_goes_at_once(cluster: Any) -> None:
    cluster.pod("waiting")
    cluster.pod("done", node="n1", status={"phase": "Succeeded"})
    cluster.pod("broken", node="n1", status={"phase": "Failed"})
    for name in ("waiting", "done", "broken"):
        cluster.delete("pods", name, grace_period_seconds=60)
        assert not cluster.has("pods", name)


def test_a_pod_deleted_by_force_goes_at_once_even_on_its_way_out(cluster: Any) -> None:
    cluster.pod("a", node="n1")
    cluster.pod("b", node="n1")
    cluster.delete("pods", "a", grace_period_seconds=0)
    assert not cluster.has("pods", "a")
    cluster.delete("pods", "b")
    assert cluster.has("pods", "b")
    cluster.delete("pods", "b", grace_period_seconds=0)
    assert not cluster.has("pods", "b")


def test_a_negative_grace_period_is_one_second(cluster: Any) -> None:
    cluster.pod(node="n1")
    assert (
        cluster.delete("pods", "web", grace_period_seconds=-1)["metadata"]["deletionGracePeriodSeconds"] == 1
    )


def test_a_grace_period_can_be_shortened_but_not_extended(cluster: Any) -> None:
    cluster.pod(node="n1")
    first = cluster.delete("pods", "web")
    cluster.clock.advance(4)
    assert cluster.delete("pods", "web", grace_period_seconds=60) == first
    assert cluster.delete("pods", "web", grace_period_seconds=30) == first
    shorter = cluster.delete("pods", "web", grace_period_seconds=10)["metadata"]
    assert shorter["deletionGracePeriodSeconds"] == 10
    assert shorter["generation"] == first["metadata"]["generation"]


def test_a_later_deletion_with_another_propagation_does_not_extend_the_grace_period(cluster: Any) -> None:
    cluster.pod(node="n1")
    first = cluster.delete("pods", "web")["metadata"]
    later = cluster.delete("pods", "web", grace_period_seconds=90, propagation="Foreground")["metadata"]
    assert later["finalizers"] == ["foregroundDeletion"]
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds"):
        assert later[field] == first[field]


def test_a_shortened_grace_period_counts_from_the_first_deletion_but_does_not_end_in_the_past(
    cluster: Any,
) -> None:
    cluster.pod(node="n1")
    cluster.delete("pods", "web")
    cluster.clock.advance(4)
    shorter = cluster.delete("pods", "web", grace_period_seconds=10)["metadata"]
    assert shorter["deletionTimestamp"] == "2030-01-01T00:00:10Z"
    shortest = cluster.delete("pods", "web", grace_period_seconds=2)["metadata"]
    assert shortest["deletionTimestamp"] == "2030-01-01T00:00:04Z"
    assert shortest["deletionGracePeriodSeconds"] == 1


def test_a_second_deletion_that_names_no_grace_period_keeps_the_first_one_s(cluster: Any) -> None:
    cluster.pod(node="n1")
    first = cluster.delete("pods", "web", grace_period_seconds=60)
    assert cluster.delete("pods", "web") == first


def test_a_pod_waits_for_both_its_grace_period_and_its_finalizers(cluster: Any) -> None:
    cluster.pod(node="n1", metadata={"finalizers": ["a.io/x"]})
    going = cluster.delete("pods", "web")
    free = cluster.client.update("pods", {**going, "metadata": {**going["metadata"], "finalizers": []}})
    assert cluster.client.get("pods", "shop", "web") == free
    cluster.delete("pods", "web", grace_period_seconds=0)
    assert not cluster.has("pods", "web")


def test_a_killed_pod_is_still_held_by_its_finalizers(cluster: Any) -> None:
    cluster.pod(node="n1", metadata={"finalizers": ["a.io/x"]})
    cluster.delete("pods", "web")
    cluster.clock.advance(3)
    held = cluster.delete("pods", "web", grace_period_seconds=0)["metadata"]
    assert (held["deletionGracePeriodSeconds"], held["deletionTimestamp"]) == (0, "2030-01-01T00:00:03Z")
    patch = {"metadata": {"finalizers": None}}
    cluster.client.patch("pods", "shop", "web", patch, patch_type="merge")
    assert not cluster.has("pods", "web")


def test_a_pod_on_its_way_out_stays_when_its_status_is_written(cluster: Any) -> None:
    cluster.pod(node="n1")
    going = cluster.delete("pods", "web")
    cluster.client.update_status("pods", {**going, "status": {**going["status"], "phase": "Running"}})
    assert cluster.client.get("pods", "shop", "web")["status"]["phase"] == "Running"


def test_a_namespace_terminates_until_its_content_is_gone(cluster: Any) -> None:
    going = cluster.delete("namespaces", "shop")
    assert going["status"]["phase"] == "Terminating"
    assert going["metadata"]["deletionTimestamp"] == "2030-01-01T00:00:00Z"
    assert going["spec"]["finalizers"] == ["kubernetes"]
    assert cluster.delete("namespaces", "shop") == going
    status = {**going["status"], "conditions": []}
    going = cluster.client.update_status("namespaces", {**going, "status": status})
    assert cluster.client.get("namespaces", "", "shop") == going
    cluster.client.finalize_namespace({**going, "spec": {"finalizers": []}})
    assert not cluster.has("namespaces", "shop")


def test_a_namespace_with_a_finalizer_of_its_own_waits_for_that_too(cluster: Any) -> None:
    meta = {"name": "held", "finalizers": ["a.io/x"]}
    cluster.client.create("namespaces", {"metadata": meta})
    going = cluster.delete("namespaces", "held")
    cluster.client.finalize_namespace({**going, "spec": {}})
    assert cluster.has("namespaces", "held")
    patch = {"metadata": {"finalizers": None}}
    cluster.client.patch("namespaces", "", "held", patch, patch_type="merge")
    assert not cluster.has("namespaces", "held")


def test_a_namespace_nobody_deletes_survives_the_loss_of_its_finalizers(cluster: Any) -> None:
    shop = cluster.client.get("namespaces", "", "shop")
    assert cluster.rehearsal.finalize_namespace({**shop, "spec": {}})["spec"] == {}
    assert cluster.client.get("namespaces", "", "shop") == shop
    left = cluster.client.finalize_namespace({**shop, "spec": {}, "status": {"phase": "x"}})
    assert (left["spec"], left["status"]) == ({}, {"phase": "Active"})
    assert cluster.has("namespaces", "shop")
