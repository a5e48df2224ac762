"""What the status of a Deployment says about availability and progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.controllers.deployment.status import (
    is_complete,
    make_status,
    seconds_to_deadline,
    with_pause,
    with_progressing,
)
from leeward.kube.objects import Obj, find_condition

_NOW = datetime(2030, 1, 1, tzinfo=UTC)


def _deployment(replicas: int = 4, status: Obj | None = None, **spec: Any) -> Obj:
    full = {"replicas": replicas, "progressDeadlineSeconds": 600, **spec}
    return {"metadata": {"name": "web", "generation": 2}, "spec": full, "status": status or {}}


def _set(name: str, size: int, ready: int, available: int | None = None, **status: Any) -> Obj:
    counts = {"replicas": size, "readyReplicas": ready}
    counts["availableReplicas"] = ready if available is None else available
    return {"metadata": {"name": name}, "spec": {"replicas": size}, "status": {**counts, **status}}


def _progressing(reason: str, at: datetime = _NOW, status: str = "True") -> Obj:
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    times = {"lastUpdateTime": stamp, "lastTransitionTime": stamp}
    return {"type": "Progressing", "status": status, "reason": reason, "message": "", **times}


def _says(deployment: Obj, kind: str) -> tuple[str, str]:
    found = find_condition(deployment, kind)
    assert found is not None
    return found["status"], found["reason"]


def test_counts_are_summed_and_zeros_left_out() -> None:
    new, old = _set("new", 2, 1, 0, terminatingReplicas=1), _set("old", 3, 3)
    status = make_status(_deployment(), new, [old, new], _NOW)["status"]
    status.pop("conditions")
    assert status == {
        "observedGeneration": 2,
        "replicas": 5,
        "updatedReplicas": 2,
        "readyReplicas": 4,
        "availableReplicas": 3,
        "unavailableReplicas": 2,
        "terminatingReplicas": 1,
    }


def test_pods_that_nobody_asks_for_yet_are_not_unavailable() -> None:
    deployment = _deployment(strategy={"type": "Recreate"})
    status = make_status(deployment, None, [_set("old", 0, 0)], _NOW)["status"]
    assert "unavailableReplicas" not in status


@pytest.mark.parametrize(("available", "holds"), [(4, True), (3, True), (2, False)])
def test_a_rolling_deployment_is_available_within_its_slack(available: int, holds: bool) -> None:
    new = _set("new", 4, available)
    assert (_says(make_status(_deployment(), new, [new], _NOW), "Available")[0] == "True") is holds


@pytest.mark.parametrize(("available", "holds"), [(4, True), (3, False)])
def test_recreate_is_available_only_with_all_its_pods(available: int, holds: bool) -> None:
    deployment, new = _deployment(strategy={"type": "Recreate"}), _set("new", 4, available)
    assert (_says(make_status(deployment, new, [new], _NOW), "Available")[0] == "True") is holds


def test_a_deployment_without_pods_is_available() -> None:
    new = _set("new", 0, 0)
    assert _says(make_status(_deployment(0), new, [new], _NOW), "Available")[0] == "True"


def test_all_pods_new_and_available_complete_the_rollout() -> None:
    new = _set("new", 4, 4)
    before = {"conditions": [_progressing("ReplicaSetUpdated")]}
    told = make_status(_deployment(status=before), new, [_set("old", 0, 0), new], _NOW)
    assert _says(told, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert is_complete(told)


@pytest.mark.parametrize("lacking", [{"readyReplicas": 3, "availableReplicas": 3}, {"availableReplicas": 3}])
def test_a_rollout_is_not_complete_while_a_pod_is_not_available(lacking: Obj) -> None:
    new = _set("new", 4, 4, **lacking)
    before = {"replicas": 4, "updatedReplicas": 4, "conditions": [_progressing("NewReplicaSetCreated")]}
    assert not is_complete(make_status(_deployment(status=before), new, [new], _NOW))


def test_a_status_of_an_older_generation_is_not_complete() -> None:
    status = {"replicas": 4, "updatedReplicas": 4, "availableReplicas": 4, "observedGeneration": 1}
    assert not is_complete(_deployment(status=status))


@pytest.mark.parametrize(
    "before",
    [
        {"updatedReplicas": 1, "replicas": 5, "readyReplicas": 3, "availableReplicas": 3},
        {"updatedReplicas": 2, "replicas": 6, "readyReplicas": 3, "availableReplicas": 3},
        {"updatedReplicas": 2, "replicas": 5, "readyReplicas": 2, "availableReplicas": 3},
        {"updatedReplicas": 2, "replicas": 5, "readyReplicas": 3, "availableReplicas": 2},
    ],
    ids=["more-new", "fewer-old", "more-ready", "more-available"],
)
def test_each_kind_of_progress_starts_the_deadline_again(before: Obj) -> None:
    late = _NOW + timedelta(seconds=900)
    before["conditions"] = [_progressing("ReplicaSetUpdated")]
    new, old = _set("new", 2, 0), _set("old", 3, 3)
    told = make_status(_deployment(status=before), new, [old, new], late)
    assert _says(told, "Progressing") == ("True", "ReplicaSetUpdated")
    found = find_condition(told, "Progressing") or {}
    assert found["lastUpdateTime"] == "2030-01-01T00:15:00Z"
    assert found["lastTransitionTime"] == "2030-01-01T00:00:00Z"


_STALLED = {"updatedReplicas": 2, "replicas": 5, "readyReplicas": 3, "availableReplicas": 3}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (600, ("True", "ReplicaSetUpdated")),
        (601, ("False", "ProgressDeadlineExceeded")),
    ],
)
def test_without_progress_the_deadline_is_exceeded(seconds: int, expected: tuple[str, str]) -> None:
    before = {**_STALLED, "conditions": [_progressing("ReplicaSetUpdated")]}
    new, old = _set("new", 2, 0), _set("old", 3, 3)
    told = make_status(_deployment(status=before), new, [old, new], _NOW + timedelta(seconds=seconds))
    assert _says(told, "Progressing") == expected


def test_a_late_rollout_stays_late_until_it_moves_and_recovers_when_it_does() -> None:
    late = _progressing("ProgressDeadlineExceeded", status="False")
    deployment = _deployment(status={**_STALLED, "conditions": [late]})
    new, old = _set("new", 2, 0), _set("old", 3, 3)
    told = make_status(deployment, new, [old, new], _NOW + timedelta(seconds=1))
    assert _says(told, "Progressing") == ("False", "ProgressDeadlineExceeded")
    new = _set("new", 2, 1)
    told = make_status(deployment, new, [old, new], _NOW + timedelta(seconds=1))
    assert _says(told, "Progressing") == ("True", "ReplicaSetUpdated")


def test_a_pod_that_fails_after_the_rollout_is_no_matter_of_progress() -> None:
    before = {"replicas": 4, "updatedReplicas": 4, "readyReplicas": 4, "availableReplicas": 4}
    before_all: Obj = {**before, "conditions": [_progressing("NewReplicaSetAvailable")]}
    new = _set("new", 4, 1)
    told = make_status(_deployment(status=before_all), new, [new], _NOW + timedelta(days=1))
    assert _says(told, "Progressing") == ("True", "NewReplicaSetAvailable")
    assert _says(told, "Available") == ("False", "MinimumReplicasUnavailable")


def test_a_rollback_after_a_finished_rollout_is_progress_again() -> None:
    before: Obj = {
        "replicas": 4,
        "updatedReplicas": 4,
        "conditions": [_progressing("NewReplicaSetAvailable")],
    }
    before.update(readyReplicas=4, availableReplicas=4)
    new, old = _set("v1", 1, 0), _set("v2", 4, 4)
    told = make_status(_deployment(status=before), new, [new, old], _NOW + timedelta(days=1))
    assert _says(told, "Progressing") == ("True", "NewReplicaSetAvailable")  # nothing is up yet
    told["status"]["updatedReplicas"] = 0
    told = make_status(told, new, [new, old], _NOW + timedelta(days=1))
    assert _says(told, "Progressing") == ("True", "ReplicaSetUpdated")


def test_a_paused_rollout_is_never_late() -> None:
    before = {**_STALLED, "conditions": [_progressing("ReplicaSetUpdated")]}
    new, old = _set("new", 2, 0), _set("old", 3, 3)
    later = _NOW + timedelta(days=1)
    paused = with_pause(_deployment(status=before, paused=True), later)
    told = make_status(paused, new, [old, new], later, rolls=False)
    assert _says(told, "Progressing") == ("Unknown", "DeploymentPaused")
    assert seconds_to_deadline(told, later) is None
    resumed = {**told, "spec": {**told["spec"], "paused": False}}
    told = make_status(with_pause(resumed, later), new, [old, new], later)
    assert _says(told, "Progressing") == ("Unknown", "DeploymentResumed")
    assert seconds_to_deadline(told, later) == 601


def test_what_is_late_already_is_not_called_paused() -> None:
    late = _progressing("ProgressDeadlineExceeded", status="False")
    deployment = _deployment(status={**_STALLED, "conditions": [late]}, paused=True)
    paused = with_pause(deployment, _NOW)
    told = make_status(paused, _set("new", 2, 0), [_set("new", 2, 0)], _NOW, rolls=False)
    assert _says(told, "Progressing") == ("False", "ProgressDeadlineExceeded")


def test_without_a_deadline_nothing_is_said_about_progress() -> None:
    before = {"conditions": [_progressing("ReplicaSetUpdated")]}
    deployment = _deployment(status=before, progressDeadlineSeconds=None)
    told = make_status(deployment, _set("new", 2, 0), [_set("new", 2, 0)], _NOW)
    assert find_condition(told, "Progressing") is None
    assert seconds_to_deadline(told, _NOW) is None


def test_the_next_look_is_just_after_the_deadline() -> None:
    deployment = _deployment(status={"conditions": [_progressing("NewReplicaSetCreated")]})
    assert seconds_to_deadline(deployment, _NOW + timedelta(seconds=100)) == 501


@pytest.mark.parametrize("reason", ["NewReplicaSetAvailable", "ProgressDeadlineExceeded"])
def test_a_rollout_that_is_over_or_late_is_not_watched(reason: str) -> None:
    deployment = _deployment(status={"conditions": [_progressing(reason)]})
    assert seconds_to_deadline(deployment, _NOW) is None


def test_a_replica_set_that_cannot_make_pods_shows_in_the_deployment() -> None:
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"}
    new = _set("new", 4, 0, conditions=[failure])
    told = make_status(_deployment(), new, [new], _NOW)
    assert _says(told, "ReplicaFailure") == ("True", "FailedCreate")
    told = make_status(told, _set("new", 4, 0), [_set("new", 4, 0)], _NOW)
    assert find_condition(told, "ReplicaFailure") is None


def test_a_status_that_says_the_same_keeps_its_times() -> None:
    new = _set("new", 4, 4)
    first = make_status(_deployment(), new, [new], _NOW)
    assert make_status(first, new, [new], _NOW + timedelta(hours=1))["status"] == first["status"]


def test_a_condition_that_says_something_new_comes_last() -> None:
    told = make_status(_deployment(), _set("new", 4, 1), [_set("new", 4, 1)], _NOW)
    assert [each["type"] for each in told["status"]["conditions"]] == ["Available", "Progressing"]
    told["status"].pop("unavailableReplicas")
    new = _set("new", 4, 4)
    done = make_status(told, new, [new], _NOW + timedelta(seconds=5))["status"]["conditions"]
    assert [(each["type"], each["reason"]) for each in done] == [
        ("Available", "MinimumReplicasAvailable"),
        ("Progressing", "NewReplicaSetAvailable"),
    ]
    few = _set("new", 4, 1)
    over = {**told["status"], "conditions": done}
    worse = make_status({**told, "status": over}, few, [few], _NOW)
    assert [each["type"] for each in worse["status"]["conditions"]] == ["Progressing", "Available"]


def test_a_condition_of_the_same_status_and_reason_stays_as_it_is() -> None:
    before = {"conditions": [{**_progressing("NewReplicaSetAvailable"), "message": "one"}]}
    deployment = _deployment(status=before)
    same = with_progressing(deployment, "True", "NewReplicaSetAvailable", "two", _NOW + timedelta(seconds=9))
    assert same is deployment
