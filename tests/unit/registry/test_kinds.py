"""Defaults and rules of the built-in kinds."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.status import ForbiddenError, InvalidError

DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS = "deployments.apps", "statefulsets.apps", "daemonsets.apps"
REPLICA_SETS, JOBS = "replicasets.apps", "jobs.batch"
CONTAINER = {"name": "c", "image": "web:1"}
TEMPLATE = ["spec.template.metadata.labels", "spec.template.spec.containers"]
POLICY = "networkpolicies.networking.k8s.io"


def make(cluster: Any, resource: str, spec: Any, name: str = "web", **fields: Any) -> Obj:
    """Create an object of any kind in the namespace shop."""
    obj = {"metadata": {"name": name, "namespace": "shop"}, "spec": spec, **fields}
    made: Obj = cluster.client.create(resource, obj)
    return made


def workload(labels: Obj | None = None, pod: Obj | None = None, **fields: Any) -> Obj:
    """Return the spec of a workload with app=web."""
    template = {
        "metadata": {"labels": {"app": "web"} if labels is None else labels},
        "spec": {"containers": [CONTAINER], **(pod or {})},
    }
    return {"selector": {"matchLabels": {"app": "web"}}, "template": template, **fields}


def job(**fields: Any) -> Obj:
    template = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
    return {"template": template, **fields}


def fields_refused(call: Any, *arguments: Any, **named: Any) -> list[str]:
    """Return the fields that a refusal names."""
    with pytest.raises(InvalidError) as caught:
        call(*arguments, **named)
    return [cause["field"] for cause in (caught.value.details or {})["causes"]]


def without(obj: Obj, fields: Iterable[str]) -> Obj:
    return {key: value for key, value in obj.items() if key not in fields}


def test_a_pod_is_filled_in(cluster: Any) -> None:
    spec = cluster.pod(containers=[{"name": "c", "image": "web:1", "ports": [{"containerPort": 80}]}])["spec"]
    assert without(spec, ["tolerations"]) == {
        "containers": [
            {
                "name": "c",
                "image": "web:1",
                "imagePullPolicy": "IfNotPresent",
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "resources": {},
                "ports": [{"containerPort": 80, "protocol": "TCP"}],
            }
        ],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
        "enableServiceLinks": True,
        "priority": 0,
        "preemptionPolicy": "PreemptLowerPriority",
    }


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("web", "Always"),
        ("web:latest", "Always"),
        ("web:1", "IfNotPresent"),
        ("registry:5000/web", "Always"),
        ("registry:5000/web:1", "IfNotPresent"),
        ("web@sha256:0123", "IfNotPresent"),
    ],
)
def test_only_what_may_change_under_its_name_is_pulled_always(cluster: Any, image: str, policy: str) -> None:
    (container,) = cluster.pod(containers=[{"name": "c", "image": image}])["spec"]["containers"]
    assert container["imagePullPolicy"] == policy


def test_requests_follow_limits_that_they_do_not_name(cluster: Any) -> None:
    resources = {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}
    (container,) = cluster.pod(containers=[{**CONTAINER, "resources": resources}])["spec"]["containers"]
    assert container["resources"]["requests"] == {"cpu": "500m", "memory": "1Gi"}


def test_probes_hooks_volumes_and_references_are_filled_in(cluster: Any) -> None:
    container = {
        **CONTAINER,
        "readinessProbe": {"httpGet": {"port": 80}, "periodSeconds": 3},
        "livenessProbe": {"grpc": {"port": 81}},
        "lifecycle": {"preStop": {"httpGet": {"port": 80}}},
        "env": [{"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    }
    volumes = [
        {"name": "a"},
        {"name": "b", "configMap": {"name": "x"}},
        {"name": "c", "hostPath": {"path": "/"}},
    ]
    spec = cluster.pod(containers=[container], volumes=volumes)["spec"]
    (filled,) = spec["containers"]
    assert filled["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "periodSeconds": 3,
        "timeoutSeconds": 1,
        "successThreshold": 1,
        "failureThreshold": 3,
    }
    assert filled["livenessProbe"]["grpc"] == {"port": 81, "service": ""}
    assert filled["lifecycle"]["preStop"]["httpGet"] == {"port": 80, "path": "/", "scheme": "HTTP"}
    assert filled["env"][0]["valueFrom"]["fieldRef"] == {"fieldPath": "status.podIP", "apiVersion": "v1"}
    assert spec["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "x", "defaultMode": 0o644}},
        {"name": "c", "hostPath": {"path": "/", "type": ""}},
    ]


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        ({"containers": []}, ["spec.containers"]),
        ({"containers": [{}]}, ["spec.containers[0].name", "spec.containers[0].image"]),
        ({"containers": [{**CONTAINER, "name": "Not_ok"}]}, ["spec.containers[0].name"]),
        ({"containers": [CONTAINER, CONTAINER]}, ["spec.containers[1].name"]),
        ({"initContainers": [CONTAINER]}, ["spec.initContainers[0].name"]),
        ({"volumes": [{"name": "v"}, {"name": "v"}]}, ["spec.volumes[1].name"]),
        ({"restartPolicy": "Sometimes"}, ["spec.restartPolicy"]),
        ({"containers": [{**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
         ["spec.containers[0].volumeMounts[0].name"]),
        ({"volumes": [{"name": "v"}], "containers": [{**CONTAINER, "volumeMounts": [{"name": "v"}]}]},
         ["spec.containers[0].volumeMounts[0].mountPath"]),
        ({"containers": [{**CONTAINER, "ports": [{"containerPort": 0}]}]},
         ["spec.containers[0].ports[0].containerPort"]),
        ({"containers": [{**CONTAINER, "ports": [{"containerPort": 65536}]}]},
         ["spec.containers[0].ports[0].containerPort"]),
        ({"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "much"}}}]},
         ["spec.containers[0].resources.requests[cpu]"]),
        ({"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "-1"}}}]},
         ["spec.containers[0].resources.requests[cpu]"]),
        ({"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1500m"}}}]},
         ["spec.containers[0].resources.requests"]),
    ],
)  # fmt: skip
def test_a_wrong_pod_is_refused_by_field(cluster: Any, spec: Obj, fields: list[str]) -> None:
    assert fields_refused(cluster.pod, **spec) == fields
    assert not cluster.has("pods", "web")
    full = workload(pod={**spec}) if "restartPolicy" not in spec else None
    if full is not None:
        refused = fields_refused(make, cluster, DEPLOYMENTS, full)
        assert refused == [field.replace("spec.", "spec.template.spec.", 1) for field in fields]


def test_of_a_pod_only_images_and_a_few_more_fields_change(cluster: Any) -> None:
    pod = cluster.pod()
    spec = pod["spec"]
    (container,) = spec["containers"]
    changed = cluster.client.update(
        "pods",
        {
            **pod,
            "spec": {
                **spec,
                "containers": [{**container, "image": "web:2"}],
                "activeDeadlineSeconds": 5,
                "tolerations": [*spec["tolerations"], {"operator": "Exists"}],
            },
        },
    )
    assert changed["spec"]["containers"][0]["image"] == "web:2"
    assert changed["metadata"]["generation"] == 2
    for change in (
        {"containers": [{**container, "command": ["x"]}]},
        {"nodeName": "n1"},
        {"restartPolicy": "Never"},
        {"terminationGracePeriodSeconds": 1},
    ):
        new = {**changed, "spec": {**changed["spec"], **change}}
        assert fields_refused(cluster.client.update, "pods", new) == ["spec"]
    more = {**changed["spec"], "containers": [container, {**container, "name": "second"}]}
    assert fields_refused(cluster.client.update, "pods", {**changed, "spec": more}) == ["spec.containers"]


def test_a_deployment_is_filled_in(cluster: Any) -> None:
    made = cluster.deploy()
    spec = made["spec"]
    assert without(spec, ["template", "selector"]) == {
        "replicas": 1,
        "revisionHistoryLimit": 10,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"
    assert "enableServiceLinks" not in spec["template"]["spec"]
    assert "tolerations" not in spec["template"]["spec"]


def test_what_was_given_is_kept_even_when_it_is_zero_or_false(cluster: Any) -> None:
    made = cluster.deploy(
        replicas=0, revisionHistoryLimit=0, strategy={"type": "Recreate"}, minReadySeconds=0
    )
    assert (made["spec"]["replicas"], made["spec"]["revisionHistoryLimit"]) == (0, 0)
    assert made["spec"]["strategy"] == {"type": "Recreate"}


def test_what_is_null_counts_as_left_out(cluster: Any) -> None:
    assert cluster.deploy(replicas=None)["spec"]["replicas"] == 1


def test_a_replica_set_and_a_daemon_set_are_filled_in(cluster: Any) -> None:
    replica_set = make(cluster, REPLICA_SETS, workload())
    assert (replica_set["spec"]["replicas"], replica_set["status"]) == (1, {"replicas": 0})
    daemon_set = make(cluster, DAEMON_SETS, workload())["spec"]
    assert "replicas" not in daemon_set
    assert daemon_set["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
    }


def stateful(**fields: Any) -> Obj:
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    return workload(
        pod={"containers": [{**CONTAINER, **mount}]},
        serviceName="web",
        volumeClaimTemplates=[claim],
        **fields,
    )


def test_a_stateful_set_is_filled_in_and_its_claims_are_volumes(cluster: Any) -> None:
    spec = make(cluster, STATEFUL_SETS, stateful())["spec"]
    assert (spec["replicas"], spec["podManagementPolicy"]) == (1, "OrderedReady")
    assert spec["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    (claim,) = spec["volumeClaimTemplates"]
    assert (claim["kind"], claim["spec"]["volumeMode"]) == ("PersistentVolumeClaim", "Filesystem")


def test_of_a_stateful_set_only_some_fields_change(cluster: Any) -> None:
    made = make(cluster, STATEFUL_SETS, stateful())
    claim = {"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteMany"]}}
    for change in (
        {"serviceName": "other"},
        {"podManagementPolicy": "Parallel"},
        {"volumeClaimTemplates": [claim]},
    ):
        new = {**made, "spec": {**made["spec"], **change}}
        assert fields_refused(cluster.client.update, STATEFUL_SETS, new) == ["spec"]
    again = cluster.client.update(STATEFUL_SETS, {**made, "spec": stateful(replicas=3, minReadySeconds=1)})
    assert again["spec"]["replicas"] == 3


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS, DAEMON_SETS])
def test_a_workload_selects_its_own_pods(cluster: Any, resource: str) -> None:
    assert fields_refused(make, cluster, resource, workload(labels={"app": "other"})) == [
        "spec.template.metadata.labels"
    ]
    labels, unselected = "spec.template.metadata.labels", workload(selector=None)
    fields = [labels] if resource == DAEMON_SETS else ["spec.selector", labels]  # as upstream has it
    assert fields_refused(make, cluster, resource, unselected) == fields
    assert fields_refused(make, cluster, resource, workload(selector={})) == ["spec.selector"]
    expressions = [{"key": "app", "operator": "In", "values": ["web", "api"]}]
    make(cluster, resource, workload(selector={"matchExpressions": expressions}))
    never = [{"key": "app", "operator": "DoesNotExist"}]
    assert fields_refused(make, cluster, resource, workload(selector={"matchExpressions": never}), "b") == [
        "spec.template.metadata.labels"
    ]


@pytest.mark.parametrize("resource", [DEPLOYMENTS, REPLICA_SETS, DAEMON_SETS])
def test_a_selector_does_not_change(cluster: Any, resource: str) -> None:
    labels = {"app": "web", "tier": "front"}
    made = make(cluster, resource, workload(labels=labels))
    spec = {**made["spec"], "selector": {"matchLabels": {"tier": "front"}}}
    assert fields_refused(cluster.client.update, resource, {**made, "spec": spec}) == ["spec.selector"]


def test_workloads_say_how_their_pods_restart(cluster: Any) -> None:
    wrong = workload(pod={"restartPolicy": "Never"})
    assert fields_refused(make, cluster, DEPLOYMENTS, wrong) == ["spec.template.spec.restartPolicy"]
    always = {"template": {"spec": {"containers": [CONTAINER]}}}
    assert fields_refused(make, cluster, JOBS, always) == ["spec.template.spec.restartPolicy"]


@pytest.mark.parametrize(
    ("resource", "field"),
    [
        (DEPLOYMENTS, "minReadySeconds"),
        (STATEFUL_SETS, "revisionHistoryLimit"),
        (DAEMON_SETS, "minReadySeconds"),
    ],
)
def test_counts_are_not_negative(cluster: Any, resource: str, field: str) -> None:
    assert fields_refused(make, cluster, resource, {**workload(), field: -1}) == [f"spec.{field}"]


def test_a_job_is_filled_in_and_tied_to_its_pods(cluster: Any) -> None:
    made = make(cluster, JOBS, job(), "task")
    uid = made["metadata"]["uid"]
    assert without(made["spec"], ["template"]) == {
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "completions": 1,
        "manualSelector": False,
        "parallelism": 1,
        "podReplacementPolicy": "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
        "suspend": False,
    }
    labels = made["spec"]["template"]["metadata"]["labels"]
    assert labels["batch.kubernetes.io/controller-uid"] == uid
    assert labels["job-name"] == "task"


def test_a_job_with_a_parallelism_only_ends_when_its_pods_do(cluster: Any) -> None:
    spec = make(cluster, JOBS, job(parallelism=3))["spec"]
    assert spec["parallelism"] == 3
    assert "completions" not in spec
    assert make(cluster, JOBS, job(completions=3), "b")["spec"]["parallelism"] == 1


def test_a_job_may_bring_its_selector(cluster: Any) -> None:
    template = {"metadata": {"labels": {"a": "b"}}, **job()["template"]}
    selector = {"matchLabels": {"a": "b"}}
    made = make(cluster, JOBS, {"template": template, "selector": selector, "manualSelector": True})
    assert made["spec"]["selector"] == selector
    assert made["spec"]["template"]["metadata"]["labels"] == {"a": "b"}


def test_a_job_s_template_does_not_change(cluster: Any) -> None:
    made = make(cluster, JOBS, job())
    patch = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    refused = fields_refused(cluster.client.patch, JOBS, "shop", "web", patch)
    assert refused == ["spec.template"]
    paused = cluster.client.patch(JOBS, "shop", "web", {"spec": {"suspend": True}})
    assert (paused["spec"]["suspend"], paused["metadata"]["generation"]) == (True, 2)
    assert paused["spec"]["selector"] == made["spec"]["selector"]


def test_a_cron_job_is_filled_in(cluster: Any) -> None:
    spec = make(cluster, "cronjobs.batch", {"schedule": "* * * * *", "jobTemplate": {"spec": job()}})["spec"]
    assert (spec["concurrencyPolicy"], spec["suspend"]) == ("Allow", False)
    assert (spec["successfulJobsHistoryLimit"], spec["failedJobsHistoryLimit"]) == (3, 1)


def test_text_in_a_secret_is_stored_as_data_and_wins_over_it(cluster: Any) -> None:
    def encode(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    meta = {"name": "s", "namespace": "shop"}
    given = {"data": {"a": encode("old"), "b": encode("kept")}, "stringData": {"a": "new", "c": "ü"}}
    made = cluster.client.create("secrets", {"metadata": meta, **given})
    assert made["data"] == {"a": encode("new"), "b": encode("kept"), "c": encode("ü")}
    assert "stringData" not in made
    assert made["type"] == "Opaque"
    patched = cluster.client.patch("secrets", "shop", "s", {"stringData": {"b": "newer"}})
    assert patched["data"]["b"] == encode("newer")
    assert patched["data"]["a"] == encode("new")
    assert "stringData" not in patched


def test_a_frozen_secret_keeps_its_data_whatever_it_is_called(cluster: Any) -> None:
    meta = {"name": "s", "namespace": "shop"}
    cluster.client.create("secrets", {"metadata": meta, "stringData": {"a": "1"}, "immutable": True})
    assert fields_refused(cluster.client.patch, "secrets", "shop", "s", {"stringData": {"a": "2"}}) == [
        "data"
    ]
    cluster.client.patch("secrets", "shop", "s", {"stringData": {"a": "1"}})


def test_a_claim_is_filled_in_and_only_grows(cluster: Any) -> None:
    spec: Obj = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    spec["storageClassName"] = "gold"
    made = make(cluster, "persistentvolumeclaims", spec)
    assert (made["spec"]["volumeMode"], made["status"]) == ("Filesystem", {"phase": "Pending"})
    bound = cluster.client.update(
        "persistentvolumeclaims", {**made, "spec": {**made["spec"], "volumeName": "v"}}
    )
    larger = {**bound["spec"], "resources": {"requests": {"storage": "2Gi"}}}
    assert fields_refused(cluster.client.update, "persistentvolumeclaims", {**bound, "spec": larger}) == [
        "spec"
    ]
    bound = cluster.client.update_status("persistentvolumeclaims", {**bound, "status": {"phase": "Bound"}})
    with pytest.raises(ForbiddenError, match="only dynamically provisioned pvc can be resized"):
        cluster.client.update("persistentvolumeclaims", {**bound, "spec": larger})
    for change in ({"volumeName": "w"}, {"accessModes": ["ReadWriteMany"]}, {"storageClassName": "x"}):
        new = {**bound, "spec": {**bound["spec"], **change}}
        assert fields_refused(cluster.client.update, "persistentvolumeclaims", new) == ["spec"]


def test_a_claim_says_how_much_and_how(cluster: Any) -> None:
    assert fields_refused(make, cluster, "persistentvolumeclaims", {}) == [
        "spec.accessModes",
        "spec.resources[storage]",
    ]


def test_a_volume_and_a_storage_class_are_filled_in(cluster: Any) -> None:
    source = {"hostPath": {"path": "/data"}, "accessModes": ["ReadWriteOnce"]}
    volume = make(cluster, "persistentvolumes", {"capacity": {"storage": "1Gi"}, **source})
    assert volume["spec"]["persistentVolumeReclaimPolicy"] == "Retain"
    since = volume["metadata"]["creationTimestamp"]
    assert volume["status"] == {"phase": "Pending", "lastPhaseTransitionTime": since}
    made = cluster.client.create(
        "storageclasses.storage.k8s.io", {"metadata": {"name": "a"}, "provisioner": "x"}
    )
    assert (made["reclaimPolicy"], made["volumeBindingMode"]) == ("Delete", "Immediate")


def test_a_network_policy_says_which_directions_it_rules(cluster: Any) -> None:
    inward = make(cluster, POLICY, {"ingress": [{"ports": [{"port": 80}]}]}, "a")["spec"]
    assert (inward["policyTypes"], inward["podSelector"]) == (["Ingress"], {})
    assert inward["ingress"][0]["ports"] == [{"port": 80, "protocol": "TCP"}]
    assert make(cluster, POLICY, {"egress": [{}]}, "b")["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert make(cluster, POLICY, {"policyTypes": ["Egress"]}, "c")["spec"]["policyTypes"] == ["Egress"]


@pytest.mark.parametrize(
    ("resource", "fields"),
    [
        ("pods", ["spec.containers"]),
        (DEPLOYMENTS, ["spec.selector", *TEMPLATE]),
        (REPLICA_SETS, ["spec.selector", *TEMPLATE]),
        (STATEFUL_SETS, ["spec.selector", *TEMPLATE]),
        (DAEMON_SETS, TEMPLATE),
        (JOBS, ["spec.template.spec.containers", "spec.template.spec.restartPolicy"]),
        ("services", ["spec.ports"]),
        ("persistentvolumeclaims", ["spec.accessModes", "spec.resources[storage]"]),
    ],
)
@pytest.mark.parametrize("fields_given", [{}, {"spec": None}, {"spec": {}}])
def test_an_object_without_a_spec_is_refused_by_what_it_lacks(
    cluster: Any, resource: str, fields: list[str], fields_given: Obj
) -> None:
    obj = {"metadata": {"name": "web", "namespace": "shop"}, **fields_given}
    assert fields_refused(cluster.client.create, resource, obj) == fields
