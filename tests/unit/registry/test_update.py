"""Replacing and patching: conflicts, generations, what a writer cannot change."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.status import BadRequestError, ConflictError, InvalidError, NotFoundError

DEPLOYMENTS = "deployments.apps"


def with_meta(obj: Obj, **fields: Any) -> Obj:
    """Return `obj` with fields of its metadata changed; None takes one away."""
    meta = {key: value for key, value in {**obj["metadata"], **fields}.items() if value is not None}
    return {**obj, "metadata": meta}


def scaled(obj: Obj, replicas: int) -> Obj:
    return {**obj, "spec": {**obj["spec"], "replicas": replicas}}


def test_an_update_replaces_what_the_writer_owns(cluster: Any) -> None:
    old = cluster.configmap(data={"a": "1", "b": "2"}, metadata={"labels": {"x": "y"}})
    meta = {"name": "settings", "namespace": "shop"}
    new = cluster.client.update("configmaps", {"metadata": meta, "data": {"a": "3"}})
    assert new["data"] == {"a": "3"}
    assert "labels" not in new["metadata"]
    assert (new["kind"], new["apiVersion"]) == ("ConfigMap", "v1")
    assert int(new["metadata"]["resourceVersion"]) > int(old["metadata"]["resourceVersion"])
    assert cluster.client.get("configmaps", "shop", "settings") == new


def test_an_update_needs_the_object(cluster: Any) -> None:
    with pytest.raises(NotFoundError, match=r'deployments\.apps "web" not found') as caught:
        cluster.client.update(DEPLOYMENTS, cluster.deployment())
    assert caught.value.details == {"name": "web", "kind": "deployments", "group": "apps"}


def test_of_two_writers_from_one_state_the_second_is_refused(cluster: Any) -> None:
    seen = cluster.deploy()
    first = cluster.client.update(DEPLOYMENTS, scaled(seen, 2))
    with pytest.raises(ConflictError, match="the object has been modified") as caught:
        cluster.client.update(DEPLOYMENTS, scaled(seen, 3))
    assert caught.value.details == {"name": "web", "kind": "deployments", "group": "apps"}
    with pytest.raises(ConflictError):
        cluster.client.update_status(DEPLOYMENTS, {**seen, "status": {"replicas": 1}})
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == first
    assert cluster.client.update(DEPLOYMENTS, scaled(first, 3))["spec"]["replicas"] == 3


def test_a_writer_without_a_resource_version_overwrites(cluster: Any) -> None:
    seen = cluster.deploy()
    cluster.client.update(DEPLOYMENTS, scaled(seen, 2))
    last = cluster.client.update(DEPLOYMENTS, with_meta(scaled(seen, 3), resourceVersion=None))
    assert last["spec"]["replicas"] == 3


def test_an_object_that_was_replaced_by_another_of_its_name_is_a_conflict(cluster: Any) -> None:
    first = cluster.configmap()
    cluster.client.delete("configmaps", "shop", "settings")
    second = cluster.configmap()
    with pytest.raises(ConflictError):
        cluster.client.update("configmaps", {**with_meta(first, resourceVersion=None), "data": {"a": "1"}})
    assert cluster.client.get("configmaps", "shop", "settings") == second


def test_the_generation_counts_changes_of_spec_and_nothing_else(cluster: Any) -> None:
    made = cluster.deploy()
    same = cluster.client.update(DEPLOYMENTS, made)
    assert same["metadata"]["generation"] == 1
    labelled = cluster.client.update(DEPLOYMENTS, with_meta(made, labels={"a": "b"}))
    assert labelled["metadata"]["generation"] == 1
    status = cluster.client.update_status(DEPLOYMENTS, {**labelled, "status": {"observedGeneration": 1}})
    assert status["metadata"]["generation"] == 1
    changed = cluster.client.update(DEPLOYMENTS, scaled(status, 2))
    assert changed["metadata"]["generation"] == 2
    again = cluster.client.update(DEPLOYMENTS, scaled(changed, 3))
    assert again["metadata"]["generation"] == 3


def test_leaving_out_what_has_a_default_is_no_change(cluster: Any) -> None:
    made = cluster.deploy()
    again = cluster.client.update(DEPLOYMENTS, cluster.deployment())
    assert again == made


def test_an_update_that_changes_nothing_is_told_to_nobody(cluster: Any) -> None:
    made, events = cluster.deploy(), cluster.watched()
    cluster.client.update(DEPLOYMENTS, made)
    cluster.client.update_status(DEPLOYMENTS, made)
    assert events == []


def test_what_the_server_owns_does_not_change(cluster: Any) -> None:
    made = cluster.deploy()
    changed = cluster.client.update(
        DEPLOYMENTS,
        with_meta(
            made,
            creationTimestamp="1999-01-01T00:00:00Z",
            generation=99,
            deletionTimestamp="1999-01-01T00:00:00Z",
            deletionGracePeriodSeconds=0,
            selfLink="/x",
            managedFields=[{}],
            annotations={"a": "b"},
        ),
    )
    version = changed["metadata"]["resourceVersion"]
    assert changed["metadata"] == {**made["metadata"], "annotations": {"a": "b"}, "resourceVersion": version}


def test_an_update_without_a_uid_keeps_it(cluster: Any) -> None:
    made = cluster.deploy()
    changed = cluster.client.update(DEPLOYMENTS, cluster.deployment(replicas=2))
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


def test_an_update_cannot_change_status_nor_lose_it(cluster: Any) -> None:
    made = cluster.deploy()
    cluster.client.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1}})
    changed = cluster.client.update(
        DEPLOYMENTS, {**cluster.deployment(replicas=2), "status": {"replicas": 9}}
    )
    assert changed["status"] == {"replicas": 1}
    assert cluster.client.update(DEPLOYMENTS, cluster.deployment(replicas=3))["status"] == {"replicas": 1}


def test_a_bad_update_is_refused_and_nothing_changes(cluster: Any) -> None:
    made, events = cluster.deploy(), cluster.watched()
    with pytest.raises(InvalidError, match=r"spec\.replicas: Invalid value: -1"):
        cluster.client.update(DEPLOYMENTS, scaled(made, -1))
    with pytest.raises(InvalidError, match=r"spec\.selector: Invalid value"):
        cluster.client.update(DEPLOYMENTS, cluster.deployment() | {"spec": cluster.deployment("api")["spec"]})
    assert events == []
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == made


def test_a_rehearsed_update_or_patch_or_deletion_changes_nothing(cluster: Any) -> None:
    made, events = cluster.deploy(), cluster.watched()
    shown = cluster.rehearsal.update(DEPLOYMENTS, scaled(made, 2))
    assert (shown["spec"]["replicas"], shown["metadata"]["generation"]) == (2, 2)
    patch = {"spec": {"replicas": 3}}
    assert cluster.rehearsal.patch(DEPLOYMENTS, "shop", "web", patch)["spec"]["replicas"] == 3
    assert cluster.rehearsal.update_status(DEPLOYMENTS, {**made, "status": {"a": 1}})["status"] == {"a": 1}
    cluster.rehearsal.delete(DEPLOYMENTS, "shop", "web")
    with pytest.raises(NotFoundError):
        cluster.rehearsal.delete(DEPLOYMENTS, "shop", "other")
    assert events == []
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == made


def test_what_was_given_and_what_was_read_is_not_changed(cluster: Any) -> None:
    made = cluster.deploy()
    given = with_meta(scaled(made, 2), labels={"a": "b"})
    frozen_made, frozen_given = copy.deepcopy(made), copy.deepcopy(given)
    cluster.client.update(DEPLOYMENTS, given)
    cluster.client.patch(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": 3}})
    cluster.client.delete(DEPLOYMENTS, "shop", "web", propagation="Foreground")
    assert (made, given) == (frozen_made, frozen_given)


def test_a_merge_patch_replaces_lists_and_a_strategic_patch_merges_them(cluster: Any) -> None:
    cluster.deploy()
    sidecar = {"spec": {"template": {"spec": {"containers": [{"name": "sidecar", "image": "proxy:1"}]}}}}

    def containers(patch_type: str) -> list[str]:
        shown = cluster.rehearsal.patch(DEPLOYMENTS, "shop", "web", sidecar, patch_type=patch_type)
        return sorted(each["name"] for each in shown["spec"]["template"]["spec"]["containers"])

    assert containers("strategic") == ["c", "sidecar"]
    assert containers("merge") == ["sidecar"]


def test_a_json_patch_is_applied_whole_or_not_at_all(cluster: Any) -> None:
    made = cluster.deploy()
    replace = {"op": "replace", "path": "/spec/replicas", "value": 4}
    failing = {"op": "test", "path": "/spec/replicas", "value": 9}
    with pytest.raises(InvalidError, match="the server rejected our request"):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", [replace, failing], patch_type="json")
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == made
    patched = cluster.client.patch(DEPLOYMENTS, "shop", "web", [replace], patch_type="json")
    assert (patched["spec"]["replicas"], patched["metadata"]["generation"]) == (4, 2)


def test_a_patch_is_held_to_the_rules_of_an_update(cluster: Any) -> None:
    made = cluster.deploy()
    cluster.client.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1}})
    with pytest.raises(InvalidError, match=r"spec\.replicas"):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": -1}})
    patched = cluster.client.patch(DEPLOYMENTS, "shop", "web", {"status": {"replicas": 9}})
    assert patched["status"] == {"replicas": 1}
    with pytest.raises(NotFoundError):
        cluster.client.patch(DEPLOYMENTS, "shop", "other", {})


def test_a_patch_that_names_a_state_that_has_passed_is_a_conflict(cluster: Any) -> None:
    made = cluster.deploy()
    patch = {"metadata": {"resourceVersion": made["metadata"]["resourceVersion"]}, "spec": {"replicas": 2}}
    assert cluster.client.patch(DEPLOYMENTS, "shop", "web", patch)["spec"]["replicas"] == 2
    with pytest.raises(ConflictError):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", patch)
    with pytest.raises(InvalidError, match=r"metadata\.uid: Invalid value"):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", {"metadata": {"uid": "another"}})


def test_a_patch_cannot_rename_or_move_or_empty_an_object(cluster: Any) -> None:
    made = cluster.configmap(data={"a": "1"})
    for change in ({"name": "other"}, {"namespace": "default"}):
        with pytest.raises(BadRequestError, match="does not match the name"):
            cluster.client.patch("configmaps", "shop", "settings", {"metadata": change})
    assert cluster.client.list("configmaps") == [made]
    for patch in ([{"op": "replace", "path": "", "value": 5}], [{"op": "remove", "path": "/metadata"}]):
        with pytest.raises(BadRequestError, match="the patch leaves no object"):
            cluster.client.patch("configmaps", "shop", "settings", patch, patch_type="json")


def test_a_patch_cannot_change_the_kind(cluster: Any) -> None:
    cluster.configmap()
    patch = {"kind": "Secret", "apiVersion": "v2", "data": {"a": "1"}}
    patched = cluster.client.patch("configmaps", "shop", "settings", patch, patch_type="merge")
    assert (patched["kind"], patched["apiVersion"], patched["data"]) == ("ConfigMap", "v1", {"a": "1"})


def test_a_config_marked_immutable_keeps_its_data_and_its_mark(cluster: Any) -> None:
    made = cluster.configmap(data={"a": "1"}, immutable=True)
    for change in ({"data": {"a": "2"}}, {"binaryData": {"b": "AA=="}}, {"immutable": False}):
        with pytest.raises(InvalidError, match="field is immutable when `immutable` is set"):
            cluster.client.update("configmaps", {**made, **change})
    labelled = cluster.client.update("configmaps", with_meta(made, labels={"a": "b"}))
    assert labelled["metadata"]["labels"] == {"a": "b"}
