"""Which nodes get a Pod, which Pods go, and how an update proceeds over the nodes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.daemonset.backoff import FailureBackoff
from leeward.cluster.controllers.daemonset.plan import node_of, plan, wants_pod
from leeward.cluster.controllers.daemonset.rolling import bounds_of
from leeward.kube.objects import Obj, controller_of, format_time, is_terminating

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

SETS = "daemonsets.apps"
_NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _set(
    rolling: Obj | None = None, kind: str = "RollingUpdate", template: Obj | None = None, **spec: Any
) -> Obj:
    strategy = {"type": kind, **({"rollingUpdate": rolling} if rolling else {})}
    return {
        "metadata": {"name": "agent"},
        "spec": {"template": {"spec": template or {}}, "updateStrategy": strategy, **spec},
    }


def _node(name: str, *taints: str, **labels: str) -> Obj:
    """Return a node; taints are KEY:EFFECT or KEY=VALUE:EFFECT."""
    found = []
    for text in taints:
        what, _, effect = text.rpartition(":")
        key, _, value = what.partition("=")
        found.append({"key": key, "value": value, "effect": effect})
    return {"metadata": {"name": name, "labels": labels}, "spec": {"taints": found}}


def _pod(
    name: str,
    node: str,
    hash_: str = "v1",
    *,
    ready: bool = True,
    ready_for: int = 60,
    phase: str = "Running",
    terminating: bool = False,
    age: int = 100,
) -> Obj:
    meta: Obj = {"name": name, "labels": {"controller-revision-hash": hash_}}
    meta["creationTimestamp"] = format_time(_NOW - timedelta(seconds=age))
    if terminating:
        meta["deletionTimestamp"] = format_time(_NOW)
    since = format_time(_NOW - timedelta(seconds=ready_for))
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    return {
        "metadata": meta,
        "spec": {"nodeName": node},
        "status": {"phase": phase, "conditions": [condition]},
    }


def _planned(
    daemon_set: Obj, nodes: list[Obj], pods: list[Obj], update: str = "v1"
) -> tuple[list[str], list[str]]:
    """Return (nodes that get a Pod, Pods to delete)."""
    found = plan(daemon_set, nodes, pods, update, _NOW)
    return list(found.create), [pod["metadata"]["name"] for pod in (*found.ended, *found.delete)]


_THREE = [_node("a"), _node("b"), _node("c")]
_NOTHING: tuple[list[str], list[str]] = ([], [])


@pytest.mark.parametrize(
    ("taint", "expected"),
    [
        ("dedicated=db:NoSchedule", (False, True)),
        ("dedicated=db:NoExecute", (False, False)),
        ("dedicated=db:PreferNoSchedule", (True, True)),
        ("node.kubernetes.io/not-ready:NoExecute", (True, True)),
        ("node.kubernetes.io/unreachable:NoExecute", (True, True)),
        ("node.kubernetes.io/disk-pressure:NoSchedule", (True, True)),
        ("node.kubernetes.io/memory-pressure:NoSchedule", (True, True)),
        ("node.kubernetes.io/pid-pressure:NoSchedule", (True, True)),
        ("node.kubernetes.io/unschedulable:NoSchedule", (True, True)),
        ("node.kubernetes.io/not-ready:NoSchedule", (False, True)),
        ("node.kubernetes.io/out-of-service:NoExecute", (False, False)),
    ],
)
def test_taints_keep_pods_away_or_drive_them_off(taint: str, expected: tuple[bool, bool]) -> None:
    assert wants_pod({"spec": {}}, _node("a", taint)) == expected


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        ({"operator": "Exists"}, True),
        ({"key": "dedicated", "operator": "Exists"}, True),
        ({"key": "dedicated", "value": "db", "effect": "NoSchedule"}, True),
        ({"key": "dedicated", "operator": "Equal", "value": "db"}, True),
        ({"key": "dedicated", "value": "web"}, False),
        ({"key": "dedicated", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_a_template_may_tolerate_a_taint(toleration: Obj, tolerated: bool) -> None:
    template = {"spec": {"tolerations": [toleration]}}
    assert wants_pod(template, _node("a", "dedicated=db:NoSchedule"))[0] is tolerated


def test_node_selector_affinity_and_name_decide_too() -> None:
    terms = [{"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    affinity = {"spec": {"affinity": {"nodeAffinity": required}}}
    assert wants_pod({"spec": {"nodeSelector": {"disk": "ssd"}}}, _node("a", disk="ssd")) == (True, True)
    assert wants_pod({"spec": {"nodeSelector": {"disk": "ssd"}}}, _node("a", disk="hdd")) == (False, False)
    assert wants_pod(affinity, _node("a", gpu="yes")) == (True, True)
    assert wants_pod(affinity, _node("a")) == (False, False)
    assert wants_pod({"spec": {"nodeName": "b"}}, _node("a")) == (False, False)
    assert wants_pod({"spec": {"nodeName": "a"}}, _node("a")) == (True, True)


def test_a_pod_that_is_not_bound_yet_counts_for_the_node_it_was_made_for() -> None:
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    waiting = _pod("x", "")
    waiting["spec"] = {"affinity": {"nodeAffinity": required}}
    assert node_of(waiting) == "b"
    assert _planned(_set(), _THREE, [waiting]) == (["a", "c"], [])


def test_every_eligible_node_gets_one_pod() -> None:
    nodes = [_node("a"), _node("b", "dedicated=db:NoSchedule"), _node("c")]
    assert _planned(_set(), nodes, [_pod("x", "a")]) == (["c"], [])


def test_a_node_waits_until_its_terminating_pod_is_gone() -> None:
    pods = [_pod("x", "a", terminating=True), _pod("y", "b"), _pod("z", "c")]
    assert _planned(_set(), _THREE, pods) == _NOTHING


def test_a_running_pod_stays_where_it_would_not_be_scheduled() -> None:
    nodes = [_node("a", "dedicated=db:NoSchedule")]
    assert _planned(_set(), nodes, [_pod("x", "a")]) == _NOTHING
    assert _planned(_set(), [_node("a", "dedicated=db:NoExecute")], [_pod("x", "a")]) == ([], ["x"])


def test_a_node_that_is_not_selected_any_more_loses_its_pod() -> None:
    daemon_set = _set(template={"nodeSelector": {"ds": "yes"}})
    assert _planned(daemon_set, [_node("a", ds="no")], [_pod("x", "a")]) == ([], ["x"])
    assert _planned(daemon_set, [_node("a", ds="no")], [_pod("x", "a", terminating=True)]) == _NOTHING


def test_ended_pods_are_deleted_to_be_made_anew() -> None:
    pods = [_pod("x", "a", phase="Failed"), _pod("y", "b", phase="Succeeded"), _pod("z", "c")]
    assert _planned(_set(), _THREE, pods) == ([], ["x", "y"])


def test_a_pod_that_fails_again_and_again_is_replaced_ever_more_slowly() -> None:
    backoff, place = FailureBackoff(), ("u", "a")
    assert [backoff.wait(place, now) for now in (0, 0.5, 1, 2, 3, 6)] == [0, 0.5, 0, 1, 0, 1]
    assert backoff.wait(("u", "b"), 3) == 0


def test_the_oldest_of_several_pods_stays() -> None:
    pods = [_pod("x", "a", age=10), _pod("y", "a", age=50), _pod("z", "a", age=30)]
    assert _planned(_set(), [_node("a")], pods) == ([], ["z", "x"])


def test_a_terminating_pod_does_not_make_the_living_one_too_many() -> None:
    pods = [_pod("old", "a", age=99, terminating=True), _pod("new", "a", age=1)]
    assert _planned(_set(), [_node("a")], pods) == _NOTHING


def _pinned(name: str, node: str, *, terminating: bool = False) -> Obj:
    """Return a Pod that did not come to its node yet."""
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {
        **_pod(name, "", phase="Pending", ready=False, terminating=terminating),
        "spec": {"affinity": {"nodeAffinity": required}},
    }


def test_pods_that_wait_for_a_node_that_is_gone_go() -> None:
    pods = [_pinned("x", "gone"), _pinned("y", "gone", terminating=True), _pod("z", "a")]
    assert _planned(_set(), [_node("a")], pods) == ([], ["x"])
    assert _planned(_set(), [_node("a")], [_pod("x", "gone"), _pod("z", "a")]) == _NOTHING  # left to others


@pytest.mark.parametrize(
    ("rolling", "wanted", "expected"),
    [
        (None, 10, (0, 1)),
        ({"maxUnavailable": 3}, 10, (0, 3)),
        ({"maxUnavailable": "25%"}, 10, (0, 3)),  # both round up
        ({"maxUnavailable": "1%"}, 10, (0, 1)),
        ({"maxUnavailable": 0, "maxSurge": "25%"}, 10, (3, 0)),
        ({"maxUnavailable": 0, "maxSurge": 0}, 10, (0, 1)),
        ({"maxUnavailable": "0%"}, 10, (0, 1)),
    ],
)
def test_the_bounds_of_an_update_round_up(
    rolling: Obj | None, wanted: int, expected: tuple[int, int]
) -> None:
    assert bounds_of(_set(rolling), wanted) == expected


_OLD = [  # of several nodes the last ones come first
    _pod("x", "c"),
    _pod("y", "b"),
    _pod("z", "a"),
]


@pytest.mark.parametrize(("limit", "expected"), [(1, ["x"]), (2, ["x", "y"]), ("50%", ["x", "y"])])
def test_an_update_takes_as_many_pods_away_as_it_may(limit: int | str, expected: list[str]) -> None:
    assert _planned(_set({"maxUnavailable": limit}), _THREE, _OLD, "v2") == ([], expected)


def test_a_percentage_is_of_the_nodes_that_want_a_pod() -> None:
    others = [_node(f"other-{number}", "dedicated=db:NoSchedule") for number in range(7)]
    assert _planned(_set({"maxUnavailable": "30%"}), [*_THREE, *others], _OLD, "v2") == ([], ["x"])


def test_an_update_waits_for_the_pod_that_replaces() -> None:
    waiting = [_pod("x2", "c", "v2", ready=False), *_OLD[1:]]
    assert _planned(_set(), _THREE, waiting, "v2") == _NOTHING
    ready = [_pod("x2", "c", "v2"), *_OLD[1:]]
    assert _planned(_set(), _THREE, ready, "v2") == ([], ["y"])


def test_an_update_waits_for_a_pod_that_terminates() -> None:
    pods = [_pod("x", "c", terminating=True), *_OLD[1:]]
    assert _planned(_set(), _THREE, pods, "v2") == _NOTHING


def test_an_update_waits_for_min_ready_seconds() -> None:
    pods = [_pod("x2", "c", "v2", ready_for=10), *_OLD[1:]]
    assert _planned(_set(minReadySeconds=30), _THREE, pods, "v2") == _NOTHING
    assert _planned(_set(minReadySeconds=10), _THREE, pods, "v2") == ([], ["y"])


def test_old_pods_that_are_not_available_are_replaced_at_once() -> None:
    pods = [_pod("x", "c", ready=False), _pod("y", "b", ready=False), _pod("z", "a")]
    assert _planned(_set(), _THREE, pods, "v2") == ([], ["x", "y"])
    assert _planned(_set({"maxUnavailable": 3}), _THREE, pods, "v2") == ([], ["x", "y", "z"])


def test_on_delete_replaces_nothing_by_itself() -> None:
    assert _planned(_set(kind="OnDelete"), _THREE, _OLD, "v2") == _NOTHING


_SURGE = {"maxSurge": 1, "maxUnavailable": 0}


def test_with_surge_the_new_pod_comes_before_the_old_one_goes() -> None:
    assert _planned(_set(_SURGE), _THREE, _OLD, "v2") == (["c"], [])
    starting = [*_OLD, _pod("x2", "c", "v2", ready=False, age=1)]
    assert _planned(_set(_SURGE), _THREE, starting, "v2") == _NOTHING
    ready = [*_OLD, _pod("x2", "c", "v2", age=1)]
    assert _planned(_set(_SURGE), _THREE, ready, "v2") == ([], ["x"])
    assert _planned(_set(_SURGE), _THREE, ready[1:], "v2") == (["b"], [])


def test_surge_waits_for_min_ready_seconds() -> None:
    pods = [*_OLD, _pod("x2", "c", "v2", age=1, ready_for=10)]
    assert _planned(_set(_SURGE, minReadySeconds=30), _THREE, pods, "v2") == _NOTHING


def test_surge_replaces_an_old_pod_that_is_not_ready_without_waiting() -> None:
    pods = [_pod("x", "c", ready=False), *_OLD[1:], _pod("y2", "b", "v2", ready=False, age=1)]
    assert _planned(_set(_SURGE), _THREE, pods, "v2") == (["c"], [])
    pods.append(_pod("x2", "c", "v2", ready=False, age=1))
    assert _planned(_set(_SURGE), _THREE, pods, "v2") == ([], ["x"])


def test_surge_keeps_one_pod_of_each_template() -> None:
    pods = [_pod("x", "a"), _pod("x1", "a", age=50), _pod("x2", "a", "v2", ready=False, age=2)]
    assert _planned(_set(_SURGE), [_node("a")], pods, "v2") == ([], ["x1"])


# On the real registry ------------------------------------------------------------------------------


def _with_nodes(stage: Stage, *names: str, **labels: str) -> None:
    for name in names:
        stage.client.create("nodes", {"metadata": {"name": name, "labels": labels}, "spec": {}})
    stage.step()


def _run(stage: Stage) -> None:
    """Bind and start every Pod on the node it was made for."""
    for pod in stage.pods():
        if not pod["spec"].get("nodeName"):
            stage.client.bind("shop", pod["metadata"]["name"], node_of(pod))
        stage.tell(pod["metadata"]["name"], "Running", ready=True)
    stage.step()


def _nodes(stage: Stage) -> list[str]:
    return sorted(node_of(pod) for pod in stage.pods())


def test_nodes_get_a_pod_as_they_come_and_pods_tolerate_their_troubles(stage: Stage) -> None:
    _with_nodes(stage, "a", "b")
    stage.workload(SETS, "agent")
    assert _nodes(stage) == ["a", "b"]
    _with_nodes(stage, "c")
    assert _nodes(stage) == ["a", "b", "c"]
    tolerated = {t["key"] for t in stage.pods()[0]["spec"]["tolerations"]}
    assert {"node.kubernetes.io/unreachable", "node.kubernetes.io/unschedulable"} <= tolerated


def test_labels_of_nodes_come_and_go(stage: Stage) -> None:
    _with_nodes(stage, "a", ds="yes")
    _with_nodes(stage, "b")
    pod = {"nodeSelector": {"ds": "yes"}, "containers": [{"name": "c", "image": "web:1"}]}
    template = {"metadata": {"labels": {"app": "agent"}}, "spec": pod}
    stage.create(SETS, "agent", {"selector": {"matchLabels": {"app": "agent"}}, "template": template})
    assert _nodes(stage) == ["a"]
    stage.client.patch("nodes", "", "b", {"metadata": {"labels": {"ds": "yes"}}}, patch_type="merge")
    stage.client.patch("nodes", "", "a", {"metadata": {"labels": {"ds": None}}}, patch_type="merge")
    stage.step()
    assert _nodes(stage) == ["b"]


def test_the_status_counts_nodes(stage: Stage) -> None:
    _with_nodes(stage, "a", "b")
    stage.workload(SETS, "agent")
    _run(stage)
    taint = {"key": "dedicated", "value": "db", "effect": "NoSchedule"}
    stage.client.patch("nodes", "", "b", {"spec": {"taints": [taint]}}, patch_type="merge")
    stage.step()
    assert stage.get(SETS, "agent")["status"]["numberMisscheduled"] == 0  # nothing has to be done yet
    stage.patch(SETS, "agent", {"spec": {"minReadySeconds": 0, "revisionHistoryLimit": 3}})
    status = stage.get(SETS, "agent")["status"]
    status.pop("observedGeneration")
    assert status == {
        "currentNumberScheduled": 1,
        "numberMisscheduled": 1,
        "desiredNumberScheduled": 1,
        "numberReady": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
    }


def test_an_update_goes_node_by_node(stage: Stage) -> None:
    _with_nodes(stage, "a", "b", "c")
    stage.workload(SETS, "agent")
    _run(stage)
    stage.roll(SETS, "web:2", "agent")
    seen = []
    for _ in range(3):
        assert len(stage.pods(is_terminating)) == 1
        stage.finish_terminating()
        seen.append(stage.images())
        _run(stage)
    assert seen == [["web:1", "web:1", "web:2"], ["web:1", "web:2", "web:2"], ["web:2"] * 3]
    assert stage.pods(is_terminating) == []
    assert stage.get(SETS, "agent")["status"]["updatedNumberScheduled"] == 3


def test_with_surge_every_node_is_served_all_the_time(stage: Stage) -> None:
    _with_nodes(stage, "a", "b")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    stage.workload(SETS, "agent", updateStrategy=strategy)
    _run(stage)
    stage.step(1)  # of two Pods on a node the older one is counted
    stage.roll(SETS, "web:2", "agent")
    for _ in range(6):
        assert stage.get(SETS, "agent")["status"]["numberAvailable"] == 2
        assert len(stage.pods()) <= 3
        _run(stage)
        stage.finish_terminating()
    assert stage.images() == ["web:2", "web:2"]


def test_min_ready_seconds_pace_an_update(stage: Stage) -> None:
    _with_nodes(stage, "a", "b")
    stage.workload(SETS, "agent", minReadySeconds=30)
    _run(stage)
    stage.step(31)
    stage.roll(SETS, "web:2", "agent")
    stage.finish_terminating()
    _run(stage)
    stage.step(25)
    assert stage.pods(is_terminating) == []
    stage.step(6)
    assert len(stage.pods(is_terminating)) == 1


def test_pods_and_revisions_left_by_an_earlier_set_are_adopted(stage: Stage) -> None:
    _with_nodes(stage, "a", "b")
    stage.workload(SETS, "agent")
    _run(stage)
    names = stage.names()
    stage.orphan(SETS, "agent", "pods", "controllerrevisions.apps")
    owner = stage.workload(SETS, "agent")
    assert stage.names() == names
    assert {(controller_of(pod) or {})["uid"] for pod in stage.pods()} == {owner["metadata"]["uid"]}
    assert len(stage.client.list("controllerrevisions.apps", "shop")) == 1


def test_a_rollback_takes_the_old_revision_again(stage: Stage) -> None:
    _with_nodes(stage, "a")
    stage.workload(SETS, "agent")
    _run(stage)
    first = stage.pods()[0]["metadata"]["labels"]["controller-revision-hash"]
    for image in ("web:2", "web:1"):
        stage.roll(SETS, image, "agent")
        stage.finish_terminating()
        _run(stage)
    assert stage.pods()[0]["metadata"]["labels"]["controller-revision-hash"] == first
    found = stage.client.list("controllerrevisions.apps", "shop")
    assert sorted(each["revision"] for each in found) == [2, 3]
