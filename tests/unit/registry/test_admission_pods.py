"""What Pods get from, and are refused because of, service accounts, limit ranges, classes and nodes."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.admission.plugins.runtimeclass import merged
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, InvalidError

MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
CLASSES = "runtimeclasses.node.k8s.io"


class Accounts:
    """A registry with service accounts; namespace "shop" and its account "default" are there."""

    def __init__(self, options: AdmissionOptions | None = None) -> None:
        registry = Registry(MemoryStore(), clock=VirtualClock(), ids=SeededIds(1), options=options)
        self.client = registry.client("system:admin")
        self.client.create("namespaces", {"metadata": {"name": "shop"}})
        self.account("default")

    def account(self, name: str, *, annotations: Obj | None = None, **fields: Any) -> None:
        meta = {"name": name, "namespace": "shop", "annotations": annotations or {}}
        self.client.create("serviceaccounts", {"metadata": meta, **fields})

    def pod(self, name: str = "web", *, annotations: Obj | None = None, **spec: Any) -> Obj:
        meta = {"name": name, "namespace": "shop", "annotations": annotations or {}}
        full = {"containers": [{"name": "c", "image": "web"}], **spec}
        made: Obj = self.client.create("pods", {"metadata": meta, "spec": full})["spec"]
        return made


@pytest.fixture
def accounts() -> Accounts:
    return Accounts()


def mounts(spec: Obj) -> list[list[str]]:
    containers = [*(spec.get("initContainers") or ()), *spec["containers"]]
    return [[each["mountPath"] for each in found.get("volumeMounts") or ()] for found in containers]


def test_a_pod_runs_as_its_service_account_or_the_default_one(accounts: Accounts) -> None:
    accounts.account("robot")
    for given, name in (("", "default"), ("robot", "robot")):
        spec = accounts.pod(name, serviceAccountName=given)
        assert (spec["serviceAccountName"], spec["serviceAccount"]) == (name, name)


def test_a_token_what_to_trust_and_the_namespace_are_mounted_into_every_container(accounts: Accounts) -> None:
    own = {"name": "own", "mountPath": MOUNT}
    spec = accounts.pod(
        initContainers=[{"name": "i", "image": "x"}],
        containers=[{"name": "c", "image": "x"}, {"name": "d", "image": "x", "volumeMounts": [own]}],
        volumes=[{"name": "own", "emptyDir": {}}],
    )
    assert mounts(spec) == [[MOUNT], [MOUNT], [MOUNT]]
    volume = spec["volumes"][1]
    assert volume["name"].startswith("kube-api-access-")
    assert spec["containers"][0]["volumeMounts"][0] == {
        "name": volume["name"], "readOnly": True, "mountPath": MOUNT,
    }  # fmt: skip
    assert spec["containers"][1]["volumeMounts"] == [own]
    kinds = [next(iter(source)) for source in volume["projected"]["sources"]]
    assert kinds == ["serviceAccountToken", "configMap", "downwardAPI"]


def test_further_bundles_to_trust_are_an_option() -> None:
    accounts = Accounts(AdmissionOptions(extra_token_bundles=(("more", "more.crt"),)))
    source = accounts.pod()["volumes"][0]["projected"]["sources"][-1]
    assert source == {"configMap": {"name": "more", "items": [{"key": "more.crt", "path": "more.crt"}]}}


@pytest.mark.parametrize(
    ("of_account", "of_pod", "mounted"),
    [
        (None, None, True), (None, False, False), (None, True, True),
        (False, None, False), (False, False, False), (False, True, True),
        (True, None, True), (True, False, False), (True, True, True),
    ],
)  # fmt: skip
def test_whether_a_token_is_mounted_is_the_pod_s_choice_then_the_account_s(
    accounts: Accounts, of_account: bool | None, of_pod: bool | None, mounted: bool
) -> None:
    def choice(value: bool | None) -> Obj:
        return {} if value is None else {"automountServiceAccountToken": value}

    accounts.account("a", **choice(of_account))
    spec = accounts.pod(serviceAccountName="a", **choice(of_pod))
    assert ("volumes" in spec, mounts(spec) == [[MOUNT]]) == (mounted, mounted)


def test_secrets_for_images_are_the_account_s_unless_the_pod_has_its_own(accounts: Accounts) -> None:
    accounts.account("a", imagePullSecrets=[{"name": "registry"}])
    assert accounts.pod("x", serviceAccountName="a")["imagePullSecrets"] == [{"name": "registry"}]
    spec = accounts.pod("y", serviceAccountName="a", imagePullSecrets=[{"name": "mine"}])
    assert spec["imagePullSecrets"] == [{"name": "mine"}]


def test_an_account_that_is_not_there_is_refused(accounts: Accounts) -> None:
    text = r'pods "web" is forbidden: error looking up service account shop/x: serviceaccount "x" not found'
    with pytest.raises(ForbiddenError, match=text):
        accounts.pod(serviceAccountName="x")


def test_a_pod_that_gets_its_name_later_is_refused_under_what_it_begins_with(accounts: Accounts) -> None:
    meta = {"generateName": "web-", "namespace": "shop"}
    spec = {"serviceAccountName": "x", "containers": [{"name": "c", "image": "web"}]}
    with pytest.raises(ForbiddenError, match='pods "web-" is forbidden'):
        accounts.client.create("pods", {"metadata": meta, "spec": spec})


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"serviceAccountName": "default"}, "may not reference service accounts"),
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, "may not reference secrets"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            "may not use ServiceAccountToken volume projections",
        ),
    ],
)
def test_a_mirror_pod_refers_to_nothing(accounts: Accounts, spec: Obj, text: str) -> None:
    mirror = {"kubernetes.io/config.mirror": "x"}
    plain = accounts.pod("ok", annotations=mirror, nodeName="n")
    assert "serviceAccountName" not in plain
    assert "volumes" not in plain
    with pytest.raises(ForbiddenError, match=f"a mirror pod {text}"):
        accounts.pod("bad", annotations=mirror, nodeName="n", **spec)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}, r'volume with secret\.secretName="s"'),
        (
            {
                "containers": [
                    {
                        "name": "c",
                        "image": "x",
                        "env": [{"name": "E", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    }
                ]
            },
            r'container c with envVar E referencing secret\.secretName="s"',
        ),
        ({"imagePullSecrets": [{"name": "s"}]}, r'imagePullSecrets\[0\]\.name="s"'),
    ],
)
def test_a_limited_account_uses_only_what_it_lists(accounts: Accounts, spec: Obj, text: str) -> None:
    limited = {"kubernetes.io/enforce-mountable-secrets": "true"}
    accounts.account("a", annotations=limited, secrets=[{"name": "ok"}])
    accounts.pod("x", serviceAccountName="a", volumes=[{"name": "v", "secret": {"secretName": "ok"}}])
    with pytest.raises(ForbiddenError, match=f"{text} is not allowed because service account a"):
        accounts.pod("y", serviceAccountName="a", **spec)


def limit(cluster: Any, *items: Obj) -> None:
    meta = {"name": "limits", "namespace": "shop"}
    cluster.client.create("limitranges", {"metadata": meta, "spec": {"limits": list(items)}})


def test_containers_get_the_namespace_s_defaults_and_an_annotation_tells(cluster: Any) -> None:
    limit(cluster, {"type": "Container", "default": {"cpu": "500m", "memory": "1Gi"},
                    "defaultRequest": {"cpu": "100m"}})  # fmt: skip
    pod = cluster.pod(
        containers=[{"name": "c", "image": "x", "resources": {"requests": {"cpu": "50m"}}}],
        initContainers=[{"name": "i", "image": "x"}],
    )
    (container,), (init,) = pod["spec"]["containers"], pod["spec"]["initContainers"]
    assert container["resources"] == {
        "requests": {"cpu": "50m", "memory": "1Gi"}, "limits": {"cpu": "500m", "memory": "1Gi"},
    }  # fmt: skip
    assert init["resources"]["requests"] == {"cpu": "100m", "memory": "1Gi"}
    assert pod["metadata"]["annotations"]["kubernetes.io/limit-ranger"] == (
        "LimitRanger plugin set: memory request for container c; cpu, memory limit for container c; "
        "cpu, memory request for init container i; cpu, memory limit for init container i"
    )
    assert pod["status"]["qosClass"] == "Burstable"


@pytest.mark.parametrize(
    ("resources", "text"),
    [
        ({"requests": {"cpu": "50m"}}, "minimum cpu usage per Container is 100m, but request is 50m"),
        ({"limits": {"cpu": "2"}}, "maximum cpu usage per Container is 1, but limit is 2"),
        (
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "900m"}},
            "cpu max limit to request ratio per Container is 4, but provided ratio is 9.000000",
        ),
        (
            {"requests": {"cpu": "10m"}, "limits": {"cpu": "3"}},
            "[minimum cpu usage per Container is 100m, but request is 10m, "
            "maximum cpu usage per Container is 1, but limit is 3, "
            "cpu max limit to request ratio per Container is 4, but provided ratio is 300.000000]",
        ),
    ],
)
def test_containers_stay_within_the_limits(cluster: Any, resources: Obj, text: str) -> None:
    limit(cluster, {"type": "Container", "min": {"cpu": "100m"}, "max": {"cpu": "1"},
                    "maxLimitRequestRatio": {"cpu": "4"}, "default": {"cpu": "200m"},
                    "defaultRequest": {"cpu": "100m"}})  # fmt: skip
    with pytest.raises(ForbiddenError) as caught:
        cluster.pod(containers=[{"name": "c", "image": "x", "resources": resources}])
    assert str(caught.value) == f'pods "web" is forbidden: {text}'


def test_a_pod_s_containers_stay_within_the_limits_together(cluster: Any) -> None:
    limit(cluster, {"type": "Pod", "max": {"cpu": "1500m", "memory": "1Gi"}})
    two = [
        {"name": name, "image": "x", "resources": {"limits": {"cpu": "1", "memory": "512Mi"}}}
        for name in ("c", "d")
    ]
    with pytest.raises(ForbiddenError, match=r"maximum cpu usage per Pod is 1500m, but limit is 2$"):
        cluster.pod(containers=two)
    with pytest.raises(ForbiddenError, match=r"maximum memory usage per Pod is 1Gi\.  No limit is specified"):
        cluster.pod(containers=[{"name": "c", "image": "x", "resources": {"limits": {"cpu": "1"}}}])


@pytest.mark.parametrize(
    ("size", "text"),
    [
        ("1Mi", "minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 1Mi"),
        ("10Gi", "maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 10Gi"),
    ],
)
def test_claims_stay_within_the_limits(cluster: Any, size: str, text: str) -> None:
    limit(cluster, {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    meta = {"name": "data", "namespace": "shop"}
    with pytest.raises(ForbiddenError) as caught:
        cluster.client.create("persistentvolumeclaims", {"metadata": meta, "spec": spec})
    assert str(caught.value) == f'persistentvolumeclaims "data" is forbidden: {text}'


def test_a_priority_that_is_not_the_class_s_is_refused(cluster: Any) -> None:
    meta = {"name": "high"}
    cluster.client.create("priorityclasses.scheduling.k8s.io", {"metadata": meta, "value": 1000})
    assert cluster.pod("a", priorityClassName="high", priority=1000)["spec"]["priority"] == 1000
    with pytest.raises(ForbiddenError, match=r"priority \(5\) must not be provided .* computed 1000 from"):
        cluster.pod("b", priorityClassName="high", priority=5)
    with pytest.raises(ForbiddenError, match=r"PreemptionPolicy \(Never\) .* computed PreemptLowerPriority"):
        cluster.pod("c", priorityClassName="high", preemptionPolicy="Never")


def test_there_is_one_default_priority_class(cluster: Any) -> None:
    def make(name: str) -> Obj:
        body = {"metadata": {"name": name}, "value": 7, "globalDefault": True}
        made: Obj = cluster.client.create("priorityclasses.scheduling.k8s.io", body)
        return made

    first = make("a")
    with pytest.raises(ForbiddenError, match="PriorityClass a is already marked as default"):
        make("b")
    cluster.client.update("priorityclasses.scheduling.k8s.io", {**first, "description": "ours"})


def test_the_system_s_own_priority_classes_stay(cluster: Any) -> None:
    classes = "priorityclasses.scheduling.k8s.io"
    for name in ("system-node-critical", "mine"):
        cluster.registry.store.create(classes, {"metadata": {"name": name, "uid": name}, "value": 1})
    with pytest.raises(ForbiddenError, match="this is a system priority class and cannot be deleted"):
        cluster.client.delete(classes, "", "system-node-critical")
    cluster.client.delete(classes, "", "mine")


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [{}], "volumes": [{}]},
        {"containers": [], "runtimeClassName": "vm", "overhead": {"cpu": "x"}},
    ],
)
def test_what_is_not_valid_is_left_to_validation(cluster: Any, accounts: Accounts, spec: Obj) -> None:
    for client in (cluster.client, accounts.client):
        overhead = {"podFixed": {"cpu": "1"}}
        client.create(CLASSES, {"metadata": {"name": "vm"}, "handler": "vm", "overhead": overhead})
        limits = [{"type": "Container", "default": {"cpu": "1"}}]
        meta = {"name": "limits", "namespace": "shop"}
        client.create("limitranges", {"metadata": meta, "spec": {"limits": limits}})
        with pytest.raises(InvalidError):
            client.create("pods", {"metadata": {"name": "p", "namespace": "shop"}, "spec": spec})


def runtime(cluster: Any, **fields: Any) -> None:
    cluster.client.create(CLASSES, {"metadata": {"name": "vm"}, "handler": "vm", **fields})


def test_a_pod_gets_overhead_and_place_of_its_runtime_class(cluster: Any) -> None:
    toleration = {"key": "vm", "operator": "Exists"}
    runtime(
        cluster,
        overhead={"podFixed": {"cpu": "250m"}},
        scheduling={"nodeSelector": {"vm": "true"}, "tolerations": [toleration]},
    )
    spec = cluster.pod("a", runtimeClassName="vm", nodeSelector={"z": "1"}, overhead={"cpu": "0.25"})["spec"]
    assert spec["overhead"] == {"cpu": "250m"}
    assert spec["nodeSelector"] == {"z": "1", "vm": "true"}
    assert toleration in spec["tolerations"]
    with pytest.raises(
        ForbiddenError, match=r"conflict: runtimeClass\.scheduling\.nodeSelector\[vm\] = true"
    ):
        cluster.pod("b", runtimeClassName="vm", nodeSelector={"vm": "no"})
    with pytest.raises(ForbiddenError, match="Pod's Overhead doesn't match RuntimeClass's defined Overhead"):
        cluster.pod("c", runtimeClassName="vm", overhead={"cpu": "1"})


def test_overhead_needs_a_runtime_class_that_is_there(cluster: Any) -> None:
    with pytest.raises(ForbiddenError, match='pod rejected: RuntimeClass "vm" not found'):
        cluster.pod(runtimeClassName="vm")
    with pytest.raises(ForbiddenError, match="Overhead set without corresponding RuntimeClass"):
        cluster.pod(overhead={"cpu": "1"})


def test_tolerations_that_others_include_are_left_out() -> None:
    def exists(key: str = "", **more: Any) -> Obj:
        return {**({"key": key} if key else {}), "operator": "Exists", **more}

    wide, narrow = exists("a"), exists("a", effect="NoSchedule")
    assert merged([narrow, wide]) == [wide]
    assert merged([wide, narrow, exists("b")]) == [wide, exists("b")]
    assert merged([narrow, exists("a", effect="NoExecute")]) == [narrow, exists("a", effect="NoExecute")]
    assert merged([exists(), narrow]) == [exists()]
    equal = {"key": "a", "operator": "Equal", "value": "1", "effect": "NoExecute", "tolerationSeconds": 5}
    assert merged([equal, {**equal, "tolerationSeconds": 9}]) == [{**equal, "tolerationSeconds": 9}]


def test_a_pod_carries_the_zone_of_its_node(cluster: Any) -> None:
    zone = {"topology.kubernetes.io/zone": "z", "team": "x"}
    cluster.client.create("nodes", {"metadata": {"name": "n", "labels": zone}})
    pod = cluster.pod(nodeName="n", metadata={"labels": {"app": "web"}})
    assert pod["metadata"]["labels"] == {"topology.kubernetes.io/zone": "z", "app": "web"}


def test_a_new_node_takes_no_pods_until_it_is_ready(cluster: Any) -> None:
    node = cluster.client.create("nodes", {"metadata": {"name": "n"}, "spec": {"taints": []}})
    assert node["spec"]["taints"] == [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]


def test_a_bound_pod_carries_the_zone_of_its_node(cluster: Any) -> None:
    zone = {"topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r"}
    cluster.client.create("nodes", {"metadata": {"name": "n", "labels": zone}})
    pod = cluster.pod(node="n", metadata={"labels": {"topology.kubernetes.io/region": "mine"}})
    assert pod["metadata"]["labels"] == {
        "topology.kubernetes.io/zone": "z", "topology.kubernetes.io/region": "r",
    }  # fmt: skip
