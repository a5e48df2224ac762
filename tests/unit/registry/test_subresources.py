"""Status, scale, binding and eviction: each changes its own part and no other."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj, find_condition
from leeward.kube.scale import ScalePaths, scale_of
from leeward.kube.status import (
    BadRequestError,
    ConflictError,
    InvalidError,
    NotFoundError,
    StatusError,
    TooManyRequestsError,
)

DEPLOYMENTS = "deployments.apps"
BUDGETS = "poddisruptionbudgets.policy"
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
UNREADY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}


def test_a_write_of_status_changes_nothing_else(cluster: Any) -> None:
    made = cluster.deploy()
    wanted = {**made, "spec": {**made["spec"], "replicas": 9}, "status": {"replicas": 1}}
    wanted["metadata"] = {**made["metadata"], "labels": {"a": "b"}, "finalizers": ["a.io/x"]}
    stored = cluster.client.update_status(DEPLOYMENTS, wanted)
    assert stored["status"] == {"replicas": 1}
    assert stored["spec"] == made["spec"]
    assert {**stored["metadata"], "resourceVersion": ""} == {**made["metadata"], "resourceVersion": ""}


def test_a_write_of_status_replaces_it(cluster: Any) -> None:
    made = cluster.deploy()
    cluster.client.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1, "readyReplicas": 1}})
    meta = {"name": "web", "namespace": "shop"}
    assert cluster.client.update_status(DEPLOYMENTS, {"metadata": meta, "status": {"replicas": 2}})[
        "status"
    ] == {"replicas": 2}
    assert cluster.client.update_status(DEPLOYMENTS, {"metadata": meta})["status"] == {}


def test_a_patch_of_status_merges_into_it_and_leaves_the_spec(cluster: Any) -> None:
    made = cluster.deploy()
    cluster.client.update_status(DEPLOYMENTS, {**made, "status": {"replicas": 1, "readyReplicas": 1}})
    patch = {"status": {"readyReplicas": 0}, "spec": {"replicas": 9}}
    patched = cluster.client.patch(DEPLOYMENTS, "shop", "web", patch, subresource="status")
    assert patched["status"] == {"replicas": 1, "readyReplicas": 0}
    assert patched["spec"]["replicas"] == 1
    assert patched["metadata"]["generation"] == 1


def test_conditions_are_patched_by_their_type(cluster: Any) -> None:
    cluster.pod(node="n1", status=READY)
    patch = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
    patched = cluster.client.patch("pods", "shop", "web", patch, subresource="status")
    assert sorted((each["type"], each["status"]) for each in patched["status"]["conditions"]) == [
        ("Ready", "False")
    ]


@pytest.mark.parametrize("resource", ["pods", "nodes"])
def test_a_kubelet_may_label_its_pods_and_nodes_with_their_status(cluster: Any, resource: str) -> None:
    made = (
        cluster.pod() if resource == "pods" else cluster.client.create("nodes", {"metadata": {"name": "n"}})
    )
    meta = {**made["metadata"], "labels": {"a": "b"}, "annotations": {"c": "d"}, "finalizers": ["a.io/x"]}
    stored = cluster.client.update_status(resource, {**made, "metadata": meta, "status": {"x": 1}})
    assert stored["metadata"]["labels"] == {"a": "b"}
    assert stored["metadata"]["annotations"] == {"c": "d"}
    assert "finalizers" not in stored["metadata"]


POD = {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{"name": "c", "image": "web:1"}]}}
TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
CONTROLLER = {"replicas": 1, "template": POD}


@pytest.mark.parametrize(
    ("resource", "spec"),
    [
        ("horizontalpodautoscalers.autoscaling", {"maxReplicas": 3, "scaleTargetRef": TARGET}),
        ("replicationcontrollers", CONTROLLER),
        ("resourcequotas", {"hard": {}}),
        ("ingresses.networking.k8s.io", {"defaultBackend": BACKEND}),
        ("poddisruptionbudgets.policy", {"minAvailable": 1}),
    ],
)
def test_a_new_object_cannot_bring_its_status(cluster: Any, resource: str, spec: Obj) -> None:
    meta = {"name": "a", "namespace": "shop"}
    made = cluster.client.create(resource, {"metadata": meta, "spec": spec, "status": {"made": "up"}})
    assert "made" not in made.get("status", {})


def test_a_new_node_brings_its_status(cluster: Any) -> None:
    made = cluster.client.create("nodes", {"metadata": {"name": "n1"}, "status": {"capacity": {"cpu": "4"}}})
    assert made["status"]["capacity"] == made["status"]["allocatable"] == {"cpu": "4"}


@pytest.mark.parametrize("patch_type", ["merge", "strategic"])
def test_a_scale_sets_the_replicas_and_counts_as_a_change(cluster: Any, patch_type: str) -> None:
    made = cluster.deploy()
    patch = {"spec": {"replicas": 5, "paused": True}}
    scaled = cluster.client.patch(
        DEPLOYMENTS, "shop", "web", patch, patch_type=patch_type, subresource="scale"
    )
    assert scaled["spec"] == {**made["spec"], "replicas": 5}
    assert scaled["metadata"]["generation"] == 2
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == scaled


def test_a_scale_by_json_patch_can_test_the_replicas_it_expects(cluster: Any) -> None:
    cluster.deploy(replicas=2)

    def scale(expected: int, wanted: int) -> Obj:
        test = {"op": "test", "path": "/spec/replicas", "value": expected}
        change = {"op": "replace", "path": "/spec/replicas", "value": wanted}
        found: Obj = cluster.client.patch(
            DEPLOYMENTS, "shop", "web", [test, change], patch_type="json", subresource="scale"
        )
        return found

    assert scale(2, 3)["spec"]["replicas"] == 3
    with pytest.raises(InvalidError, match="the server rejected our request"):
        scale(2, 4)


def test_a_scale_to_zero_and_below(cluster: Any) -> None:
    cluster.deploy()
    patch: Obj = {"spec": {"replicas": 0}}
    assert (
        cluster.client.patch(DEPLOYMENTS, "shop", "web", patch, subresource="scale")["spec"]["replicas"] == 0
    )
    with pytest.raises(InvalidError, match=r"spec\.replicas: Invalid value: -1"):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": -1}}, subresource="scale")


def test_a_scale_of_a_state_that_has_passed_is_a_conflict(cluster: Any) -> None:
    made = cluster.deploy()
    meta = {"resourceVersion": made["metadata"]["resourceVersion"]}
    patch = {"metadata": meta, "spec": {"replicas": 2}}
    cluster.client.patch(DEPLOYMENTS, "shop", "web", patch, subresource="scale")
    with pytest.raises(ConflictError):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", patch, subresource="scale")


def test_a_scale_that_is_no_object_is_refused(cluster: Any) -> None:
    cluster.deploy()
    patch = [{"op": "replace", "path": "", "value": 5}]
    with pytest.raises(BadRequestError, match="the patch leaves no object"):
        cluster.client.patch(DEPLOYMENTS, "shop", "web", patch, patch_type="json", subresource="scale")


def test_a_rehearsed_scale_changes_nothing(cluster: Any) -> None:
    made = cluster.deploy()
    patch = {"spec": {"replicas": 5}}
    shown = cluster.rehearsal.patch(DEPLOYMENTS, "shop", "web", patch, subresource="scale")
    assert shown["spec"]["replicas"] == 5
    assert cluster.client.get(DEPLOYMENTS, "shop", "web") == made


def _widgets(cluster: Any, **scale: str) -> None:
    numbers = {"type": "object", "properties": {"size": {"type": "integer"}, "labels": {"type": "string"}}}
    schema = {"type": "object", "properties": {"spec": numbers, "status": numbers}}
    paths = {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size", **scale}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"scale": paths, "status": {}},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "scope": "Namespaced", "names": names, "versions": [version]}
    cluster.client.create(
        "customresourcedefinitions.apiextensions.k8s.io",
        {"metadata": {"name": "widgets.example.com"}, "spec": spec},
    )


def _widget(cluster: Any, **spec: int) -> Obj:
    made: Obj = cluster.client.create(
        "widgets.example.com", {"metadata": {"name": "one", "namespace": "shop"}, "spec": spec}
    )
    return made


def _scale_widget(cluster: Any, replicas: int | None) -> Obj:
    patch = {"spec": {} if replicas is None else {"replicas": replicas}}
    scaled: Obj = cluster.client.patch(
        "widgets.example.com", "shop", "one", patch, patch_type="merge", subresource="scale"
    )
    return scaled


def test_a_scale_of_a_custom_resource_sets_the_field_that_its_definition_names(cluster: Any) -> None:
    _widgets(cluster)
    _widget(cluster, size=3)
    assert _scale_widget(cluster, 4)["spec"] == {"size": 4}
    assert _scale_widget(cluster, 0)["metadata"]["generation"] == 3
    with pytest.raises(InvalidError, match=r"\.spec\.size: Invalid value: -1: should be a non-negative"):
        _scale_widget(cluster, -1)


def test_a_custom_resource_without_replicas_has_no_scale_until_it_is_given_one(cluster: Any) -> None:
    _widgets(cluster)
    made = _widget(cluster)
    paths = ScalePaths(".spec.size", ".status.size")
    with pytest.raises(StatusError, match=r'the spec replicas field "\.spec\.size" does not exist'):
        scale_of(made, paths)
    with pytest.raises(BadRequestError, match=r'the spec replicas field "\.spec\.size" cannot be empty'):
        _scale_widget(cluster, None)
    assert scale_of(_scale_widget(cluster, 2), paths)["spec"] == {"replicas": 2}


def test_a_scale_of_a_custom_resource_shows_what_its_status_says() -> None:
    widget = {
        "apiVersion": "example.com/v1",
        "kind": "Widget",
        "metadata": {"name": "one", "uid": "u"},
        "spec": {"size": 3},
        "status": {"size": 2, "labels": "app=one"},
    }
    assert scale_of(widget, ScalePaths(".spec.size", ".status.size", ".status.labels")) == {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {"name": "one", "uid": "u"},
        "spec": {"replicas": 3},
        "status": {"replicas": 2, "selector": "app=one"},
    }


def test_a_binding_gives_a_pod_its_node_and_says_that_it_is_scheduled(cluster: Any) -> None:
    made = cluster.pod()
    cluster.clock.advance(2)
    cluster.client.bind("shop", "web", "n1")
    bound = cluster.client.get("pods", "shop", "web")
    assert bound["spec"] == {**made["spec"], "nodeName": "n1"}
    condition = find_condition(bound, "PodScheduled")
    assert condition is not None
    assert (condition["status"], condition["lastTransitionTime"]) == ("True", "2030-01-01T00:00:02Z")
    assert [pod["metadata"]["name"] for pod in cluster.client.pods_on("n1")] == ["web"]


def test_a_binding_ends_what_said_that_the_pod_did_not_fit(cluster: Any) -> None:
    unfit = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes"}
    cluster.pod(status={"conditions": [unfit]})
    cluster.client.bind("shop", "web", "n1")
    (condition,) = cluster.client.get("pods", "shop", "web")["status"]["conditions"]
    assert condition["status"] == "True"
    assert "reason" not in condition


def test_a_pod_is_bound_once(cluster: Any) -> None:
    bound = cluster.pod(node="n1")
    for node in ("n1", "n2"):
        with pytest.raises(ConflictError, match='pod web is already assigned to node "n1"'):
            cluster.client.bind("shop", "web", node)
    assert cluster.client.get("pods", "shop", "web") == bound


def test_a_pod_that_is_leaving_or_gated_or_missing_is_not_bound(cluster: Any) -> None:
    cluster.pod("leaving", metadata={"finalizers": ["a.io/x"]})
    cluster.client.delete("pods", "shop", "leaving")
    cluster.pod("gated", schedulingGates=[{"name": "wait"}])
    for name, text in (("leaving", "is being deleted"), ("gated", "non-empty .spec.schedulingGates")):
        with pytest.raises(ConflictError, match=text):
            cluster.client.bind("shop", name, "n1")
        assert "nodeName" not in cluster.client.get("pods", "shop", name)["spec"]
    with pytest.raises(NotFoundError, match='pods "missing" not found'):
        cluster.client.bind("shop", "missing", "n1")


def test_a_binding_needs_a_node(cluster: Any) -> None:
    cluster.pod()
    with pytest.raises(InvalidError, match=r"target\.name: Required value"):
        cluster.client.bind("shop", "web", "")


def test_a_rehearsed_binding_is_checked_and_changes_nothing(cluster: Any) -> None:
    made = cluster.pod()
    cluster.rehearsal.bind("shop", "web", "n1")
    assert cluster.client.get("pods", "shop", "web") == made
    with pytest.raises(NotFoundError):
        cluster.rehearsal.bind("shop", "missing", "n1")


def guard(
    cluster: Any, allowed: int, name: str = "web", healthy: int = 2, desired: int = 2, **spec: Any
) -> None:
    """Put a budget over the Pods labelled app=web."""
    full = {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}, **spec}
    made = cluster.client.create(BUDGETS, {"metadata": {"name": name, "namespace": "shop"}, "spec": full})
    numbers = {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": desired}
    status = {**numbers, "observedGeneration": 1}
    cluster.client.update_status(BUDGETS, {**made, "status": status})


def guarded(cluster: Any, name: str, status: Obj) -> Obj:
    made: Obj = cluster.pod(name, node="n1", status=status, metadata={"labels": {"app": "web"}})
    return made


def left(cluster: Any) -> int:
    return int(cluster.client.get(BUDGETS, "shop", "web")["status"]["disruptionsAllowed"])


def test_an_eviction_says_why_and_leaves_the_grace_period(cluster: Any) -> None:
    cluster.pod(node="n1", status=READY)
    cluster.client.evict("shop", "web")
    going = cluster.client.get("pods", "shop", "web")
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    condition = find_condition(going, "DisruptionTarget")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("True", "EvictionByEvictionAPI")


def test_evictions_use_the_budget_up_and_are_then_refused(cluster: Any) -> None:
    guard(cluster, allowed=1)
    guarded(cluster, "web-1", READY)
    kept = guarded(cluster, "web-2", READY)
    cluster.client.evict("shop", "web-1")
    assert left(cluster) == 0
    with pytest.raises(TooManyRequestsError, match="would violate the pod's disruption budget") as caught:
        cluster.client.evict("shop", "web-2")
    assert "The disruption budget web needs 2 healthy pods and has 2 currently" in str(caught.value.details)
    assert cluster.client.get("pods", "shop", "web-2") == kept


def test_a_budget_that_its_controller_has_not_seen_as_it_is_now_allows_nothing(cluster: Any) -> None:
    guard(cluster, allowed=1)
    kept = guarded(cluster, "web-1", READY)
    cluster.client.patch(BUDGETS, "shop", "web", {"spec": {"minAvailable": 9}}, patch_type="merge")
    with pytest.raises(TooManyRequestsError) as caught:
        cluster.client.evict("shop", "web-1")
    text = "The disruption budget web is still being processed by the server."
    assert caught.value.details == {"causes": [{"reason": "DisruptionBudget", "message": text}]}
    assert caught.value.retry_after == 10
    assert cluster.client.get("pods", "shop", "web-1") == kept
    assert left(cluster) == 1


def test_an_eviction_is_noted_in_its_budget_until_the_pod_is_gone(cluster: Any) -> None:
    guard(cluster, allowed=1)
    guarded(cluster, "web-1", READY)
    cluster.client.evict("shop", "web-1")
    budget = cluster.client.get(BUDGETS, "shop", "web")
    assert list(budget["status"]["disruptedPods"]) == ["web-1"]
    condition = find_condition(budget, "DisruptionAllowed") or {}
    assert (condition["status"], condition["reason"]) == ("False", "InsufficientPods")


@pytest.mark.parametrize(
    ("status", "message"),
    [
        ({"observedGeneration": 0}, "The disruption budget web is still being processed by the server."),
        ({"currentHealthy": 3}, "The disruption budget web does not allow evicting pods currently"),
        (
            {"conditions": [{"type": "DisruptionAllowed", "reason": "SyncFailed", "message": "why"}]},
            "The disruption budget web does not allow evicting pods currently because it failed sync: why",
        ),
    ],
)
def test_a_refused_eviction_says_why(cluster: Any, status: Obj, message: str) -> None:
    guard(cluster, allowed=0)
    guarded(cluster, "web-1", READY)
    budget = cluster.client.get(BUDGETS, "shop", "web")
    cluster.client.update_status(BUDGETS, {**budget, "status": {**budget["status"], **status}})
    with pytest.raises(TooManyRequestsError) as caught:
        cluster.client.evict("shop", "web-1")
    assert caught.value.details == {"causes": [{"reason": "DisruptionBudget", "message": message}]}


def test_a_budget_guards_only_the_pods_it_selects(cluster: Any) -> None:
    guard(cluster, allowed=0)
    cluster.pod("other", node="n1", status=READY, metadata={"labels": {"app": "api"}})
    cluster.client.evict("shop", "other")
    assert cluster.client.get("pods", "shop", "other")["metadata"]["deletionTimestamp"]


def test_a_pod_under_two_budgets_cannot_be_evicted(cluster: Any) -> None:
    guard(cluster, allowed=1)
    guard(cluster, allowed=1, name="second")
    kept = guarded(cluster, "web-1", READY)
    with pytest.raises(StatusError, match="more than one PodDisruptionBudget"):
        cluster.client.evict("shop", "web-1")
    assert cluster.client.get("pods", "shop", "web-1") == kept
    assert left(cluster) == 1


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed"])
def test_a_pod_that_does_not_run_costs_no_budget(cluster: Any, phase: str) -> None:
    guard(cluster, allowed=0)
    guarded(cluster, "web-1", {**READY, "phase": phase})
    cluster.client.evict("shop", "web-1")
    pod = cluster.client.find("pods", "shop", "web-1")
    assert pod is None or pod["metadata"]["deletionTimestamp"]


def test_a_pod_on_its_way_out_costs_no_budget(cluster: Any) -> None:
    guard(cluster, allowed=1)
    guarded(cluster, "web-1", READY)
    cluster.client.evict("shop", "web-1")
    cluster.client.evict("shop", "web-1")
    assert left(cluster) == 0


def test_an_unready_pod_may_go_while_enough_others_are_healthy(cluster: Any) -> None:
    guard(cluster, allowed=0, healthy=2, desired=2)
    guarded(cluster, "web-1", UNREADY)
    cluster.client.evict("shop", "web-1")
    assert cluster.client.get("pods", "shop", "web-1")["metadata"]["deletionTimestamp"]
    assert left(cluster) == 0


@pytest.mark.parametrize(("healthy", "desired"), [(1, 2), (0, 0)])
def test_an_unready_pod_is_guarded_while_the_application_is_disrupted(
    cluster: Any, healthy: int, desired: int
) -> None:
    guard(cluster, allowed=0, healthy=healthy, desired=desired)
    kept = guarded(cluster, "web-1", UNREADY)
    with pytest.raises(TooManyRequestsError):
        cluster.client.evict("shop", "web-1")
    assert cluster.client.get("pods", "shop", "web-1") == kept


def test_a_budget_may_let_unready_pods_always_go(cluster: Any) -> None:
    guard(cluster, allowed=1, healthy=0, unhealthyPodEvictionPolicy="AlwaysAllow")
    guarded(cluster, "web-1", UNREADY)
    cluster.client.evict("shop", "web-1")
    assert left(cluster) == 1


def test_a_rehearsed_eviction_is_checked_and_changes_nothing(cluster: Any) -> None:
    guard(cluster, allowed=1)
    kept = guarded(cluster, "web-1", READY)
    cluster.rehearsal.evict("shop", "web-1")
    assert left(cluster) == 1
    assert cluster.client.get("pods", "shop", "web-1") == kept
    with pytest.raises(NotFoundError, match='pods "missing" not found'):
        cluster.rehearsal.evict("shop", "missing")
