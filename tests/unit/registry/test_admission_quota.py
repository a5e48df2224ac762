"""Quotas: what counts, what is too much, and when it is charged."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.status import AlreadyExistsError, ForbiddenError


def quota(
    cluster: Any, name: str = "q", *, used: Obj | None = None, spec: Obj | None = None, **hard: Any
) -> None:
    """Create a quota that the controller has looked at; `hard` by name with _ for . and __ for /."""
    amounts = {key.replace("__", "/").replace("_", "."): str(value) for key, value in hard.items()}
    meta = {"name": name, "namespace": "shop"}
    made = cluster.client.create(
        "resourcequotas", {"metadata": meta, "spec": {"hard": amounts, **(spec or {})}}
    )
    status = {"hard": amounts, "used": {**dict.fromkeys(amounts, "0"), **(used or {})}}
    cluster.client.update_status("resourcequotas", {**made, "status": status})


def used(cluster: Any, name: str = "q") -> Obj:
    found: Obj = cluster.client.get("resourcequotas", "shop", name)["status"]["used"]
    return found


def small(cpu: str = "100m", memory: str = "64Mi", **more: Any) -> list[Obj]:
    return [{"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu, "memory": memory}, **more}}]


def refusal(cluster: Any, name: str = "web", **spec: Any) -> str:
    with pytest.raises(ForbiddenError) as caught:
        cluster.pod(name, **spec)
    return str(caught.value).removeprefix(f'pods "{name}" is forbidden: ')


def test_what_is_made_is_charged(cluster: Any) -> None:
    quota(cluster, pods=2, requests_cpu=1, memory="1Gi", count__pods=5)
    cluster.pod("a", containers=small())
    cluster.pod("b", containers=small("200m"))
    assert used(cluster) == {"pods": "2", "requests.cpu": "300m", "memory": "128Mi", "count/pods": "2"}
    assert (
        refusal(cluster, containers=small())
        == "exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2"
    )


def test_all_that_is_too_much_is_named_in_order(cluster: Any) -> None:
    quota(cluster, pods=0, requests_memory="100Mi", requests_cpu="1500m", used={"requests.cpu": "1"})
    assert refusal(cluster, containers=small("1", "1Gi")) == (
        "exceeded quota: q, requested: pods=1,requests.cpu=1,requests.memory=1Gi, "
        "used: pods=0,requests.cpu=1,requests.memory=0, "
        "limited: pods=0,requests.cpu=1500m,requests.memory=100Mi"
    )


def test_containers_say_what_they_need_of_what_is_limited(cluster: Any) -> None:
    quota(cluster, limits_cpu=1, requests_memory="1Gi")
    pair = [*small(), {"name": "d", "image": "x"}]
    assert (
        refusal(cluster, containers=pair)
        == "failed quota: q: must specify limits.cpu for: c,d; requests.memory for: d"
    )


def test_a_quota_that_the_controller_has_not_seen_admits_nothing(cluster: Any) -> None:
    quota(cluster, pods=2, services=2)
    found = cluster.client.get("resourcequotas", "shop", "q")
    cluster.client.update_status("resourcequotas", {**found, "status": {**found["status"], "used": {}}})
    assert refusal(cluster) == "status unknown for quota: q, resources: pods"


def test_what_is_refused_or_only_rehearsed_is_not_charged(cluster: Any) -> None:
    quota(cluster, configmaps=2)
    cluster.configmap("a")
    with pytest.raises(AlreadyExistsError):
        cluster.configmap("a")
    cluster.rehearsal.create("configmaps", {"metadata": {"name": "b", "namespace": "shop"}})
    assert used(cluster) == {"configmaps": "1"}


def test_objects_of_every_kind_can_be_counted(cluster: Any) -> None:
    quota(cluster, count__deployments_apps=1, count__configmaps=1)
    cluster.deploy()
    with pytest.raises(
        ForbiddenError, match=r"requested: count/deployments\.apps=1, used: count/deployments"
    ):
        cluster.deploy("b")
    cluster.configmap()
    assert used(cluster) == {"count/deployments.apps": "1", "count/configmaps": "1"}


def test_services_count_their_node_ports_also_when_they_change(cluster: Any) -> None:
    quota(cluster, services=3, services_nodeports=1, services_loadbalancers=1)
    made = cluster.service()
    changed = {**made, "spec": {**made["spec"], "type": "NodePort"}}
    cluster.client.update("services", changed)
    assert used(cluster) == {"services": "1", "services.nodeports": "1", "services.loadbalancers": "0"}
    with pytest.raises(
        ForbiddenError, match=r"requested: services\.nodeports=1, used: services\.nodeports=1"
    ):
        cluster.service("b", type="LoadBalancer")


def test_storage_counts_in_total_and_by_class(cluster: Any) -> None:
    quota(cluster, requests_storage="3Gi", gold_storageclass_storage_k8s_io__requests_storage="1Gi")
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}

    def claim(name: str, **more: Any) -> None:
        meta = {"name": name, "namespace": "shop"}
        cluster.client.create("persistentvolumeclaims", {"metadata": meta, "spec": {**spec, **more}})

    claim("a", storageClassName="gold")
    claim("b")
    assert used(cluster) == {
        "requests.storage": "2Gi", "gold.storageclass.storage.k8s.io/requests.storage": "1Gi",
    }  # fmt: skip
    with pytest.raises(ForbiddenError, match=r"requested: gold\.storageclass\.storage\.k8s\.io/requests"):
        claim("c", storageClassName="gold")


@pytest.mark.parametrize(
    ("scope", "inside", "outside"),
    [
        ("BestEffort", {}, {"containers": small()}),
        ("NotBestEffort", {"containers": small()}, {}),
        ("Terminating", {"activeDeadlineSeconds": 5}, {}),
        ("NotTerminating", {}, {"activeDeadlineSeconds": 5}),
        (
            "CrossNamespacePodAffinity",
            {
                "affinity": {
                    "podAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": [
                            {"topologyKey": "z", "namespaceSelector": {}}
                        ]
                    }
                }
            },
            {},
        ),
    ],
)
def test_a_scope_says_which_pods_count(cluster: Any, scope: str, inside: Obj, outside: Obj) -> None:
    quota(cluster, pods=0, spec={"scopes": [scope]})
    cluster.pod("out", **outside)
    assert refusal(cluster, "in", **inside).startswith("exceeded quota: q, requested: pods=1")


@pytest.mark.parametrize(
    ("operator", "values", "refused"),
    [
        ("In", ["high"], {"high"}),
        ("NotIn", ["high"], {"low", ""}),
        ("Exists", [], {"high", "low"}),
        ("DoesNotExist", [], {""}),
    ],
)
def test_priority_classes_can_have_quotas_of_their_own(
    cluster: Any, operator: str, values: list[str], refused: set[str]
) -> None:
    for name in ("high", "low"):
        meta = {"name": name}
        cluster.client.create("priorityclasses.scheduling.k8s.io", {"metadata": meta, "value": 1})
    expression = {
        "scopeName": "PriorityClass",
        "operator": operator,
        **({"values": values} if values else {}),
    }
    quota(cluster, pods=0, spec={"scopeSelector": {"matchExpressions": [expression]}})
    found = set()
    for name in ("high", "low", ""):
        try:
            cluster.pod(f"p{name}", **({"priorityClassName": name} if name else {}))
        except ForbiddenError:
            found.add(name)
    assert found == refused
