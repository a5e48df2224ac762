"""Creating, replacing and removing objects, and the revisions that come of it; of both stores."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, ConflictError, NotFoundError


def thing(name: str, namespace: str = "shop", **fields: Any) -> Obj:
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}, **fields}


def names(objects: list[Obj]) -> list[str]:
    return [f"{obj['metadata'].get('namespace', '')}/{obj['metadata']['name']}" for obj in objects]


def version(obj: Obj) -> int:
    text = obj["metadata"]["resourceVersion"]
    assert isinstance(text, str)
    return int(text)


def test_what_was_created_can_be_read_with_its_revision(store: MemoryStore) -> None:
    made = store.create("configmaps", thing("a", data={"k": "v"}))
    assert made["data"] == {"k": "v"}
    assert version(made) == store.revision
    assert store.get("configmaps", "shop", "a") == made


def test_what_was_never_created_is_none(store: MemoryStore) -> None:
    store.create("configmaps", thing("a"))
    assert store.get("configmaps", "shop", "b") is None
    assert store.get("configmaps", "other", "a") is None
    assert store.get("secrets", "shop", "a") is None


def test_a_new_store_has_a_revision_above_zero_and_no_objects(store: MemoryStore) -> None:
    assert store.revision > 0
    assert store.list("configmaps") == []


def test_an_object_of_the_cluster_has_no_namespace(store: MemoryStore) -> None:
    store.create("nodes", {"kind": "Node", "metadata": {"name": "n1"}})
    assert names(store.list("nodes")) == ["/n1"]
    assert store.get("nodes", "", "n1") is not None


def test_a_name_is_taken_once_in_its_namespace_and_resource(store: MemoryStore) -> None:
    store.create("configmaps", thing("a", data={"first": "1"}))
    before = store.revision
    with pytest.raises(AlreadyExistsError, match='configmaps "a" already exists') as caught:
        store.create("configmaps", thing("a", data={"second": "2"}))
    assert caught.value.details == {"name": "a", "kind": "configmaps"}
    assert store.revision == before
    assert store.list("configmaps")[0]["data"] == {"first": "1"}
    store.create("configmaps", thing("a", "other"))
    store.create("secrets", thing("a"))


def test_a_group_is_named_in_an_error_s_details(store: MemoryStore) -> None:
    with pytest.raises(NotFoundError, match=r'deployments\.apps "web" not found') as caught:
        store.update("deployments.apps", thing("web"))
    assert caught.value.details == {"name": "web", "group": "apps", "kind": "deployments"}


def test_an_update_replaces_the_whole_object(store: MemoryStore) -> None:
    made = store.create("configmaps", thing("a", data={"k": "v"}, immutable=False))
    changed = store.update("configmaps", thing("a", data={"k": "w"}))
    assert "immutable" not in changed
    assert changed["data"] == {"k": "w"}
    assert version(changed) == version(made) + 1
    assert store.get("configmaps", "shop", "a") == changed
    assert store.list("configmaps") == [changed]


def test_an_update_that_changes_nothing_keeps_the_revision_and_tells_nobody(store: MemoryStore) -> None:
    made = store.create("configmaps", thing("a", data={"k": "v"}))
    told: list[object] = []
    store.subscribe(None, told.append)
    assert store.update("configmaps", thing("a", data={"k": "v"})) == made
    stale = {**made, "metadata": {**made["metadata"], "resourceVersion": "999999"}}
    assert store.update("configmaps", stale) == made
    assert store.revision == version(made)
    assert told == []
    assert list(store.events_since("configmaps", version(made))) == []


def test_an_update_of_nothing_but_metadata_is_a_write(store: MemoryStore) -> None:
    made = store.create("configmaps", thing("a"))
    labelled = {**made, "metadata": {**made["metadata"], "labels": {"app": "web"}}}
    assert version(store.update("configmaps", labelled)) == version(made) + 1


def test_an_update_needs_the_object(store: MemoryStore) -> None:
    before = store.revision
    with pytest.raises(NotFoundError, match='configmaps "a" not found'):
        store.update("configmaps", thing("a"))
    assert store.revision == before
    assert store.get("configmaps", "shop", "a") is None


def test_of_two_writers_from_one_revision_the_second_is_refused(store: MemoryStore) -> None:
    seen = store.create("configmaps", thing("a"))["metadata"]["resourceVersion"]
    first = store.update("configmaps", thing("a", data={"by": "one"}), expected=seen)
    with pytest.raises(ConflictError, match="the object has been modified"):
        store.update("configmaps", thing("a", data={"by": "two"}), expected=seen)
    assert store.get("configmaps", "shop", "a") == first
    assert store.revision == version(first)
    latest = first["metadata"]["resourceVersion"]
    assert store.update("configmaps", thing("a", data={"by": "two"}), expected=latest)["data"] == {
        "by": "two"
    }


def test_a_stale_writer_is_refused_even_when_it_changes_nothing(store: MemoryStore) -> None:
    seen = store.create("configmaps", thing("a"))["metadata"]["resourceVersion"]
    store.update("configmaps", thing("a", data={"k": "v"}))
    with pytest.raises(ConflictError):
        store.update("configmaps", thing("a", data={"k": "v"}), expected=seen)


def test_a_deletion_returns_the_last_state_at_a_revision_of_its_own(store: MemoryStore) -> None:
    made = store.create("configmaps", thing("a", data={"k": "v"}))
    gone = store.delete("configmaps", "shop", "a")
    assert gone["data"] == {"k": "v"}
    assert version(gone) == version(made) + 1 == store.revision
    assert store.get("configmaps", "shop", "a") is None
    assert store.list("configmaps") == []


def test_a_deletion_needs_the_object_in_the_state_expected(store: MemoryStore) -> None:
    seen = store.create("configmaps", thing("a"))["metadata"]["resourceVersion"]
    kept = store.update("configmaps", thing("a", data={"k": "v"}))
    with pytest.raises(ConflictError):
        store.delete("configmaps", "shop", "a", expected=seen)
    assert store.get("configmaps", "shop", "a") == kept
    store.delete("configmaps", "shop", "a", expected=kept["metadata"]["resourceVersion"])
    with pytest.raises(NotFoundError, match='configmaps "a" not found'):
        store.delete("configmaps", "shop", "a")
    assert store.revision == version(kept) + 1


def test_a_name_can_be_used_again_after_its_deletion(store: MemoryStore) -> None:
    store.create("configmaps", thing("a", data={"life": "1"}))
    gone = store.delete("configmaps", "shop", "a")
    again = store.create("configmaps", thing("a", data={"life": "2"}))
    assert version(again) > version(gone)
    assert store.list("configmaps") == [again]


def test_revisions_grow_by_one_with_every_write_to_any_resource(store: MemoryStore) -> None:
    start = store.revision
    written = [
        store.create("configmaps", thing("a")),
        store.create("secrets", thing("a")),
        store.update("configmaps", thing("a", data={"k": "v"})),
        store.create("leases.coordination.k8s.io", thing("a")),
        store.delete("secrets", "shop", "a"),
        store.update("leases.coordination.k8s.io", thing("a", spec={"renewTime": "now"})),
    ]
    assert [version(obj) for obj in written] == list(range(start + 1, start + 7))
    assert store.revision == start + 6


def test_a_write_copies_and_does_not_change_what_it_was_given(store: MemoryStore) -> None:
    given = thing("a", data={"k": "v"})
    before = copy.deepcopy(given)
    store.create("configmaps", given)
    assert given == before
    changed = {**given, "data": {"k": "w"}}
    before = copy.deepcopy(changed)
    store.update("configmaps", changed)
    assert changed == before


def test_an_object_that_was_read_stays_as_it_was_when_read(store: MemoryStore) -> None:
    read = store.create("configmaps", thing("a", data={"k": "v"}))
    frozen = copy.deepcopy(read)
    store.update("configmaps", thing("a", data={"k": "w"}))
    store.delete("configmaps", "shop", "a")
    assert read == frozen


def test_a_list_is_ordered_by_namespace_and_name_whatever_the_order_of_writes(store: MemoryStore) -> None:
    for namespace, name in (("shop", "b"), ("a", "z"), ("shop-2", "a"), ("shop", "a-1"), ("shop", "a")):
        store.create("configmaps", thing(name, namespace))
    assert names(store.list("configmaps")) == ["a/z", "shop/a", "shop/a-1", "shop/b", "shop-2/a"]


def test_a_list_of_a_namespace_has_nothing_of_its_neighbours(store: MemoryStore) -> None:
    for namespace in ("sho", "shop", "shop-2", "shopping"):
        store.create("configmaps", thing("a", namespace))
        store.create("configmaps", thing("b", namespace))
    assert names(store.list("configmaps", "shop")) == ["shop/a", "shop/b"]
    assert names(store.list("configmaps", "shopping")) == ["shopping/a", "shopping/b"]
    assert store.list("configmaps", "none") == []
    assert store.list("secrets", "shop") == []


def test_a_list_is_a_snapshot_that_later_writes_do_not_change(store: MemoryStore) -> None:
    store.create("configmaps", thing("a", data={"k": "1"}))
    store.create("configmaps", thing("b"))
    whole, part = store.list("configmaps"), store.list("configmaps", "shop")
    frozen = copy.deepcopy(whole)
    store.update("configmaps", thing("a", data={"k": "2"}))
    store.delete("configmaps", "shop", "b")
    store.create("configmaps", thing("c"))
    assert whole == part == frozen
    assert names(store.list("configmaps")) == ["shop/a", "shop/c"]


def test_a_list_belongs_to_its_reader(store: MemoryStore) -> None:
    store.create("configmaps", thing("a"))
    store.list("configmaps").clear()
    assert names(store.list("configmaps")) == ["shop/a"]


def test_dependents_are_found_by_the_uid_of_their_controller(store: MemoryStore) -> None:
    def owned(name: str, uid: str, *, controller: bool = True) -> Obj:
        reference = {"uid": uid, "kind": "ReplicaSet", "name": "rs", "controller": controller}
        meta = {"name": name, "namespace": "shop", "ownerReferences": [reference]}
        return {"metadata": meta, "spec": {}}

    store.create("pods", owned("b", "u1"))
    store.create("pods", owned("a", "u1"))
    store.create("pods", owned("c", "u2"))
    store.create("pods", owned("d", "u1", controller=False))
    store.create("configmaps", owned("e", "u1"))
    assert names(store.controlled_by("pods", "u1")) == ["shop/a", "shop/b"]
    assert store.controlled_by("pods", "u3") == []
    store.update("pods", owned("a", "u2"))
    store.delete("pods", "shop", "b")
    assert store.controlled_by("pods", "u1") == []
    assert names(store.controlled_by("pods", "u2")) == ["shop/a", "shop/c"]


def test_a_node_s_pods_are_found_from_binding_to_deletion_in_their_latest_state(store: MemoryStore) -> None:
    def pod(name: str, node: str = "", **status: str) -> Obj:
        spec = {"nodeName": node} if node else {}
        return {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, "status": status}

    store.create("pods", pod("b"))
    store.create("pods", pod("a", "n1"))
    store.create("configmaps", pod("c", "n1"))
    assert names(store.pods_on("n1")) == ["shop/a"]
    store.update("pods", pod("b", "n1"))
    store.update("pods", pod("b", "n1", phase="Running"))
    assert names(store.pods_on("n1")) == ["shop/a", "shop/b"]
    assert store.pods_on("n1")[1]["status"] == {"phase": "Running"}
    store.delete("pods", "shop", "a")
    assert names(store.pods_on("n1")) == ["shop/b"]
    assert store.pods_on("n2") == store.pods_on("") == []
