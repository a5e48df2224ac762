"""What is added to an object, or refused, because of other objects."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, NotFoundError
from leeward.kube.volumes import DEFAULT_CLASS

PRIORITIES = "priorityclasses.scheduling.k8s.io"
STORAGE = "storageclasses.storage.k8s.io"
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"


def terminate(cluster: Any) -> None:
    cluster.client.delete("namespaces", "", "shop")


def test_an_object_needs_its_namespace(cluster: Any) -> None:
    with pytest.raises(NotFoundError, match='namespaces "nowhere" not found') as caught:
        cluster.configmap(metadata={"namespace": "nowhere"})
    assert caught.value.details == {"name": "nowhere", "kind": "namespaces"}
    assert cluster.client.list("configmaps") == []


def test_nothing_new_enters_a_namespace_on_its_way_out(cluster: Any) -> None:
    terminate(cluster)
    text = r'deployments\.apps "web" is forbidden: unable to create new content in namespace shop because'
    with pytest.raises(ForbiddenError, match=text) as caught:
        cluster.deploy()
    (cause,) = (caught.value.details or {})["causes"]
    assert (cause["reason"], cause["field"]) == ("NamespaceTerminating", "metadata.namespace")
    cluster.client.create("configmaps", {"metadata": {"name": "a", "namespace": "default"}})


def test_what_is_in_a_namespace_on_its_way_out_can_still_be_changed_and_deleted(cluster: Any) -> None:
    made = cluster.configmap(data={"a": "1"})
    terminate(cluster)
    assert cluster.client.update("configmaps", {**made, "data": {"a": "2"}})["data"] == {"a": "2"}
    cluster.client.delete("configmaps", "shop", "settings")


def test_a_namespace_starts_active_with_its_name_as_a_label(cluster: Any) -> None:
    made = cluster.client.create("namespaces", {"metadata": {"name": "a", "labels": {"team": "x"}}})
    assert made["metadata"]["labels"] == {"team": "x", "kubernetes.io/metadata.name": "a"}
    assert made["spec"] == {"finalizers": ["kubernetes"]}
    assert made["status"] == {"phase": "Active"}


def test_a_generated_name_of_a_namespace_is_its_label_too(cluster: Any) -> None:
    meta = cluster.client.create("namespaces", {"metadata": {"generateName": "a-"}})["metadata"]
    assert meta["labels"] == {"kubernetes.io/metadata.name": meta["name"]}


def test_the_label_with_a_namespace_s_name_cannot_be_lost(cluster: Any) -> None:
    changed = cluster.client.update("namespaces", {"metadata": {"name": "shop"}})
    assert changed["metadata"]["labels"] == {"kubernetes.io/metadata.name": "shop"}


def tolerated(pod: Obj) -> dict[str, Any]:
    return {each.get("key", ""): each.get("tolerationSeconds") for each in pod["spec"]["tolerations"]}


def test_a_pod_stays_a_while_on_a_lost_node(cluster: Any) -> None:
    pod = cluster.pod()
    assert pod["spec"]["tolerations"] == [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in (NOT_READY, UNREACHABLE)
    ]


def test_how_long_it_stays_is_an_option() -> None:
    registry = Registry(
        MemoryStore(),
        clock=VirtualClock(),
        ids=SeededIds(1),
        options=AdmissionOptions(default_toleration_seconds=3, disabled=("ServiceAccount",)),
    )
    client = registry.client("system:admin")
    client.create("namespaces", {"metadata": {"name": "shop"}})
    spec = {"containers": [{"name": "c", "image": "web"}]}
    pod = client.create("pods", {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec})
    assert tolerated(pod) == {NOT_READY: 3, UNREACHABLE: 3}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 9},
         {NOT_READY: 9, UNREACHABLE: 300}),
        ({"key": NOT_READY, "operator": "Exists"}, {NOT_READY: None, UNREACHABLE: 300}),
        ({"key": UNREACHABLE, "operator": "Exists"}, {UNREACHABLE: None, NOT_READY: 300}),
        ({"operator": "Exists"}, {"": None}),
        ({"operator": "Exists", "effect": "NoExecute"}, {"": None}),
        ({"key": NOT_READY, "operator": "Exists", "effect": "NoSchedule"},
         {NOT_READY: 300, UNREACHABLE: 300}),
        ({"key": "gpu", "operator": "Exists"}, {"gpu": None, NOT_READY: 300, UNREACHABLE: 300}),
    ],
)  # fmt: skip
def test_what_a_pod_tolerates_by_itself_is_left_alone(
    cluster: Any, given: Obj, expected: dict[str, Any]
) -> None:
    pod = cluster.pod(tolerations=[given])
    assert pod["spec"]["tolerations"][0] == given
    assert tolerated(pod) == expected


def priority(cluster: Any, name: str, value: int, **fields: Any) -> None:
    cluster.client.create(PRIORITIES, {"metadata": {"name": name}, "value": value, **fields})


def preference(pod: Obj) -> tuple[Any, Any, Any]:
    spec = pod["spec"]
    return spec["priority"], spec["preemptionPolicy"], spec.get("priorityClassName")


def test_a_priority_class_becomes_a_number_and_a_policy(cluster: Any) -> None:
    priority(cluster, "high", 1000)
    priority(cluster, "polite", 500, preemptionPolicy="Never")
    assert preference(cluster.pod("a")) == (0, "PreemptLowerPriority", None)
    assert preference(cluster.pod("b", priorityClassName="high")) == (1000, "PreemptLowerPriority", "high")
    assert preference(cluster.pod("c", priorityClassName="polite")) == (500, "Never", "polite")


def test_a_pod_that_names_no_priority_class_gets_the_default_one(cluster: Any) -> None:
    priority(cluster, "high", 1000)
    priority(cluster, "usual", 7, globalDefault=True, preemptionPolicy="Never")
    assert preference(cluster.pod("a")) == (7, "Never", "usual")
    assert preference(cluster.pod("b", priorityClassName="high"))[0] == 1000


def test_a_priority_class_that_is_not_there_is_refused(cluster: Any) -> None:
    with pytest.raises(
        ForbiddenError, match='pods "web" is forbidden: no PriorityClass with name x was found'
    ):
        cluster.pod(priorityClassName="x")
    assert not cluster.has("pods", "web")


def claim(cluster: Any, name: str, **fields: Any) -> Obj:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **fields}
    meta = {"name": name, "namespace": "shop"}
    made: Obj = cluster.client.create("persistentvolumeclaims", {"metadata": meta, "spec": spec})
    return made


def test_a_claim_without_a_storage_class_gets_the_default_one(cluster: Any) -> None:
    assert "storageClassName" not in claim(cluster, "before")["spec"]
    cluster.client.create(STORAGE, {"metadata": {"name": "a-plain"}, "provisioner": "x"})
    annotations = {DEFAULT_CLASS: "true"}
    cluster.client.create(
        STORAGE, {"metadata": {"name": "standard", "annotations": annotations}, "provisioner": "x"}
    )
    assert claim(cluster, "default")["spec"]["storageClassName"] == "standard"
    assert claim(cluster, "none", storageClassName="")["spec"]["storageClassName"] == ""
    assert claim(cluster, "own", storageClassName="a-plain")["spec"]["storageClassName"] == "a-plain"


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([{}], "BestEffort"),
        ([{"requests": {"ephemeral-storage": "1Gi"}}], "BestEffort"),
        ([{"requests": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}], "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1000m", "memory": "1024Mi"}}],
         "Guaranteed"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "0.5"}}], "Burstable"),
        ([{"limits": {"cpu": "1", "memory": "1Gi"}}, {}], "Burstable"),
    ],
)  # fmt: skip
def test_a_pod_s_quality_of_service_follows_its_resources(
    cluster: Any, resources: list[Obj], expected: str
) -> None:
    containers = [
        {"name": f"c{index}", "image": "web", "resources": each} for index, each in enumerate(resources)
    ]
    assert cluster.pod(containers=containers)["status"] == {"phase": "Pending", "qosClass": expected}


@pytest.mark.parametrize(
    ("labels", "refused"),
    [
        ({}, ""),
        ({"enforce": "privileged"}, ""),
        ({"warn": "restricted", "audit": "restricted"}, ""),
        (
            {"enforce": "baseline"},
            'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)',
        ),
        ({"enforce": "baseline", "enforce-version": "v1.30"}, 'violates PodSecurity "baseline:v1.30": host'),
        ({"enforce": "restricted"}, 'violates PodSecurity "restricted:latest": host namespaces'),
    ],
)
def test_a_namespace_admits_pods_at_the_level_of_its_labels(
    cluster: Any, labels: dict[str, str], refused: str
) -> None:
    marked = {f"pod-security.kubernetes.io/{key}": value for key, value in labels.items()}
    client = cluster.client
    client.create("namespaces", {"metadata": {"name": "guarded", "labels": marked}})
    pod = {
        "metadata": {"name": "net", "namespace": "guarded"},
        "spec": {"hostNetwork": True, "containers": [{"name": "c", "image": "x"}]},
    }
    if not refused:
        assert client.create("pods", pod)["metadata"]["name"] == "net"
        return
    with pytest.raises(ForbiddenError) as caught:
        client.create("pods", pod)
    assert str(caught.value).startswith(f'pods "net" is forbidden: {refused}')
