"""Pods with volumes: where they may run, and what is said when they may not."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.volumes import BIND_COMPLETED
from leeward.kube.wellknown import ZONE

_CSI_NODES = "csinodes.storage.k8s.io"
_CLASSES = "storageclasses.storage.k8s.io"


def _class(cluster: Any, name: str, provisioner: str = "csi.example.com", **more: Any) -> None:
    mode = {"volumeBindingMode": "WaitForFirstConsumer"}
    cluster.put(_CLASSES, {"metadata": {"name": name}, "provisioner": provisioner, **mode, **more})


def _claim(cluster: Any, name: str, volume: str = "", **spec: Any) -> Obj:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    status = {"phase": "Pending"}
    if volume:
        spec, status = {**spec, "volumeName": volume}, {"phase": "Bound"}
    meta: Obj = {"namespace": "shop", "name": name, "uid": f"uid-{name}", "resourceVersion": "7"}
    if volume:
        meta["annotations"] = {BIND_COMPLETED: "yes"}
    claim: Obj = cluster.put("persistentvolumeclaims", {"metadata": meta, "spec": spec, "status": status})
    return claim


def _volume(cluster: Any, name: str, labels: Any = None, **spec: Any) -> None:
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **spec}
    status = {"phase": "Available"}
    meta = {"name": name, "labels": labels or {}}
    cluster.put("persistentvolumes", {"metadata": meta, "spec": spec, "status": status})


def _mounting(*claims: str) -> list[Obj]:
    return [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims]


def _message(cluster: Any, name: str) -> str:
    text: str = cluster.condition(name)[1]
    return text.split(" no new claims")[0]


def _run(cluster: Any, *claims: str, **spec: Any) -> None:
    cluster.pod("db", volumes=_mounting(*claims), **spec)
    cluster.start()


def test_a_volume_of_a_zone_is_known_by_its_labels(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    cluster.node("node-b1", "b")
    _volume(cluster, "v", {"failure-domain.beta.kubernetes.io/zone": "b__c"})
    _claim(cluster, "data", "v")
    _run(cluster, "data")
    assert cluster.placed("db") == "node-b1"


def test_no_node_in_the_zone_of_the_volume(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    _volume(cluster, "v", {ZONE: "b"})
    _claim(cluster, "data", "v")
    _run(cluster, "data")
    assert _message(cluster, "db") == "0/1 nodes are available: 1 node(s) had no available volume zone."


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"storageClassName": "none"}, "pod has unbound immediate PersistentVolumeClaims"),
        ({"volumeName": "gone"}, "pod has unbound immediate PersistentVolumeClaims"),
    ],
)
def test_a_claim_that_others_have_to_bind(cluster: Any, spec: Any, message: str) -> None:
    cluster.node("node-a1")
    _claim(cluster, "data", **spec)
    _run(cluster, "data")
    assert _message(cluster, "db") == f"0/1 nodes are available: {message}. not found"


def test_the_volume_of_a_bound_claim_is_gone(cluster: Any) -> None:
    cluster.node("node-a1")
    _claim(cluster, "data", "v")
    _run(cluster, "data")
    assert _message(cluster, "db") == ('0/1 nodes are available: persistentvolume "v" not found. not found')


def test_a_missing_claim_is_missed_and_the_pod_placed_when_it_comes(cluster: Any) -> None:
    cluster.node("node-a1")
    _run(cluster, "data")
    assert _message(cluster, "db") == (
        '0/1 nodes are available: persistentvolumeclaim "data" not found. not found'
    )
    _volume(cluster, "v")
    _claim(cluster, "other", "v")
    cluster.clock.advance(0)
    assert len(cluster.recorded) == 1
    _claim(cluster, "data", "v")
    cluster.clock.advance(0)
    assert cluster.placed("db") == "node-a1"


def test_the_claim_of_an_ephemeral_volume_is_waited_for(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.pod("db", volumes=[{"name": "scratch", "ephemeral": {"volumeClaimTemplate": {}}}])
    cluster.start()
    wanted = 'waiting for ephemeral volume controller to create the persistentvolumeclaim "db-scratch"'
    assert _message(cluster, "db") == f"0/1 nodes are available: {wanted}. not found"


def test_nothing_provisions_and_nothing_is_free(cluster: Any) -> None:
    cluster.node("node-a1")
    _class(cluster, "manual", "kubernetes.io/no-provisioner")
    _claim(cluster, "data", storageClassName="manual")
    _volume(cluster, "small", storageClassName="manual", capacity={"storage": "1Mi"})
    _volume(cluster, "taken", storageClassName="manual", claimRef={"namespace": "shop", "name": "other"})
    _run(cluster, "data")
    assert _message(cluster, "db") == (
        "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
    )


def test_a_volume_kept_for_the_claim_is_taken_before_a_smaller_one(cluster: Any) -> None:
    cluster.node("node-a1")
    _class(cluster, "manual", "kubernetes.io/no-provisioner")
    _claim(cluster, "data", storageClassName="manual")
    kept = {"claimRef": {"namespace": "shop", "name": "data"}, "capacity": {"storage": "9Gi"}}
    _volume(cluster, "small", storageClassName="manual")
    _volume(cluster, "kept", storageClassName="manual", **kept)
    _run(cluster, "data")
    cluster.clock.advance(1)
    assert cluster.get("persistentvolumes", "", "kept")["spec"]["claimRef"]["uid"] == "uid-data"
    assert "claimRef" not in cluster.get("persistentvolumes", "", "small")["spec"]


def test_a_volume_that_the_scheduler_chose_says_that_nobody_had_reserved_it(cluster: Any) -> None:
    cluster.node("node-a1")
    _class(cluster, "manual", "kubernetes.io/no-provisioner")
    _claim(cluster, "data", storageClassName="manual")
    _volume(cluster, "v", storageClassName="manual")
    _run(cluster, "data")
    cluster.clock.advance(1)
    volume = cluster.get("persistentvolumes", "", "v")
    assert volume["metadata"]["annotations"] == {"pv.kubernetes.io/bound-by-controller": "yes"}
    assert volume["spec"]["claimRef"]["resourceVersion"] == "7"


def test_a_class_makes_volumes_in_its_topologies_only(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    cluster.node("node-b1", "b")
    topology = {"matchLabelExpressions": [{"key": ZONE, "values": ["b"]}]}
    _class(cluster, "zonal", allowedTopologies=[topology])
    _claim(cluster, "data", storageClassName="zonal")
    _run(cluster, "data")
    cluster.clock.advance(1)
    claim = cluster.get("persistentvolumeclaims", "shop", "data")
    assert claim["metadata"]["annotations"] == {"volume.kubernetes.io/selected-node": "node-b1"}


def test_a_claim_for_one_pod_is_used_by_one_pod_and_can_be_preempted(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.node("node-b1")
    _volume(cluster, "v")
    _claim(cluster, "data", "v", accessModes=["ReadWriteOncePod"])
    cluster.pod("first", volumes=_mounting("data"))
    cluster.start()
    cluster.pod("second", volumes=_mounting("data"))
    cluster.clock.advance(0)
    assert _message(cluster, "second") == (
        "0/2 nodes are available: 2 node has pod using PersistentVolumeClaim with the same name and "
        "ReadWriteOncePod access mode."
    )
    cluster.pod("important", volumes=_mounting("data"), priority=9)
    cluster.clock.advance(0)
    assert cluster.placed("important") == "node-a1"
    assert cluster.find("pods", "shop", "first") is None


@pytest.mark.parametrize(
    ("disk", "placed"),
    [
        ({"gcePersistentDisk": {"pdName": "d"}}, ""),
        ({"gcePersistentDisk": {"pdName": "d", "readOnly": True}}, "node-a1"),
        ({"awsElasticBlockStore": {"volumeID": "d", "readOnly": True}}, ""),
        ({"iscsi": {"iqn": "d"}}, ""),
        ({"rbd": {"monitors": ["m"], "pool": "p", "image": "i"}}, ""),
        ({"emptyDir": {}}, "node-a1"),
    ],
)
def test_a_disk_is_mounted_twice_on_a_node_only_if_it_may_be(cluster: Any, disk: Obj, placed: str) -> None:
    cluster.node("node-a1")
    cluster.pod("first", volumes=[{"name": "d", **disk}])
    cluster.start()
    cluster.pod("second", volumes=[{"name": "d", **disk}])
    cluster.clock.advance(0)
    assert cluster.placed("second") == placed
    if not placed:
        assert _message(cluster, "second") == ("0/1 nodes are available: 1 node(s) had no available disk.")


def test_a_node_takes_as_many_volumes_of_a_driver_as_it_says(cluster: Any) -> None:
    cluster.node("node-a1")
    driver = {"name": "csi.example.com", "allocatable": {"count": 2}}
    cluster.put(_CSI_NODES, {"metadata": {"name": "node-a1"}, "spec": {"drivers": [driver]}})
    for name in ("a", "b", "c"):
        _volume(cluster, name, csi={"driver": "csi.example.com", "volumeHandle": name})
        _claim(cluster, name, name)
    cluster.pod("first", volumes=_mounting("a", "b"))
    cluster.start()
    cluster.pod("same", volumes=_mounting("a"))
    cluster.pod("more", volumes=_mounting("c"))
    cluster.clock.advance(0)
    assert (cluster.placed("first"), cluster.placed("same")) == ("node-a1", "node-a1")
    assert _message(cluster, "more") == "0/1 nodes are available: 1 node(s) exceed max volume count."
    driver = {"name": "csi.example.com", "allocatable": {"count": 3}}
    cluster.put(_CSI_NODES, {"metadata": {"name": "node-a1"}, "spec": {"drivers": [driver]}})
    cluster.clock.advance(0)
    assert cluster.placed("more") == "node-a1"
