"""Reading, watching and recording through a client; custom resources; what a cluster begins with."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.bootstrap import bootstrap
from leeward.cluster.registry.events import KNOWN, Memory
from leeward.kube.objects import Obj
from leeward.kube.status import NotFoundError

CRDS = "customresourcedefinitions.apiextensions.k8s.io"
WIDGETS = "widgets.example.com"


_SUBRESOURCES = {
    "status": {},
    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
}


def define(cluster: Any, *subresources: str, scope: str = "Namespaced") -> None:
    """Define widgets.example.com."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1beta1",
        "schema": {"openAPIV3Schema": free},
        "served": True,
        "storage": True,
        "subresources": {name: _SUBRESOURCES[name] for name in subresources},
    }
    names = {"plural": "widgets", "kind": "Widget"}
    spec = {"group": "example.com", "names": names, "scope": scope, "versions": [version]}
    cluster.client.create(CRDS, {"metadata": {"name": WIDGETS}, "spec": spec})


def widget(name: str = "a", **fields: Any) -> Obj:
    return {"metadata": {"name": name, "namespace": "shop"}, **fields}


def test_an_object_is_got_or_missed_by_name(cluster: Any) -> None:
    made = cluster.deploy()
    assert cluster.client.get("deployments.apps", "shop", "web") == made
    assert cluster.client.find("deployments.apps", "shop", "web") == made
    assert cluster.client.find("deployments.apps", "default", "web") is None
    with pytest.raises(NotFoundError, match=r'deployments\.apps "web" not found') as caught:
        cluster.client.get("deployments.apps", "default", "web")
    assert caught.value.details == {"name": "web", "group": "apps", "kind": "deployments"}


def test_a_list_is_of_one_namespace_or_of_all(cluster: Any) -> None:
    cluster.configmap("b")
    cluster.configmap("a")
    cluster.configmap("c", metadata={"namespace": "default"})
    assert [each["metadata"]["name"] for each in cluster.client.list("configmaps", "shop")] == ["a", "b"]
    assert [each["metadata"]["name"] for each in cluster.client.list("configmaps")] == ["c", "a", "b"]


def test_dependents_and_the_pods_of_a_node_are_found(cluster: Any) -> None:
    reference = {"apiVersion": "v1", "kind": "X", "name": "x", "uid": "u1", "controller": True}
    owned = cluster.pod("owned", metadata={"ownerReferences": [reference]})
    bound = cluster.pod("bound", node="n1")
    assert cluster.client.controlled_by("pods", "u1") == [owned]
    assert cluster.client.pods_on("n1") == [bound]


def test_a_watcher_sees_every_write_once_and_in_order(cluster: Any) -> None:
    events = cluster.watched("deployments.apps")
    made = cluster.deploy()
    cluster.configmap()
    cluster.client.patch("deployments.apps", "shop", "web", {"spec": {"replicas": 2}})
    cluster.client.update_status("deployments.apps", widget("web", status={"replicas": 2}))
    cluster.client.delete("deployments.apps", "shop", "web")
    assert [event.type for event in events] == ["ADDED", "MODIFIED", "MODIFIED", "DELETED"]
    assert events[0].object == made
    assert [event.previous for event in events[1:]] == [event.object for event in events[:-1]]
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions))


def test_a_watcher_hears_nothing_after_it_left(cluster: Any) -> None:
    events: list[object] = []
    leave = cluster.client.watch(["configmaps"], events.append)
    cluster.configmap("a")
    leave()
    cluster.configmap("b")
    assert len(events) == 1


def test_events_are_the_same_under_both_of_their_groups(cluster: Any) -> None:
    seen = cluster.watched("events.events.k8s.io")
    meta = {"name": "e", "namespace": "shop"}
    about = {"kind": "Pod", "name": "p", "namespace": "shop"}
    made = cluster.client.create("events.events.k8s.io", {"metadata": meta, "involvedObject": about})
    assert cluster.client.get("events", "shop", "e") == made
    assert cluster.client.list("events.events.k8s.io") == [made]
    assert cluster.client.find("events.events.k8s.io", "shop", "e") == made
    cluster.client.delete("events.events.k8s.io", "shop", "e")
    assert cluster.client.list("events") == []
    assert [event.type for event in seen] == ["ADDED", "DELETED"]


def test_what_repeats_is_counted_on_one_event(cluster: Any) -> None:
    pod = cluster.pod()
    kubelet = cluster.registry.client("system:kubelet")
    kubelet.record(pod, event_type="Warning", reason="BackOff", message="again")
    cluster.clock.advance(10)
    kubelet.record(pod, event_type="Warning", reason="BackOff", message="again")
    (event,) = cluster.client.list("events")
    assert event["count"] == 2
    assert event["firstTimestamp"] == "2030-01-01T00:00:00Z"
    assert event["lastTimestamp"] == "2030-01-01T00:00:10Z"
    assert (event["type"], event["reason"], event["message"]) == ("Warning", "BackOff", "again")
    assert event["source"] == {"component": "kubelet"}
    assert event["involvedObject"]["uid"] == pod["metadata"]["uid"]
    assert event["metadata"]["namespace"] == "shop"


