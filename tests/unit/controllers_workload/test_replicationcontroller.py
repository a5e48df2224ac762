"""ReplicationControllers keep Pods as ReplicaSets do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from leeward.kube.objects import Obj, controller_of

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

CONTROLLERS = "replicationcontrollers"


def _start(stage: Stage, replicas: int) -> Obj:
    pod = {"containers": [{"name": "c", "image": "web:1"}]}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"app": "web"}, "template": template}
    return stage.create(CONTROLLERS, "web", spec)


def test_pods_come_and_go_with_the_wanted_number(stage: Stage) -> None:
    _start(stage, 3)
    stage.settle()
    status = stage.get(CONTROLLERS)["status"]
    assert (status["replicas"], status["availableReplicas"]) == (3, 3)
    assert "terminatingReplicas" not in status
    stage.patch(CONTROLLERS, "web", {"spec": {"replicas": 1}})
    stage.settle()
    assert len(stage.names()) == 1
    assert len(stage.events("SuccessfulDelete")) == 2


def test_labels_decide_whose_a_pod_is(stage: Stage) -> None:
    bare = {"containers": [{"name": "c", "image": "web:0"}]}
    stage.create("pods", "bare", bare, labels={"app": "web"})
    made = _start(stage, 2)
    assert len(stage.names()) == 2
    assert (controller_of(stage.get("pods", "bare")) or {})["uid"] == made["metadata"]["uid"]
    stage.patch("pods", "bare", {"metadata": {"labels": {"app": "debug"}}})
    assert controller_of(stage.get("pods", "bare")) is None
    assert len(stage.names()) == 3
