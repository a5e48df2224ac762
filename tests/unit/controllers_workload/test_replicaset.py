"""How many Pods a ReplicaSet makes, which ones it gives up, whose Pods are its own."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.framework.census import Count
from leeward.cluster.controllers.framework.replicaplan import DELETION_COST, Plan, make_status
from leeward.cluster.controllers.framework.replicaplan import plan as plan_at
from leeward.kube.objects import Obj, controller_of, format_time
from leeward.kube.pods import is_finished

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

SETS = "replicasets.apps"
_NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _set(replicas: int, **spec: Any) -> Obj:
    template = {"metadata": {"labels": {"app": "web"}}}
    return {
        "metadata": {"name": "web", "generation": 3},
        "spec": {"replicas": replicas, "template": template, **spec},
    }


def _pod(
    name: str,
    node: str = "n1",
    phase: str = "Running",
    *,
    ready: bool = True,
    age: int = 100,
    ready_for: int = 50,
    restarts: int = 0,
    cost: str | None = None,
    terminating: bool = False,
    labels: Obj | None = None,
) -> Obj:
    meta: Obj = {"name": name, "uid": name, "creationTimestamp": format_time(_NOW - timedelta(seconds=age))}
    meta["labels"] = {"app": "web"} if labels is None else labels
    if cost is not None:
        meta["annotations"] = {DELETION_COST: cost}
    if terminating:
        meta["deletionTimestamp"] = format_time(_NOW)
    since = format_time(_NOW - timedelta(seconds=ready_for))
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    containers = [{"name": "c", "restartCount": restarts}]
    status = {"phase": phase, "conditions": [condition], "containerStatuses": containers}
    return {"metadata": meta, "spec": {"nodeName": node} if node else {}, "status": status}


def plan(replica_set: Obj, pods: list[Obj], related: list[Obj] | None = None) -> Plan:
    related = pods if related is None else related
    return plan_at(replica_set, counted(pods), related, _NOW)


def counted(pods: list[Obj]) -> Count:
    count = Count({}, {"app": "web"})
    for pod in pods:
        count.put(pod)
    return count


def _deleted(replicas: int, pods: list[Obj], related: list[Obj] | None = None) -> list[str]:
    return [pod["metadata"]["name"] for pod in plan(_set(replicas), pods, related).delete]


def test_missing_pods_are_created_and_ended_ones_do_not_count() -> None:
    pods = [_pod("a"), _pod("b", phase="Failed"), _pod("c", phase="Succeeded"), _pod("d", terminating=True)]
    planned = plan(_set(3), pods)
    assert (planned.create, planned.delete) == (2, ())


def test_enough_pods_need_nothing() -> None:
    planned = plan(_set(2), [_pod("a"), _pod("b")])
    assert planned.create == 0
    assert list(planned.delete) == []


def test_no_more_than_500_pods_are_made_or_given_up_at_once() -> None:
    assert plan(_set(2000), []).create == 500
    assert len(plan(_set(0), [_pod(str(number)) for number in range(700)]).delete) == 500


_DISPENSABLE_FIRST = [  # each pair differs in one thing, and everything after it says the opposite
    (_pod("x", node="", cost="9"), _pod("y", phase="Pending", ready=False, cost="0")),
    (_pod("x", phase="Pending", cost="9"), _pod("y", phase="Unknown", ready=False, cost="0")),
    (_pod("x", phase="Unknown", cost="9"), _pod("y", ready=False, cost="0")),
    (_pod("x", ready=False, cost="9"), _pod("y", cost="-9")),
    (_pod("x", cost="-5", ready_for=90), _pod("y", cost="3", ready_for=1)),
    (_pod("x", cost="-1", ready_for=90), _pod("y", ready_for=1)),
    (_pod("x", ready_for=1), _pod("y", ready_for=90, restarts=9, age=1)),
    (_pod("x", restarts=2, age=900), _pod("y", restarts=1, age=1)),
    (_pod("x", age=60), _pod("y", age=9000)),
    (_pod("x", ready=False, ready_for=90, restarts=3), _pod("y", ready=False, ready_for=1)),
]


@pytest.mark.parametrize(
    ("first", "second"),
    _DISPENSABLE_FIRST,
    ids=[
        "unassigned",
        "pending",
        "unknown",
        "unready",
        "cheaper",
        "negative-cost",
        "younger-ready",
        "restarts",
        "younger",
        "unready-restarts",
    ],
)
def test_the_more_dispensable_pod_goes_first(first: Obj, second: Obj) -> None:
    assert _deleted(1, [first, second]) == ["x"]
    assert _deleted(1, [second, first]) == ["x"]


def test_a_cost_that_is_no_number_counts_as_zero() -> None:
    assert _deleted(1, [_pod("a", cost="cheap", ready_for=90), _pod("b", cost="1", ready_for=1)]) == ["a"]


def test_a_pod_that_shares_its_node_goes_before_one_that_is_alone() -> None:
    pods = [_pod("alone", "n1", ready_for=1), _pod("p", "n2", ready_for=90), _pod("q", "n2", ready_for=20)]
    assert _deleted(2, pods) == ["q"]


def test_pods_of_the_same_deployment_crowd_a_node_too() -> None:
    pods = [_pod("a", "n1", ready_for=1), _pod("b", "n2", ready_for=90)]
    sibling = _pod("other-set", "n2", ready=False)
    assert _deleted(1, pods, pods) == ["a"]
    assert _deleted(1, pods, [*pods, sibling]) == ["b"]


def test_pods_that_are_ending_crowd_no_node() -> None:
    pods = [_pod("a", "n1", ready_for=1), _pod("b", "n2", ready_for=90)]
    related = [*pods, _pod("gone", "n2", terminating=True), _pod("done", "n2", phase="Failed")]
    assert _deleted(1, pods, related) == ["a"]


def test_among_pods_about_as_old_the_ids_decide() -> None:
    assert _deleted(1, [_pod("b", ready_for=90), _pod("a", ready_for=80)]) == ["a"]
    assert _deleted(1, [_pod("a", ready_for=90), _pod("b", ready_for=80)]) == ["a"]
    assert _deleted(1, [_pod("a", ready_for=90), _pod("b", ready_for=20)]) == ["b"]


def test_the_order_does_not_depend_on_the_order_of_the_pods() -> None:
    pods = [
        _pod(f"p{number}", f"n{number % 3}", ready_for=number * 7, restarts=number % 2)
        for number in range(12)
    ]
    expected = _deleted(4, pods)
    random.Random(5).shuffle(pods)
    assert _deleted(4, pods) == expected


def test_the_status_counts_active_pods() -> None:
    pods = [
        _pod("a"),
        _pod("b", ready=False, labels={"app": "web", "more": "x"}),
        _pod("c", labels={"other": "x"}),
        _pod("d", phase="Failed"),
        _pod("e", terminating=True),
        _pod("f", phase="Failed", terminating=True),
    ]
    assert make_status(_set(3), counted(pods), _NOW) == (
        {
            "replicas": 3,
            "fullyLabeledReplicas": 2,
            "readyReplicas": 2,
            "availableReplicas": 2,
            "terminatingReplicas": 1,
            "observedGeneration": 3,
        },
        None,
    )


def test_a_pod_is_available_when_it_was_ready_long_enough() -> None:
    pods = [_pod("a", ready_for=10), _pod("b", ready_for=4), _pod("c", ready=False), _pod("d", ready_for=9)]
    replica_set = _set(4, minReadySeconds=10)
    status, again = make_status(replica_set, counted(pods), _NOW)
    assert (status["readyReplicas"], status["availableReplicas"]) == (3, 1)
    assert again == 1


def test_a_set_makes_pods_with_its_name_and_reports_them(stage: Stage) -> None:
    stage.workload(SETS, replicas=2)
    assert all(name.startswith("web-") for name in stage.names())
    assert stage.get(SETS)["status"]["replicas"] == 2
    stage.settle()
    assert stage.get(SETS)["status"]["availableReplicas"] == 2
    assert len(stage.events("SuccessfulCreate")) == 2


def test_a_deleted_pod_is_replaced_while_it_still_terminates(stage: Stage) -> None:
    stage.workload(SETS, replicas=1)
    stage.settle()
    (old,) = stage.names()
    stage.delete("pods", old)
    (new,) = stage.names()
    assert new != old
    assert stage.get(SETS)["status"]["terminatingReplicas"] == 1
    stage.finish_terminating()
    assert stage.get(SETS)["status"]["terminatingReplicas"] == 0


def test_a_failed_pod_is_replaced_and_left_for_inspection(stage: Stage) -> None:
    stage.workload(SETS, replicas=1)
    stage.settle()
    (old,) = stage.names()
    stage.tell(old, "Failed")
    stage.step()
    assert stage.names(is_finished) == [old]
    assert len(stage.names()) == 1


def test_matching_orphans_are_adopted_and_the_surplus_goes(stage: Stage) -> None:
    spec = {"containers": [{"name": "c", "image": "web:0"}]}
    for name in ("bare-1", "bare-2", "bare-3"):
        stage.create("pods", name, spec, labels={"app": "web"})
    stage.settle()
    owner = stage.workload(SETS, replicas=2)
    assert stage.images() == ["web:0", "web:0"]
    uids = {(controller_of(pod) or {})["uid"] for pod in stage.pods()}
    assert uids == {owner["metadata"]["uid"]}


def test_an_orphan_that_turns_up_later_is_adopted_at_once(stage: Stage) -> None:
    stage.workload(SETS, replicas=1)
    stage.settle()
    stage.create("pods", "bare", {"containers": [{"name": "c", "image": "web:0"}]}, labels={"app": "web"})
    assert stage.images() == ["web:1"]


def test_ended_orphans_and_those_of_others_are_left_alone(stage: Stage) -> None:
    spec = {"containers": [{"name": "c", "image": "web:0"}]}
    stage.create("pods", "done", spec, labels={"app": "web"})
    stage.tell("done", "Succeeded")
    stage.create("pods", "other", spec, labels={"app": "db"})
    stage.workload(SETS, replicas=1)
    assert controller_of(stage.get("pods", "done")) is None
    assert controller_of(stage.get("pods", "other")) is None


def test_a_relabelled_pod_is_released_and_replaced(stage: Stage) -> None:
    stage.workload(SETS, replicas=1)
    stage.settle()
    (old,) = stage.names()
    stage.patch("pods", old, {"metadata": {"labels": {"app": "debug"}}})
    assert controller_of(stage.get("pods", old)) is None
    assert len(stage.names()) == 2
    assert stage.get(SETS)["status"]["replicas"] == 1


def test_pods_that_cannot_be_made_are_tried_again_with_back_off(stage: Stage) -> None:
    pod = {"containers": [{"name": "c", "image": "web:1"}], "priorityClassName": "urgent"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    stage.create(
        SETS, "web", {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    )
    stage.step(20)
    assert stage.condition(SETS, "web", "ReplicaFailure") == ("True", "FailedCreate")
    warnings = [each for each in stage.client.list("events", "shop") if each["reason"] == "FailedCreate"]
    assert 3 <= sum(each.get("count", 1) for each in warnings) <= 20
    assert all(each["message"].startswith("Error creating: ") for each in warnings)
    stage.client.create("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "urgent"}, "value": 10})
    stage.step(60)
    assert stage.condition(SETS, "web", "ReplicaFailure") is None
    assert len(stage.names()) == 1


def test_a_set_that_is_being_deleted_replaces_nothing(stage: Stage) -> None:
    stage.workload(SETS, replicas=1)
    stage.client.delete(SETS, "shop", "web", propagation="Foreground")
    stage.step()
    stage.delete("pods", stage.names()[0])
    assert stage.names() == []