def test_what_differs_is_an_event_of_its_own(cluster: Any) -> None:
    pod, other = cluster.pod(), cluster.pod("other")
    one, two = cluster.registry.client("system:one"), cluster.registry.client("system:two")
    for client, about, reason, message in (
        (one, pod, "A", "x"),
        (one, pod, "A", "y"),
        (one, pod, "B", "x"),
        (one, other, "A", "x"),
        (two, pod, "A", "x"),
    ):
        client.record(about, event_type="Normal", reason=reason, message=message)
    assert [event["count"] for event in cluster.client.list("events")] == [1] * 5


def test_what_repeats_of_an_action_is_a_series_until_it_pauses_or_the_object_changes(cluster: Any) -> None:
    pod = cluster.pod()
    scheduler = cluster.registry.client("default-scheduler")

    def fail(about: Obj, message: str) -> None:
        scheduler.record(
            about, event_type="Warning", reason="FailedScheduling", message=message, action="Scheduling"
        )

    fail(pod, "one")
    (event,) = cluster.client.list("events")
    assert (event["eventTime"], event["action"]) == ("2030-01-01T00:00:00.000000Z", "Scheduling")
    assert (event["reportingComponent"], event["reportingInstance"]) == ("default-scheduler",) * 2
    assert (event["source"], event["firstTimestamp"], event.get("count")) == ({}, None, None)
    cluster.clock.advance(10)
    fail(pod, "two")
    (event,) = cluster.client.list("events")
    assert event["message"] == "one"
    assert event["series"] == {"count": 2, "lastObservedTime": "2030-01-01T00:00:10.000000Z"}
    fail(cluster.client.update_status("pods", {**pod, "status": {"phase": "Pending", "reason": "R"}}), "two")
    assert len(cluster.client.list("events")) == 2
    cluster.clock.advance(361)
    fail(pod, "three")
    assert len(cluster.client.list("events")) == 3


def test_an_event_may_name_another_object(cluster: Any) -> None:
    pod, other = cluster.pod(), cluster.pod("other")
    client = cluster.registry.client("default-scheduler")
    client.record(pod, event_type="Normal", reason="R", message="m", action="Preempting", related=other)
    (event,) = cluster.client.list("events")
    assert event["related"]["uid"] == other["metadata"]["uid"]


def test_an_event_about_an_object_of_the_cluster_is_in_the_default_namespace(cluster: Any) -> None:
    node = cluster.client.create("nodes", {"metadata": {"name": "n1"}})
    cluster.client.record(node, event_type="Normal", reason="Ready", message="m")
    (event,) = cluster.client.list("events")
    assert (event["metadata"]["namespace"], event["involvedObject"]["namespace"]) == ("default", "")


def test_a_kubelet_s_event_says_from_which_node(cluster: Any) -> None:
    pod = cluster.pod(node="n1")
    cluster.registry.client("kubelet").record(pod, event_type="Normal", reason="Started", message="m")
    (event,) = cluster.client.list("events")
    assert event["source"] == {"component": "kubelet", "host": "n1"}


def test_recording_fails_in_silence(cluster: Any) -> None:
    pod = cluster.pod()
    stray = {**pod, "metadata": {**pod["metadata"], "namespace": "nowhere"}}
    cluster.client.record(stray, event_type="Normal", reason="R", message="m")
    assert cluster.client.list("events") == []


def test_a_custom_resource_exists_while_it_is_defined(cluster: Any) -> None:
    with pytest.raises(NotFoundError, match="could not find the requested resource"):
        cluster.client.create(WIDGETS, widget())
    define(cluster)
    made = cluster.client.create(WIDGETS, widget(spec={"size": 1}))
    assert (made["apiVersion"], made["kind"]) == ("example.com/v1beta1", "Widget")
    assert (made["metadata"]["namespace"], made["metadata"]["generation"]) == ("shop", 1)
    cluster.client.delete(CRDS, "", WIDGETS)
    with pytest.raises(NotFoundError):
        cluster.client.create(WIDGETS, widget("b"))


def test_a_custom_resource_of_the_cluster_has_no_namespace(cluster: Any) -> None:
    define(cluster, scope="Cluster")
    assert "namespace" not in cluster.client.create(WIDGETS, widget())["metadata"]


def test_an_object_of_the_cluster_is_found_whatever_namespace_is_named(cluster: Any) -> None:
    cluster.client.create("nodes", {"metadata": {"name": "n1"}})
    cluster.client.patch("nodes", "shop", "n1", {"spec": {"unschedulable": True}})
    assert cluster.client.get("nodes", "", "n1")["spec"]["unschedulable"] is True
    cluster.client.delete("nodes", "shop", "n1")
    assert cluster.client.find("nodes", "", "n1") is None


