"""Which volume a claim gets, and how the two say so."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.volumes import (
    BETA_CLASS,
    BETA_DEFAULT_CLASS,
    DEFAULT_CLASS,
    bound_volume,
    claims_of,
    class_of,
    default_class,
    find_matching,
    is_allowed,
)


def _volume(name: str, size: str = "1Gi", phase: str = "Available", **spec: Any) -> Obj:
    spec = {"capacity": {"storage": size}, "accessModes": ["ReadWriteOnce"], **spec}
    return {"metadata": {"name": name, "labels": {"tier": name}}, "spec": spec, "status": {"phase": phase}}


def _claim(**spec: Any) -> Obj:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    meta = {"namespace": "shop", "name": "data", "uid": "u", "resourceVersion": "7"}
    return {"metadata": meta, "spec": spec}


def _found(*volumes: Obj, claim: Obj | None = None, **more: Any) -> str | None:
    found = find_matching(volumes, claim or _claim(), **more)
    return found["metadata"]["name"] if found else None


def test_the_smallest_that_is_large_enough_is_taken() -> None:
    assert _found(_volume("big", "9Gi"), _volume("small", "1Mi"), _volume("right", "2Gi")) == "right"


def test_one_that_is_kept_for_the_claim_is_taken_first_but_only_where_it_is_reached() -> None:
    kept = _volume("kept", "9Gi", "Pending", claimRef={"namespace": "shop", "name": "data"})
    assert _found(_volume("free"), kept, delayed=True) == "kept"
    assert _found(_volume("free"), kept, reaches=lambda volume: volume is not kept) is None


@pytest.mark.parametrize(
    ("volume", "claim"),
    [
        (_volume("v", phase="Released"), _claim()),
        (_volume("v", claimRef={"namespace": "shop", "name": "other"}), _claim()),
        (_volume("v", claimRef={"namespace": "shop", "name": "data", "uid": "earlier"}), _claim()),
        (_volume("v", volumeMode="Block"), _claim()),
        (_volume("v", accessModes=["ReadOnlyMany"]), _claim()),
        (_volume("v", storageClassName="gp3"), _claim()),
        (_volume("v"), _claim(volumeAttributesClassName="gold")),
        (_volume("v"), _claim(selector={"matchLabels": {"tier": "other"}})),
        ({**_volume("v"), "metadata": {"name": "v", "deletionTimestamp": "now"}}, _claim()),
    ],
)
def test_one_that_is_not_for_the_claim_is_passed_over(volume: Obj, claim: Obj) -> None:
    assert _found(volume, claim=claim) is None


def test_without_a_node_a_delayed_claim_takes_nothing_free_and_two_claims_never_the_same() -> None:
    assert _found(_volume("v"), delayed=True) is None
    assert _found(_volume("v"), delayed=True, reaches=lambda _: True) == "v"
    assert _found(_volume("v"), taken=["v"]) is None


def test_the_old_annotation_of_a_class_wins_even_when_it_is_empty() -> None:
    claim = _claim(storageClassName="gp3")
    assert class_of(claim) == "gp3"
    assert class_of({**claim, "metadata": {"annotations": {BETA_CLASS: ""}}}) == ""


def test_of_several_default_classes_the_newest_counts_and_then_the_first_by_name() -> None:
    def storage(name: str, created: str, **annotations: str) -> Obj:
        return {"metadata": {"name": name, "creationTimestamp": created, "annotations": annotations}}

    classes = [
        storage("old", "2026-01-01T00:00:00Z", **{DEFAULT_CLASS: "true"}),
        storage("b", "2026-02-01T00:00:00Z", **{BETA_DEFAULT_CLASS: "true"}),
        storage("a", "2026-02-01T00:00:00Z", **{DEFAULT_CLASS: "true"}),
        storage("plain", "2026-03-01T00:00:00Z", **{DEFAULT_CLASS: "false"}),
    ]
    assert default_class(classes) is classes[2]
    assert default_class(classes[3:]) is None


def test_a_class_allows_every_node_or_those_of_one_of_its_topologies() -> None:
    rules = [{"key": "zone", "values": ["a", "b"]}, {"key": "disk", "values": ["ssd"]}]
    storage = {"allowedTopologies": [{"matchLabelExpressions": rules}]}
    assert is_allowed({}, {})
    assert is_allowed(storage, {"zone": "b", "disk": "ssd"})
    assert not is_allowed(storage, {"zone": "b"})


def test_a_bound_volume_tells_whether_it_was_kept_for_the_claim() -> None:
    free, kept = _volume("v"), _volume("v", claimRef={"namespace": "shop", "name": "data"})
    chosen = bound_volume(free, _claim())
    assert chosen["metadata"]["annotations"] == {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert "annotations" not in bound_volume(kept, _claim())["metadata"]
    assert bound_volume(chosen, _claim()) is chosen
    assert chosen["spec"]["claimRef"]["resourceVersion"] == "7"


def test_a_pod_mounts_the_claims_it_names_and_those_made_for_it() -> None:
    volumes = [
        {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
        {"name": "tmp", "ephemeral": {"volumeClaimTemplate": {}}},
        {"name": "e", "emptyDir": {}},
    ]
    assert claims_of({"metadata": {"name": "db"}, "spec": {"volumes": volumes}}) == ["data", "db-tmp"]
