"""Order, identity and updates of StatefulSets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.statefulset.plan import (
    Plan,
    is_member,
    make_claims,
    make_pod,
    ordinal_of,
    plan,
    wanted_ordinals,
    with_retention,
)
from leeward.kube.objects import Obj, controller_of, format_time, is_terminating

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

SETS = "statefulsets.apps"
_NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _set(replicas: int = 3, **spec: Any) -> Obj:
    meta = {"name": "db", "namespace": "shop", "uid": "u1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": meta,
        "spec": {"replicas": replicas, "serviceName": "db-peers", **spec},
    }


def _pod(
    number: int,
    revision: str = "v1",
    *,
    ready: bool = True,
    ready_for: int = 60,
    terminating: bool = False,
    phase: str = "Running",
) -> tuple[int, Obj]:
    meta: Obj = {"name": f"db-{number}", "labels": {"controller-revision-hash": revision}}
    if terminating:
        meta["deletionTimestamp"] = format_time(_NOW)
    since = format_time(_NOW - timedelta(seconds=ready_for))
    condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
    return number, {"metadata": meta, "spec": {}, "status": {"phase": phase, "conditions": [condition]}}


def _planned(stateful_set: Obj, *pods: tuple[int, Obj], revision: str = "v1") -> tuple[list[int], list[str]]:
    """Return (ordinals to create, Pods to delete)."""
    found: Plan = plan(stateful_set, dict(pods), revision, _NOW)
    return list(found.create), [pod["metadata"]["name"] for pod in (*found.delete, *found.replace)]


_PARALLEL = {"podManagementPolicy": "Parallel"}
_NOTHING: tuple[list[int], list[str]] = ([], [])


def test_ordered_pods_come_one_by_one() -> None:
    assert _planned(_set()) == ([0], [])
    assert _planned(_set(), _pod(0, ready=False)) == _NOTHING
    assert _planned(_set(), _pod(0)) == ([1], [])
    assert _planned(_set(), _pod(0), _pod(1), _pod(2)) == _NOTHING


def test_a_hole_is_filled_before_anything_above_it() -> None:
    assert _planned(_set(), _pod(0), _pod(2)) == ([1], [])
    assert _planned(_set(), _pod(0, ready=False), _pod(2)) == _NOTHING
    assert _planned(_set(), _pod(0, terminating=True), _pod(2)) == _NOTHING


def test_an_ordered_pod_waits_until_the_one_below_is_available() -> None:
    patient = _set(minReadySeconds=30)
    assert _planned(patient, _pod(0, ready_for=29)) == _NOTHING
    assert _planned(patient, _pod(0, ready_for=30)) == ([1], [])


def test_parallel_pods_come_and_go_at_once() -> None:
    assert _planned(_set(3, **_PARALLEL)) == ([0, 1, 2], [])
    assert _planned(_set(3, **_PARALLEL), _pod(1, ready=False)) == ([0, 2], [])
    four = [_pod(number, ready=False) for number in range(4)]
    assert _planned(_set(1, **_PARALLEL), *four) == ([], ["db-3", "db-2", "db-1"])


def test_parallel_does_both_at_once_and_waits_for_what_terminates() -> None:
    assert _planned(_set(2, **_PARALLEL), _pod(0), _pod(4)) == ([1], ["db-4"])
    assert _planned(_set(2, **_PARALLEL), _pod(0), _pod(1, terminating=True)) == _NOTHING


def test_the_highest_ordinal_goes_first_and_alone() -> None:
    pods = [_pod(number) for number in range(4)]
    assert _planned(_set(2), *pods) == ([], ["db-3"])
    pods[3] = _pod(3, terminating=True)
    assert _planned(_set(2), *pods) == _NOTHING
    assert _planned(_set(2), *pods[:3]) == ([], ["db-2"])


def test_nothing_is_scaled_down_while_a_remaining_pod_is_not_ready() -> None:
    assert _planned(_set(2), _pod(0), _pod(1, ready=False), _pod(2)) == _NOTHING


def test_an_ended_pod_is_deleted_to_be_made_anew() -> None:
    failed = _pod(1, phase="Failed", ready=False)
    assert _planned(_set(), _pod(0), failed, _pod(2)) == ([], ["db-1"])
    done = _pod(1, phase="Succeeded", ready=False)
    assert _planned(_set(), _pod(0), done, _pod(2)) == ([], ["db-1"])


def test_an_ended_pod_that_terminates_is_not_deleted_twice() -> None:
    failed = _pod(1, phase="Failed", ready=False, terminating=True)
    assert _planned(_set(), _pod(0), failed, _pod(2)) == _NOTHING


def test_parallel_deletes_all_ended_pods_at_once() -> None:
    failed = [_pod(number, phase="Failed", ready=False) for number in range(3)]
    assert _planned(_set(3, **_PARALLEL), *failed) == ([], ["db-0", "db-1", "db-2"])
    assert _planned(_set(3), *failed) == ([], ["db-0"])


def test_an_update_goes_from_the_highest_ordinal_down() -> None:
    assert _planned(_set(), _pod(0), _pod(1), _pod(2), revision="v2") == ([], ["db-2"])
    assert _planned(_set(), _pod(0), _pod(1), _pod(2, "v2"), revision="v2") == ([], ["db-1"])
    assert _planned(_set(), _pod(0), _pod(1, "v2"), _pod(2, "v2"), revision="v2") == ([], ["db-0"])


@pytest.mark.parametrize("more", [{}, _PARALLEL])
def test_an_update_waits_for_the_pod_it_replaced(more: Obj) -> None:
    waiting = _pod(2, "v2", ready=False)
    assert _planned(_set(3, **more), _pod(0), _pod(1), waiting, revision="v2") == _NOTHING
    ending = _pod(2, terminating=True)
    assert _planned(_set(3, **more), _pod(0), _pod(1), ending, revision="v2") == _NOTHING


def test_an_update_waits_until_the_replaced_pod_is_available() -> None:
    patient = _set(3, minReadySeconds=30, **_PARALLEL)
    fresh = _pod(2, "v2", ready_for=5)
    assert _planned(patient, _pod(0), _pod(1), fresh, revision="v2") == _NOTHING


def test_a_broken_update_is_not_repaired_by_another_one() -> None:
    """As upstream: a person has to delete the Pod."""
    broken = _pod(2, "v2", ready=False)
    assert _planned(_set(), _pod(0), _pod(1), broken, revision="v3") == _NOTHING


def test_a_parallel_set_replaces_a_broken_pod_too() -> None:
    broken = _pod(2, "v2", ready=False)
    assert _planned(_set(3, **_PARALLEL), _pod(0), _pod(1), broken, revision="v3") == ([], ["db-2"])


def _rolling(partition: int) -> Obj:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}}


def test_the_partition_keeps_lower_ordinals_as_they_are() -> None:
    pods = [_pod(0), _pod(1), _pod(2, "v2")]
    assert _planned(_set(updateStrategy=_rolling(2)), *pods, revision="v2") == _NOTHING
    assert _planned(_set(updateStrategy=_rolling(1)), *pods, revision="v2") == ([], ["db-1"])
    assert _planned(_set(updateStrategy=_rolling(9)), _pod(0), _pod(1), _pod(2), revision="v2") == _NOTHING


def test_the_partition_counts_from_the_first_ordinal() -> None:
    shifted = _set(3, ordinals={"start": 5}, updateStrategy=_rolling(2))
    pods = [_pod(5), _pod(6), _pod(7)]
    assert _planned(shifted, *pods, revision="v2") == ([], ["db-7"])
    pods[2] = _pod(7, "v2")
    assert _planned(shifted, *pods, revision="v2") == _NOTHING


def test_on_delete_replaces_nothing_by_itself() -> None:
    pods = [_pod(0), _pod(1), _pod(2)]
    assert _planned(_set(updateStrategy={"type": "OnDelete"}), *pods, revision="v2") == _NOTHING


def test_surplus_pods_that_terminate_do_not_hold_up_a_parallel_update() -> None:
    pods = [_pod(0), _pod(1), _pod(2, terminating=True)]
    assert _planned(_set(2, **_PARALLEL), *pods, revision="v2") == ([], ["db-1"])


def test_ordinals_may_start_anywhere() -> None:
    shifted = _set(2, ordinals={"start": 5})
    assert list(wanted_ordinals(shifted)) == [5, 6]
    assert _planned(shifted) == ([5], [])
    assert _planned(shifted, _pod(5), _pod(6), _pod(0)) == ([], ["db-0"])


@pytest.mark.parametrize(
    ("name", "number", "member"),
    [("db-0", 0, True), ("db-12", 12, True), ("db-a-1", 1, False), ("db-x", -1, False), ("db", -1, False)],
)
def test_a_name_tells_the_ordinal(name: str, number: int, member: bool) -> None:
    pod = {"metadata": {"name": name}}
    assert ordinal_of(pod) == number
    assert is_member(_set(), pod) is member


def test_a_pod_has_an_identity() -> None:
    template = {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": []}}
    pod = make_pod(_set(), 4, template, "db-77")
    assert pod["metadata"]["name"] == "db-4"
    assert pod["metadata"]["labels"] == {
        "app": "db",
        "statefulset.kubernetes.io/pod-name": "db-4",
        "apps.kubernetes.io/pod-index": "4",
        "controller-revision-hash": "db-77",
    }
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-4", "db-peers")
    assert "volumes" not in pod["spec"]


def test_a_claim_replaces_the_templates_volume_of_its_name() -> None:
    claims = [{"metadata": {"name": "data", "labels": {"tier": "x"}}, "spec": {"storageClassName": "fast"}}]
    selector = {"matchLabels": {"app": "db"}}
    stateful_set = _set(volumeClaimTemplates=claims, selector=selector)
    volumes = [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]
    pod = make_pod(stateful_set, 1, {"spec": {"containers": [], "volumes": volumes}}, "r")
    assert pod["spec"]["volumes"] == [
        {"name": "tmp", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1", "readOnly": False}},
    ]
    (claim,) = make_claims(stateful_set, 1)
    assert claim["metadata"]["name"] == "data-db-1"
    assert claim["metadata"]["labels"] == {"tier": "x", "app": "db"}
    assert claim["spec"] == {"storageClassName": "fast"}
    assert "ownerReferences" not in claim["metadata"]


_OWNERS = [  # whenDeleted, whenScaled, ordinal of two wanted → whom the claim goes with
    ("Retain", "Retain", 0, []),
    ("Retain", "Retain", 5, []),
    ("Delete", "Retain", 0, ["u1"]),
    ("Delete", "Retain", 5, ["u1"]),
    ("Retain", "Delete", 0, []),
    ("Retain", "Delete", 5, ["p"]),
    ("Delete", "Delete", 0, ["u1"]),
    ("Delete", "Delete", 5, ["p"]),
]


@pytest.mark.parametrize(("deleted", "scaled", "number", "uids"), _OWNERS)
@pytest.mark.parametrize("before", [[], ["u1"], ["p"]])
def test_a_claim_goes_with_whom_the_policy_says(
    deleted: str, scaled: str, number: int, uids: list[str], before: list[str]
) -> None:
    policy = {"whenDeleted": deleted, "whenScaled": scaled}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"db-{number}", "uid": "p"}}
    foreign = {"kind": "ConfigMap", "name": "x", "uid": "x"}
    owners = [foreign, *({"kind": "Any", "name": "any", "uid": uid} for uid in before)]
    claim = {"metadata": {"name": "data", "ownerReferences": owners}}
    kept = with_retention(_set(2, persistentVolumeClaimRetentionPolicy=policy), pod, claim)
    assert [each["uid"] for each in kept["metadata"]["ownerReferences"]] == ["x", *uids]
    assert (kept is claim) == (before == uids)


# On the real registry ------------------------------------------------------------------------------


def _status(stage: Stage, *names: str) -> list[Any]:
    status = stage.get(SETS, "db")["status"]
    return [status.get(name, 0) for name in names]


def test_a_set_starts_in_order_and_stops_in_reverse(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=3)
    seen = [stage.names()]
    for _ in range(2):
        stage.run_all()
        seen.append(stage.names())
    assert seen == [["db-0"], ["db-0", "db-1"], ["db-0", "db-1", "db-2"]]
    stage.run_all()
    stage.patch(SETS, "db", {"spec": {"replicas": 1}})
    assert stage.names(is_terminating) == ["db-2"]
    stage.finish_terminating()
    assert stage.names(is_terminating) == ["db-1"]
    stage.finish_terminating()
    assert stage.names() == ["db-0"]
    assert stage.events("SuccessfulCreate")[0] == "Create Pod db-0 in StatefulSet db successful"
    assert stage.events("SuccessfulDelete")[0] == "Delete Pod db-2 in StatefulSet db successful"


def test_min_ready_seconds_space_out_the_start(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=2, minReadySeconds=30)
    stage.run_all()
    stage.step(25)
    assert stage.names() == ["db-0"]
    assert _status(stage, "readyReplicas", "availableReplicas") == [1, 0]
    stage.step(6)
    assert stage.names() == ["db-0", "db-1"]
    assert _status(stage, "readyReplicas", "availableReplicas") == [1, 1]


def test_a_deleted_pod_comes_back_under_its_name(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=2)
    stage.settle()
    before = stage.get("pods", "db-0")["metadata"]["uid"]
    stage.delete("pods", "db-0")
    assert stage.names() == ["db-1"]
    stage.finish_terminating()
    assert stage.names() == ["db-0", "db-1"]
    assert stage.get("pods", "db-0")["metadata"]["uid"] != before


def test_a_terminating_pod_still_counts_as_a_replica(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=2)
    stage.settle()
    stage.delete("pods", "db-1")
    counts = ("replicas", "readyReplicas", "currentReplicas", "updatedReplicas")
    assert _status(stage, *counts) == [2, 2, 1, 1]


def test_a_rolling_update_replaces_one_pod_after_the_other(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=3)
    stage.settle()
    first = stage.get(SETS, "db")["status"]["currentRevision"]
    stage.roll(SETS, "web:2", "db")
    order = []
    while ending := stage.names(is_terminating):
        order += ending
        stage.finish_terminating()
        assert stage.get(SETS, "db")["status"]["currentRevision"] == first
        stage.run_all()
    assert order == ["db-2", "db-1", "db-0"]
    status = stage.get(SETS, "db")["status"]
    assert status["currentRevision"] == status["updateRevision"] != first
    assert stage.images() == ["web:2"] * 3


def test_below_the_partition_a_lost_pod_comes_back_as_it_was(stage: Stage) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    stage.workload(SETS, "db", replicas=3, updateStrategy=strategy)
    stage.settle()
    stage.roll(SETS, "web:2", "db")
    stage.settle()
    assert stage.images() == ["web:1", "web:1", "web:2"]
    stage.delete("pods", "db-0")
    stage.settle()
    assert stage.images() == ["web:1", "web:1", "web:2"]
    assert _status(stage, "currentReplicas", "updatedReplicas") == [2, 1]


def test_the_partition_holds_even_when_every_pod_is_lost_at_once(stage: Stage) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}
    stage.workload(SETS, "db", replicas=3, updateStrategy=strategy)
    stage.settle()
    stage.roll(SETS, "web:2", "db")
    stage.settle()
    for number in range(3):
        stage.delete("pods", f"db-{number}")
    stage.settle()
    assert stage.images() == ["web:1", "web:1", "web:2"]


def test_the_partition_of_shifted_ordinals_counts_from_the_first(stage: Stage) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    stage.workload(SETS, "db", replicas=2, ordinals={"start": 5}, updateStrategy=strategy)
    stage.settle()
    stage.roll(SETS, "web:2", "db")
    stage.settle()
    stage.delete("pods", "db-5")
    stage.settle()
    assert [stage.get("pods", f"db-{n}")["spec"]["containers"][0]["image"] for n in (5, 6)] == [
        "web:1",
        "web:2",
    ]


def test_a_rollback_uses_the_old_revision_under_a_new_number(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=1)
    stage.settle()
    first = stage.get(SETS, "db")["status"]["updateRevision"]
    stage.roll(SETS, "web:2", "db")
    stage.settle()
    stage.roll(SETS, "web:1", "db")
    stage.settle()
    found = {
        r["metadata"]["name"]: r["revision"] for r in stage.client.list("controllerrevisions.apps", "shop")
    }
    assert sorted(found.values()) == [2, 3]
    assert found[first] == 3
    assert stage.get(SETS, "db")["status"]["currentRevision"] == first


def test_revisions_beyond_the_limit_are_forgotten(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=1, revisionHistoryLimit=1)
    for number in range(2, 6):
        stage.settle()
        stage.roll(SETS, f"web:{number}", "db")
    stage.settle()
    found = stage.client.list("controllerrevisions.apps", "shop")
    assert sorted(each["revision"] for each in found) == [4, 5]


def test_every_pod_gets_claims_that_outlive_it(stage: Stage) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claims = [{"metadata": {"name": "data"}, "spec": spec}]
    stage.workload(SETS, "db", replicas=2, volumeClaimTemplates=claims)
    stage.settle()
    before = [c["metadata"]["uid"] for c in stage.client.list("persistentvolumeclaims", "shop")]
    assert len(before) == 2
    assert "Create Claim data-db-0 Pod db-0 in StatefulSet db success" in stage.events("SuccessfulCreate")
    stage.patch(SETS, "db", {"spec": {"replicas": 0}})
    stage.settle()
    stage.patch(SETS, "db", {"spec": {"replicas": 2}})
    stage.settle()
    assert [c["metadata"]["uid"] for c in stage.client.list("persistentvolumeclaims", "shop")] == before


def test_pods_left_by_an_earlier_set_of_the_name_are_adopted(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=2)
    stage.settle()
    uids = [pod["metadata"]["uid"] for pod in stage.pods()]
    stage.orphan(SETS, "db", "pods", "controllerrevisions.apps")
    owner = stage.workload(SETS, "db", replicas=2)
    assert [pod["metadata"]["uid"] for pod in stage.pods()] == uids
    assert {(controller_of(pod) or {})["uid"] for pod in stage.pods()} == {owner["metadata"]["uid"]}


def test_an_orphan_of_another_name_is_not_adopted(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=1)
    spec = {"containers": [{"name": "c", "image": "web:0"}]}
    stage.create("pods", "cache-0", spec, labels={"app": "db"})
    assert controller_of(stage.get("pods", "cache-0")) is None


def test_a_relabelled_pod_is_released(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=1)
    stage.settle()
    stage.patch("pods", "db-0", {"metadata": {"labels": {"app": "debug"}}})
    assert controller_of(stage.get("pods", "db-0")) is None


_DATA: Obj = {
    "volumeClaimTemplates": [
        {
            "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        }
    ]
}
_CLAIMS = "persistentvolumeclaims"


def _owners(stage: Stage, name: str) -> list[str]:
    return [each["name"] for each in stage.get(_CLAIMS, name)["metadata"].get("ownerReferences") or ()]


def test_a_changed_policy_reaches_claims_that_are_there(stage: Stage) -> None:
    stage.workload(SETS, "db", replicas=1, **_DATA)
    stage.settle()
    assert _owners(stage, "data-db-0") == []
    policy = {"whenDeleted": "Delete", "whenScaled": "Retain"}
    stage.patch(SETS, "db", {"spec": {"persistentVolumeClaimRetentionPolicy": policy}})
    assert _owners(stage, "data-db-0") == ["db"]


def test_the_claim_of_a_surplus_pod_goes_with_it_and_is_waited_for(stage: Stage) -> None:
    policy = {"whenDeleted": "Retain", "whenScaled": "Delete"}
    stage.workload(SETS, "db", replicas=2, persistentVolumeClaimRetentionPolicy=policy, **_DATA)
    stage.settle()
    stage.patch(SETS, "db", {"spec": {"replicas": 1}})
    assert _owners(stage, "data-db-1") == ["db-1"]
    stage.finish_terminating()
    stage.patch(SETS, "db", {"spec": {"replicas": 2}})
    assert stage.names() == ["db-0"]
    claim = stage.get(_CLAIMS, "data-db-1")
    stage.client.update(_CLAIMS, {**claim, "metadata": {**claim["metadata"], "finalizers": []}})
    stage.delete(_CLAIMS, "data-db-1")
    assert stage.names() == ["db-0", "db-1"]
    assert _owners(stage, "data-db-1") == []


def test_of_surplus_pods_that_are_broken_the_lowest_goes_first() -> None:
    pods = [_pod(0), _pod(1), _pod(2, ready=False), _pod(3, ready=False)]
    assert _planned(_set(1), *pods) == _NOTHING
    assert _planned(_set(1), *pods[:3]) == ([], ["db-2"])
    assert _planned(_set(1), *pods[:2], _pod(2, ready=False), _pod(3)) == ([], ["db-3"])


def test_a_pod_that_cannot_be_made_is_told(stage: Stage) -> None:
    pod = {"containers": [{"name": "c", "image": "web:1"}], "priorityClassName": "urgent"}
    template = {"metadata": {"labels": {"app": "db"}}, "spec": pod}
    selector = {"matchLabels": {"app": "db"}}
    stage.create(SETS, "db", {"replicas": 1, "selector": selector, "template": template, "serviceName": "x"})
    (told,) = stage.events("FailedCreate")
    assert told.startswith("Create Pod db-0 in StatefulSet db failed error: ")
    assert stage.get(SETS, "db")["status"]["observedGeneration"] == 1