def test_a_custom_resource_counts_changes_of_its_spec(cluster: Any) -> None:
    define(cluster)
    cluster.client.create(WIDGETS, widget(spec={"size": 1}))
    changed = cluster.client.patch(WIDGETS, "shop", "a", {"spec": {"size": 2}}, patch_type="merge")
    assert changed["metadata"]["generation"] == 2
    same = cluster.client.patch(
        WIDGETS, "shop", "a", {"metadata": {"labels": {"a": "b"}}}, patch_type="merge"
    )
    assert same["metadata"]["generation"] == 2


def test_only_a_custom_resource_with_the_status_subresource_guards_its_status(cluster: Any) -> None:
    define(cluster, "status")
    made = cluster.client.create(WIDGETS, widget(spec={}, status={"phase": "made up"}))
    assert "status" not in made
    assert "status" not in cluster.client.update(WIDGETS, widget(spec={}, status={"phase": "x"}))
    cluster.client.update_status(WIDGETS, widget(status={"phase": "Ready"}))
    changed = cluster.client.update(WIDGETS, widget(spec={"size": 1}, status={"phase": "x"}))
    assert changed["status"] == {"phase": "Ready"}


def test_a_custom_resource_without_the_status_subresource_is_one_piece(cluster: Any) -> None:
    define(cluster)
    made = cluster.client.create(WIDGETS, widget(spec={}, status={"phase": "new"}))
    assert made["status"] == {"phase": "new"}
    changed = cluster.client.update(WIDGETS, widget(spec={}, status={"phase": "old"}))
    assert (changed["status"], changed["metadata"]["generation"]) == ({"phase": "old"}, 2)


def begin(cluster: Any, **changes: Any) -> None:
    bootstrap(
        cluster.registry,
        **{"api_address": "10.0.0.1", "api_port": 6443, "dns_address": "10.96.0.10", **changes},
    )


def test_a_cluster_begins_with_its_system_objects(cluster: Any) -> None:
    begin(cluster)
    namespaces = {each["metadata"]["name"] for each in cluster.client.list("namespaces")}
    assert namespaces >= {"default", "kube-system", "kube-public", "kube-node-lease"}
    dns = cluster.client.get("services", "kube-system", "kube-dns")
    assert dns["spec"]["clusterIP"] == "10.96.0.10"
    found = cluster.client.get("endpointslices.discovery.k8s.io", "default", "kubernetes")
    assert found["endpoints"] == [{"addresses": ["10.0.0.1"], "conditions": {"ready": True}}]
    assert found["ports"] == [{"name": "https", "port": 6443, "protocol": "TCP"}]
    assert cluster.client.get("services", "default", "kubernetes")["spec"]["ports"][0]["targetPort"] == 6443
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = cluster.client.create("persistentvolumeclaims", widget("data", spec=spec))
    assert claim["spec"]["storageClassName"] == "standard"
    assert cluster.pod(priorityClassName="system-node-critical")["spec"]["priority"] == 2000001000


def test_a_cluster_that_begins_again_changes_nothing(cluster: Any) -> None:
    begin(cluster)
    cluster.client.patch("namespaces", "", "kube-public", {"metadata": {"labels": {"mine": "kept"}}})
    events = cluster.watched()
    begin(cluster)
    assert events == []


def test_a_cluster_without_dns_has_no_dns_service(cluster: Any) -> None:
    begin(cluster, dns_address="")
    assert cluster.client.find("services", "kube-system", "kube-dns") is None


def test_what_is_told_in_ever_other_words_is_combined(cluster: Any) -> None:
    pod, client = cluster.pod(), cluster.registry.client("system:one")
    for number in range(12):
        client.record(pod, event_type="Normal", reason="A", message=str(number))
    found = {event["message"]: event["count"] for event in cluster.client.list("events")}
    assert found == {**dict.fromkeys(map(str, range(9)), 1), "(combined from similar events): 11": 3}
    cluster.clock.advance(601)
    client.record(pod, event_type="Normal", reason="A", message="12")
    assert "12" in {event["message"] for event in cluster.client.list("events")}


def test_who_tells_too_much_of_one_object_is_not_heard_for_a_while(cluster: Any) -> None:
    pod, client = cluster.pod(), cluster.registry.client("system:one")
    for number in range(40):
        client.record(pod, event_type="Normal", reason=f"Reason{number}", message="x")
    assert len(cluster.client.list("events")) == 25
    client.record(cluster.pod("other"), event_type="Normal", reason="A", message="x")
    assert len(cluster.client.list("events")) == 26
    cluster.clock.advance(300)
    for number in range(2):
        client.record(pod, event_type="Normal", reason=f"Later{number}", message="x")
    assert len(cluster.client.list("events")) == 27


def test_what_is_worthless_is_not_remembered_and_never_more_than_so_much() -> None:
    memory: Memory[int] = Memory()
    for number in range(5):
        memory.keep((str(number),), number, lambda other: other < 3)
    assert list(memory.values()) == [3, 4]
    memory.keep(("3",), 3, lambda other: other < 5)
    assert list(memory) == [("3",)]
    for number in range(KNOWN + 1):
        memory.keep((str(number),), number, lambda _: False)
    assert len(memory) == KNOWN
