"""In which order the keys of an object come."""

from __future__ import annotations

from typing import Any

from leeward.cluster.apiserver.goorder import in_go_order


def _keys(value: Any) -> list[str]:
    return list(value)


def test_fields_come_as_go_declares_them_and_keys_of_maps_sorted() -> None:
    pod = {
        "status": {"qosClass": "BestEffort", "phase": "Running"},
        "metadata": {
            "managedFields": [{"subresource": "status", "fieldsV1": {"f:z": {}, "f:a": {}}, "manager": "m"}],
            "labels": {"b": "2", "a": "1"},
            "creationTimestamp": "2030-01-01T00:00:00Z",
            "resourceVersion": "7",
            "uid": "1",
            "name": "web",
        },
        "spec": {"nodeName": "n", "containers": [{"image": "i", "name": "c"}], "volumes": []},
        "apiVersion": "v1",
        "kind": "Pod",
    }
    ordered = in_go_order(pod)
    assert ordered == pod
    assert _keys(ordered) == ["kind", "apiVersion", "metadata", "spec", "status"]
    meta = ordered["metadata"]
    assert _keys(meta) == ["name", "uid", "resourceVersion", "creationTimestamp", "labels", "managedFields"]
    assert _keys(meta["labels"]) == ["a", "b"]
    assert _keys(meta["managedFields"][0]) == ["manager", "fieldsV1", "subresource"]
    assert _keys(meta["managedFields"][0]["fieldsV1"]) == ["f:z", "f:a"]
    assert _keys(ordered["spec"]) == ["volumes", "containers", "nodeName"]
    assert _keys(ordered["spec"]["containers"][0]) == ["name", "image"]
    assert _keys(ordered["status"]) == ["phase", "qosClass"]


def test_what_a_type_does_not_have_comes_last() -> None:
    obj = {"later": 1, "metadata": {"name": "x"}, "kind": "ConfigMap", "apiVersion": "v1"}
    assert _keys(in_go_order(obj)) == ["kind", "apiVersion", "metadata", "later"]


def test_a_custom_object_is_sorted_throughout() -> None:
    widget = {"spec": {"b": [{"d": 1, "c": 2}], "a": 0}, "kind": "Widget", "apiVersion": "example.com/v1"}
    ordered = in_go_order(widget, custom=True)
    assert _keys(ordered) == ["apiVersion", "kind", "spec"]
    assert _keys(ordered["spec"]["b"][0]) == ["c", "d"]
