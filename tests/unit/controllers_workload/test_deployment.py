"""Deployments and their ReplicaSets on the real registry; the test starts and ends the Pods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leeward.kube.objects import Obj, annotations_of, controller_of, is_terminating
from leeward.kube.pods import is_active, is_ready

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

DEPLOYMENTS, SETS = "deployments.apps", "replicasets.apps"
_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAXIMUM = "deployment.kubernetes.io/max-replicas"


def _strategy(surge: int | str, unavailable: int | str) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def _revisions(stage: Stage) -> dict[str, str]:
    found = stage.client.list(SETS, "shop")
    return {
        s["spec"]["template"]["spec"]["containers"][0]["image"]: annotations_of(s)[_REVISION] for s in found
    }


def _set_of(stage: Stage, image: str) -> Obj:
    found = stage.client.list(SETS, "shop")
    return next(s for s in found if s["spec"]["template"]["spec"]["containers"][0]["image"] == image)


def test_a_deployment_makes_one_set_whose_pods_carry_its_hash(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=3)
    (made,) = stage.client.list(SETS, "shop")
    digest = made["metadata"]["labels"]["pod-template-hash"]
    assert made["metadata"]["name"] == f"web-{digest}"
    assert made["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": digest}
    assert made["spec"]["replicas"] == 3
    assert annotations_of(made) == {_REVISION: "1", _DESIRED: "3", _MAXIMUM: "4"}
    assert annotations_of(stage.get(DEPLOYMENTS))[_REVISION] == "1"
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in stage.pods()} == {digest}
    assert len(stage.pods()) == 3


def test_progress_is_told_from_the_new_set_to_its_last_pod(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "ReplicaSetUpdated")
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("False", "MinimumReplicasUnavailable")
    stage.settle()
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("True", "MinimumReplicasAvailable")


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable"),
    [(3, 1, 0), (3, 0, 1), (3, "100%", 0), (3, 0, "100%"), (5, 2, 1), (10, "25%", "25%"), (1, "25%", "25%")],
)
def test_a_rollout_keeps_enough_pods_and_replaces_all(
    stage: Stage, replicas: int, surge: int | str, unavailable: int | str
) -> None:
    stage.workload(DEPLOYMENTS, replicas=replicas, strategy=_strategy(surge, unavailable))
    stage.settle()
    above = surge if isinstance(surge, int) else -(-int(surge[:-1]) * replicas // 100)
    below = unavailable if isinstance(unavailable, int) else int(unavailable[:-1]) * replicas // 100
    stage.roll(DEPLOYMENTS, "web:2")
    for _ in range(50):
        assert len(stage.pods()) <= replicas + above
        assert len([pod for pod in stage.pods() if is_ready(pod)]) >= replicas - below
        waiting = [pod for pod in stage.pods() if not is_ready(pod)]
        if waiting:
            stage.run(waiting[0])
            stage.step()
        stage.finish_terminating()
    assert stage.images() == ["web:2"] * replicas
    assert stage.sizes() == {"web:1": 0, "web:2": replicas}
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_rollout_that_never_gets_ready_keeps_the_old_pods_and_exceeds_its_deadline(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=4, progressDeadlineSeconds=10)
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    stage.run_all(ready=False)
    assert stage.sizes() == {"web:1": 3, "web:2": 2}
    stage.step(9)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "ReplicaSetUpdated")
    stage.step(3)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("False", "ProgressDeadlineExceeded")
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("True", "MinimumReplicasAvailable")
    assert len([pod for pod in stage.pods() if is_ready(pod)]) == 3


def test_the_deadline_is_not_about_pods_that_fail_after_the_rollout(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2, progressDeadlineSeconds=10)
    stage.settle()
    stage.tell(stage.names()[0], "Running", ready=False)
    stage.step(100)
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("False", "MinimumReplicasUnavailable")
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_min_ready_seconds_slow_a_rollout_down(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, minReadySeconds=30, strategy=_strategy(1, 0))
    stage.run_all()
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("False", "MinimumReplicasUnavailable")
    stage.step(31)
    assert stage.condition(DEPLOYMENTS, "web", "Available") == ("True", "MinimumReplicasAvailable")
    stage.roll(DEPLOYMENTS, "web:2")
    stage.run_all()
    stage.step(25)
    assert stage.images() == ["web:1", "web:2"]
    stage.step(6)
    assert stage.images() == ["web:2"]


def test_a_change_of_min_ready_seconds_reaches_the_set_without_a_rollout(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    stage.patch(DEPLOYMENTS, "web", {"spec": {"minReadySeconds": 7}})
    (only,) = stage.client.list(SETS, "shop")
    assert only["spec"]["minReadySeconds"] == 7


def test_recreate_waits_until_the_last_old_pod_is_gone(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2, strategy={"type": "Recreate"})
    stage.settle()
    assert annotations_of(_set_of(stage, "web:1"))[_MAXIMUM] == "2"
    stage.roll(DEPLOYMENTS, "web:2")
    assert stage.pods() == []
    first, second = stage.names(is_terminating)
    stage.client.delete("pods", "shop", first, grace_period_seconds=0)
    stage.step()
    assert stage.sizes() == {"web:1": 0}
    stage.client.delete("pods", "shop", second, grace_period_seconds=0)
    stage.step()
    assert stage.sizes() == {"web:1": 0, "web:2": 2}
    assert stage.images() == ["web:2", "web:2"]


def test_recreate_does_not_wait_for_pods_that_have_failed(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, strategy={"type": "Recreate"})
    stage.settle()
    stage.tell(stage.names()[0], "Failed")
    stage.step()
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    stage.finish_terminating()
    assert stage.images() == ["web:2"]


def test_a_paused_deployment_scales_but_does_not_roll(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2)
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2", paused=True)
    assert stage.sizes() == {"web:1": 2}
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("Unknown", "DeploymentPaused")
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    assert stage.sizes() == {"web:1": 3}
    stage.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    stage.settle()
    assert stage.images() == ["web:2"] * 3
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_a_paused_deployment_without_pods_grows_to_exactly_what_is_wanted(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=0)
    stage.roll(DEPLOYMENTS, "web:2", paused=True)
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 4}})
    assert stage.sizes() == {"web:1": 4}


def test_a_deployment_that_is_made_paused_makes_no_set(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2, paused=True)
    assert stage.sizes() == {}
    stage.patch(DEPLOYMENTS, "web", {"spec": {"paused": False}})
    assert stage.sizes() == {"web:1": 2}


def test_a_stuck_rollout_is_scaled_in_proportion(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=4, strategy=_strategy(2, 0))
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    assert stage.sizes() == {"web:1": 4, "web:2": 2}
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 8}})
    assert stage.sizes() == {"web:1": 7, "web:2": 3}  # as recorded from the real controller
    for pod in stage.pods(lambda each: is_active(each) and "web:1" in str(each["spec"])):
        stage.run(pod)
    stage.step()
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    assert stage.sizes() == {"web:1": 3, "web:2": 2}


@pytest.mark.parametrize("wanted", [1, 7, 9, 10, 12, 13, 20])
def test_a_rollout_goes_on_after_a_change_of_size(stage: Stage, wanted: int) -> None:
    stage.workload(DEPLOYMENTS, replicas=11, strategy=_strategy(3, 2))
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    for pod in [pod for pod in stage.pods() if not is_ready(pod)]:
        stage.run(pod)
    stage.step()
    assert len(set(stage.images())) == 2
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": wanted}})
    stage.settle()
    assert stage.sizes() == {"web:1": 0, "web:2": wanted}
    assert annotations_of(_set_of(stage, "web:2"))[_DESIRED] == str(wanted)


def test_size_and_template_may_change_together(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2)
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2", replicas=5)
    stage.settle()
    assert stage.images() == ["web:2"] * 5


def test_scaling_to_zero_and_back_needs_no_new_set(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=3)
    stage.settle()
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
    assert stage.pods() == []
    stage.patch(DEPLOYMENTS, "web", {"spec": {"replicas": 2}})
    assert stage.sizes() == {"web:1": 2}
    assert [text.split(" from ")[1] for text in stage.events("ScalingReplicaSet")] == [
        "0 to 3",
        "3 to 0",
        "0 to 2",
    ]


def test_a_rollback_takes_the_old_set_with_a_new_revision(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2)
    for image in ("web:2", "web:3"):
        stage.settle()
        stage.roll(DEPLOYMENTS, image)
    stage.settle()
    assert _revisions(stage) == {"web:1": "1", "web:2": "2", "web:3": "3"}
    stage.roll(DEPLOYMENTS, "web:1")
    stage.settle()
    assert stage.sizes() == {"web:1": 2, "web:2": 0, "web:3": 0}
    assert _revisions(stage) == {"web:1": "4", "web:2": "2", "web:3": "3"}
    assert annotations_of(stage.get(DEPLOYMENTS))[_REVISION] == "4"
    assert annotations_of(_set_of(stage, "web:1"))[_HISTORY] == "1"
    stage.roll(DEPLOYMENTS, "web:3")
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:1")
    assert annotations_of(_set_of(stage, "web:1"))[_HISTORY] == "1,4"


def test_history_beyond_the_limit_goes_oldest_first(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, revisionHistoryLimit=2)
    for number in range(2, 6):
        stage.settle()
        stage.roll(DEPLOYMENTS, f"web:{number}")
    stage.settle()
    assert stage.sizes() == {"web:3": 0, "web:4": 0, "web:5": 1}


def test_history_goes_by_revision_not_by_age(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, revisionHistoryLimit=1)
    stage.settle()
    stage.step(5)
    stage.roll(DEPLOYMENTS, "web:2")
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:1")
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:3")
    stage.settle()
    assert stage.sizes() == {"web:1": 0, "web:3": 1}


def test_the_way_back_is_kept_until_the_rollout_is_over(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, revisionHistoryLimit=0, strategy=_strategy(0, 1))
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    stage.finish_terminating()
    stage.run_all(ready=False)
    assert stage.sizes() == {"web:1": 0, "web:2": 1}
    stage.settle()
    assert stage.sizes() == {"web:2": 1}


def test_annotations_of_the_deployment_reach_its_set(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    cause = {"kubernetes.io/change-cause": "faster", "kubectl.kubernetes.io/last-applied-configuration": "{}"}
    stage.patch(DEPLOYMENTS, "web", {"metadata": {"annotations": cause}})
    annotations = annotations_of(_set_of(stage, "web:1"))
    assert annotations["kubernetes.io/change-cause"] == "faster"
    assert "kubectl.kubernetes.io/last-applied-configuration" not in annotations


def test_a_set_without_owner_that_matches_is_adopted_and_used(stage: Stage) -> None:
    stage.workload(SETS, "web", replicas=1)
    pods = stage.names()
    new = stage.workload(DEPLOYMENTS, replicas=1)
    (found,) = stage.client.list(SETS, "shop")
    assert (controller_of(found) or {})["uid"] == new["metadata"]["uid"]
    assert annotations_of(found)[_REVISION] == "1"
    assert stage.names() == pods


def test_a_set_whose_labels_match_no_longer_is_released_and_replaced(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    (made,) = stage.client.list(SETS, "shop")
    name = made["metadata"]["name"]
    stage.client.patch(SETS, "shop", name, {"metadata": {"labels": {"app": "other"}}}, patch_type="merge")
    stage.step()
    assert controller_of(stage.get(SETS, name)) is None


def test_an_orphan_that_comes_later_is_adopted_at_once(stage: Stage) -> None:
    new = stage.workload(DEPLOYMENTS, replicas=1)
    template = {
        "metadata": {"labels": {"app": "web", "old": "yes"}},
        "spec": {"containers": [{"name": "c", "image": "web:0"}]},
    }
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web", "old": "yes"}}, "template": template}
    stage.create(SETS, "older", spec, labels={"app": "web", "old": "yes"})
    owner = controller_of(stage.get(SETS, "older")) or {}
    assert owner["uid"] == new["metadata"]["uid"]
    stage.settle()
    assert stage.images() == ["web:1"]


def test_a_deployment_that_is_being_deleted_does_nothing(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    stage.settle()
    stage.client.delete(DEPLOYMENTS, "shop", "web", propagation="Foreground")
    stage.client.patch(DEPLOYMENTS, "shop", "web", {"spec": {"replicas": 5}}, patch_type="merge")
    stage.step()
    assert stage.sizes() == {"web:1": 1}


def test_pods_that_cannot_be_made_show_in_the_deployment_until_they_can(stage: Stage) -> None:
    pod = {"containers": [{"name": "c", "image": "web:1"}], "priorityClassName": "urgent"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod}
    spec = {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    stage.create(DEPLOYMENTS, "web", spec)
    assert stage.condition(DEPLOYMENTS, "web", "ReplicaFailure") == ("True", "FailedCreate")
    stage.client.create("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "urgent"}, "value": 10})
    stage.step(2)
    assert stage.condition(DEPLOYMENTS, "web", "ReplicaFailure") is None
    assert len(stage.pods()) == 1


def _quota(stage: Stage, **hard: str) -> None:
    status = {"hard": hard, "used": dict.fromkeys(hard, "0")}
    made = stage.create("resourcequotas", "q", {"hard": hard})
    stage.client.update_status("resourcequotas", {**made, "status": status})


def test_a_set_that_cannot_be_made_shows_in_the_deployment_until_it_can(stage: Stage) -> None:
    _quota(stage, **{"count/replicasets.apps": "0"})
    stage.workload(DEPLOYMENTS, replicas=1)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("False", "ReplicaSetCreateError")
    assert "exceeded quota" in stage.events("ReplicaSetCreateError")[0]
    stage.delete("resourcequotas", "q")
    stage.step(60)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "ReplicaSetUpdated")


def test_a_name_that_somebody_elses_set_has_leads_to_another_hash(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1)
    (made,) = stage.client.list(SETS, "shop")
    name = made["metadata"]["name"]
    stage.delete(DEPLOYMENTS, "web")
    spec = {**made["spec"], "replicas": 0, "selector": {"matchLabels": {"app": "other"}}}
    spec["template"] = {**spec["template"], "metadata": {"labels": {"app": "other"}}}
    stage.client.delete(SETS, "shop", name)
    stage.create(SETS, name, spec)
    stage.workload(DEPLOYMENTS, replicas=1)
    stage.step(1)
    assert stage.get(DEPLOYMENTS)["status"]["collisionCount"] == 1
    assert len(stage.client.list(SETS, "shop")) == 2


def test_a_rollout_that_was_late_may_still_end_well(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, progressDeadlineSeconds=30)
    stage.step(40)
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("False", "ProgressDeadlineExceeded")
    stage.settle()
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")


def test_without_history_the_old_set_goes_with_its_last_pod(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=1, revisionHistoryLimit=0)
    stage.settle()
    stage.roll(DEPLOYMENTS, "web:2")
    stage.settle()
    assert list(stage.sizes()) == ["web:2"]


def test_a_rollout_told_while_paused_begins_when_it_is_resumed(stage: Stage) -> None:
    stage.workload(DEPLOYMENTS, replicas=2)
    stage.settle()
    stage.patch(DEPLOYMENTS, "web", {"spec": {"paused": True}})
    stage.roll(DEPLOYMENTS, "web:2")
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("Unknown", "DeploymentPaused")
    assert list(stage.sizes()) == ["web:1"]
    stage.patch(DEPLOYMENTS, "web", {"spec": {"paused": None}})
    stage.settle()
    assert stage.images() == ["web:2", "web:2"]
    assert stage.condition(DEPLOYMENTS, "web", "Progressing") == ("True", "NewReplicaSetAvailable")
