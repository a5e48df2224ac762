"""What a Pod has to be, in the words of Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.kinds.pods import POD, default_template
from leeward.cluster.registry.validation.pods import template_failures
from leeward.kube.objects import Obj

CONTAINER = {"name": "c", "image": "web:1"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


def said_of(spec: Obj, **meta: Any) -> list[str]:
    """Return what is wrong with a new Pod."""
    metadata = {"name": "web", "namespace": "shop", **meta}
    pod = POD.default({"metadata": metadata, "spec": {"containers": [CONTAINER], **spec}})
    rules = POD.validate_create
    assert rules is not None
    return [str(failure) for failure in rules(pod)]


def container(**fields: Any) -> Obj:
    return {"containers": [{**CONTAINER, **fields}]}


def test_a_pod_that_uses_much_is_accepted() -> None:
    full = {
        "volumes": [
            {"name": "a", "emptyDir": {}},
            {"name": "b", "image": {"reference": "quay.io/x/y:v1"}},
            {"name": "c", "projected": {"sources": [{"downwardAPI": {"items": [
                {"path": "n", "fieldRef": {"fieldPath": "metadata.name"}}]}}]}},
            {"name": "d", "ephemeral": {"volumeClaimTemplate": {"spec": {
                "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}}},
        ],
        "initContainers": [{**CONTAINER, "name": "sidecar", "restartPolicy": "Always",
                            "startupProbe": {"tcpSocket": {"port": 80}}}],
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}, "runAsUser": 0},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule",
             "labelSelector": {"matchLabels": {"app": "web"}}, "matchLabelKeys": ["version"]}],
        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}},
        "os": {"name": "linux"},
        **container(restartPolicy="Never", restartPolicyRules=[
            {"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}]),
    }  # fmt: skip
    assert said_of(full, annotations={"controller.kubernetes.io/pod-deletion-cost": "-7"}) == []


@pytest.mark.parametrize(
    ("annotations", "spec", "message"),
    [
        ({"kubernetes.io/config.mirror": "x"}, {},
         'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": '
         "must set spec.nodeName if mirror pod annotation is set"),
        ({"controller.kubernetes.io/pod-deletion-cost": "07"}, {},
         'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "07": '
         "must be a 32bit integer"),
        ({"controller.kubernetes.io/pod-deletion-cost": "2147483648"}, {},
         'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "2147483648": '
         "must be a 32bit integer"),
        ({"seccomp.security.alpha.kubernetes.io/pod": "odd"}, {},
         'metadata.annotations.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "odd": '
         "must be a valid seccomp profile"),
        ({"container.apparmor.security.beta.kubernetes.io/other": "unconfined"}, {},
         "metadata.annotations[container.apparmor.security.beta.kubernetes.io/other]: "
         'Invalid value: "other": container not found'),
        ({"seccomp.security.alpha.kubernetes.io/pod": "unconfined"},
         {"securityContext": {"seccompProfile": {"type": "RuntimeDefault"}}},
         "spec.securityContext.seccompProfile.type: Forbidden: "
         "seccomp type in annotation and field must match"),
        ({"container.apparmor.security.beta.kubernetes.io/c": "localhost/a"},
         {"securityContext": {"appArmorProfile": {"type": "Localhost", "localhostProfile": "b"}}},
         "spec.containers[0].securityContext.appArmorProfile.localhostProfile: Forbidden: "
         "apparmor profile in annotation and field must match"),
    ],
)  # fmt: skip
def test_annotations_that_mean_something_are_checked(annotations: Obj, spec: Obj, message: str) -> None:
    assert said_of(spec, annotations=annotations) == [message]


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        ({"os": {"name": "plan9"}},
         ['spec.os: Unsupported value: "plan9": supported values: "linux", "windows"']),
        ({"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}},
         ["spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"]),
        ({"os": {"name": "windows"}, "hostPID": True, "securityContext": {"fsGroup": 1},
          **container(securityContext={"privileged": True})},
         ["spec.hostPID: Forbidden: cannot be set for a windows pod",
          "spec.securityContext.fsGroup: Forbidden: cannot be set for a windows pod",
          "spec.containers[0].securityContext.privileged: Forbidden: cannot be set for a windows pod"]),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}},
          **container(securityContext={"windowsOptions": {"hostProcess": False}})},
         ["spec.containers[0].securityContext.windowsOptions.hostProcess: Invalid value: false: "
          "pod hostProcess value must be identical if both are specified, was true"]),
        ({"securityContext": {"windowsOptions": {"hostProcess": True}}},
         ["spec.hostNetwork: Invalid value: false: "
          "hostNetwork must be true if pod contains any hostProcess containers"]),
        ({"securityContext": {"windowsOptions": {"runAsUserName": "a\\b\\c"}}},
         ['spec.securityContext.windowsOptions.runAsUserName: Invalid value: "a\\\\b\\\\c": '
          "runAsUserName cannot contain more than one backslash"]),
    ],
)  # fmt: skip
def test_a_pod_has_only_what_its_operating_system_has(spec: Obj, messages: list[str]) -> None:
    assert said_of(spec) == messages


@pytest.mark.parametrize(
    ("fields", "messages"),
    [
        ({"restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [1]}}]},
         ["spec.containers[0].restartPolicy: Required value: "
          "must specify restartPolicy when restart rules are used"]),
        ({"restartPolicy": "Never",
          "restartPolicyRules": [{"action": "No", "exitCodes": {"operator": "Is"}}]},
         ['spec.containers[0].restartPolicyRules[0].action: Unsupported value: "No": '
          'supported values: "Restart", "RestartAllContainers"',
          'spec.containers[0].restartPolicyRules[0].exitCodes.operator: Unsupported value: "Is": '
          'supported values: "In", "NotIn"']),
        ({"restartPolicy": "Never", "restartPolicyRules": [{"action": "Restart"}]},
         ["spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified"]),
    ],
)  # fmt: skip
def test_rules_about_restarts_are_complete(fields: Obj, messages: list[str]) -> None:
    assert said_of(container(**fields)) == messages


def test_a_pod_as_a_whole_asks_for_what_its_containers_ask_for() -> None:
    sidecar = {
        **CONTAINER,
        "name": "s",
        "restartPolicy": "Always",
        "resources": {"requests": {"cpu": "300m"}},
    }
    spec = {
        "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "1", "pods": "1"}, "claims": []},
        "initContainers": [sidecar],
        **container(resources={"requests": {"cpu": "800m"}, "limits": {"cpu": "2"}}),
    }
    assert said_of(spec) == [
        "spec.resources.claims: Forbidden: claims cannot be set for Resources at pod-level",
        'spec.resources.limits[pods]: Unsupported value: "pods": '
        'supported values: "cpu", "hugepages-", "memory"',
        'spec.resources.requests[cpu]: Invalid value: "1": '
        "must be greater than or equal to aggregate container requests of 1100m",
        'spec.resources.containers[0][cpu].limits: Invalid value: "2": '
        "must be less than or equal to pod limits of 1",
    ]


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_a_label_key_is_merged_into_the_selector_and_is_not_in_it_already(kind: str) -> None:
    def spec(**selector: Any) -> Obj:
        term = {"topologyKey": "zone", "matchLabelKeys": ["app"], "labelSelector": selector}
        return {"affinity": {kind: {REQUIRED: [term]}}}

    def prepared(given: Obj) -> Obj:
        metadata = {"name": "web", "namespace": "shop", "labels": {"app": "web"}, "creationTimestamp": "t"}
        pod = POD.default({"metadata": metadata, "spec": {"containers": [CONTAINER], **given}})
        return POD.prepare_create(pod)

    merged = prepared(spec(matchLabels={"tier": "front"}))
    (term,) = merged["spec"]["affinity"][kind][REQUIRED]
    assert term["labelSelector"]["matchExpressions"] == [{"key": "app", "operator": "In", "values": ["web"]}]
    assert POD.validate(merged) == []
    (failure,) = POD.validate(prepared(spec(matchLabels={"app": "web"})))
    assert failure.message == 'Invalid value: "app": exists in both matchLabelKeys and labelSelector'


def test_what_go_has_no_pointer_for_is_absent_when_it_is_empty() -> None:
    spec = {
        "restartPolicy": "",
        "dnsPolicy": "",
        "terminationGracePeriodSeconds": -5,
        **container(
            imagePullPolicy="",
            terminationMessagePath="",
            livenessProbe={"tcpSocket": {"port": 1}, "periodSeconds": 0},
        ),
    }
    filled = POD.default({"metadata": {"name": "web"}, "spec": spec})["spec"]
    assert (filled["restartPolicy"], filled["dnsPolicy"]) == ("Always", "ClusterFirst")
    assert filled["terminationGracePeriodSeconds"] == 1
    (made,) = filled["containers"]
    assert made["imagePullPolicy"] == "IfNotPresent"
    assert made["terminationMessagePath"] == "/dev/termination-log"
    assert made["livenessProbe"]["periodSeconds"] == 10


def test_a_template_is_not_filled_in_with_what_only_pods_get() -> None:
    limits = {"limits": {"cpu": "1"}}
    spec = {"hostNetwork": True, **container(resources=limits, ports=[{"containerPort": 80}])}
    template = default_template({"spec": {**spec, "terminationGracePeriodSeconds": -5}})
    (made,) = template["spec"]["containers"]
    assert made["resources"] == limits
    assert made["ports"] == [{"containerPort": 80, "protocol": "TCP"}]
    assert template["spec"]["terminationGracePeriodSeconds"] == -5
    assert template_failures(template, "template") == []


def test_a_gated_pod_says_that_it_waits(cluster: Any) -> None:
    made = cluster.pod(schedulingGates=[{"name": "example.com/wait"}])
    (condition,) = made["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PodScheduled",
        "False",
        "SchedulingGated",
    )
    assert condition["lastTransitionTime"] == made["metadata"]["creationTimestamp"]
