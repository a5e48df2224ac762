"""Jobs, CronJobs, the status of workloads, and metadata, in the words of Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from leeward.cluster.registry.kinds.workloads import CRON_JOB, DEPLOYMENT
from leeward.cluster.registry.validation.cron import schedule_problem
from leeward.cluster.registry.validation.indexes import IndexListError, overlap, parse_intervals
from leeward.cluster.registry.validation.jobs import (
    cron_job_create_failures,
    cron_job_failures,
    cron_job_update_failures,
    job_spec_failures,
)
from leeward.cluster.registry.validation.jobstatus import job_status_failures
from leeward.cluster.registry.validation.metadata import meta_failures, meta_update_failures
from leeward.kube.objects import Obj
from leeward.kube.resources import BUILT_IN
from leeward.kube.status import InvalidError

TEMPLATE = {"spec": {"containers": [{"name": "c", "image": "web:1"}], "restartPolicy": "Never"}}


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("*/5 * * * *", ""),
        ("0 0 1,15 jan-MAR sun", ""),
        ("@every 1h30m", ""),
        ("TZ=UTC @daily", ""),
        ("* * * *", "expected exactly 5 fields, found 4: [* * * *]"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("* * 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@often", "unrecognized descriptor: @often"),
        ("@every x", 'failed to parse duration @every x: time: invalid duration "x"'),
        ("TZ=No/Where @daily", "provided bad location No/Where: unknown time zone No/Where"),
    ],
)
def test_a_schedule_is_read_as_upstream_reads_it(schedule: str, problem: str) -> None:
    assert schedule_problem(schedule) == problem


def cron_job(schedule: str, name: str = "c", **spec: Any) -> Obj:
    job = {"spec": {"template": TEMPLATE}}
    full = {"schedule": schedule, "jobTemplate": job, **spec}
    return CRON_JOB.default({"metadata": {"name": name}, "spec": full})


def test_a_zone_in_a_schedule_may_stay_but_not_come() -> None:
    old, zoned = cron_job("@daily"), cron_job("TZ=UTC @daily")
    text = 'spec.schedule: Invalid value: "TZ=UTC @daily": cannot use TZ or CRON_TZ in schedule, use timeZone'
    for found in (cron_job_create_failures(zoned), cron_job_update_failures(zoned, old)):
        assert [str(each) for each in found] == [f"{text} field instead"]
    assert cron_job_update_failures(zoned, zoned) == []
    (both,) = cron_job_update_failures(cron_job("TZ=UTC @daily", timeZone="UTC"), zoned)
    assert both.message.endswith("cannot use both timeZone field and TZ or CRON_TZ in schedule")


def test_only_a_new_cron_job_needs_a_name_that_leaves_room() -> None:
    long = cron_job("@daily", name="x" * 53)
    assert [each.field for each in cron_job_create_failures(long)] == ["metadata.name"]
    assert cron_job_failures(long) == []


@pytest.mark.parametrize("zone", ["No/Where", "../etc", "-x", "a" * 15])
def test_a_time_zone_is_one_that_is_known(zone: str) -> None:
    (failure,) = cron_job_create_failures(cron_job("@daily", timeZone=zone))
    assert str(failure) == f'spec.timeZone: Invalid value: "{zone}": unknown time zone {zone}'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("0-2,2", "non-increasing order, previous: 2, current: 2"),
        ("3-1", "non-increasing order, previous: 3, current: 1"),
        ("a", 'cannot convert string to integer for index: "a"'),
        ("5", 'too large index: "5"'),
        ("0-1-2", 'the fragment "0-1-2" violates the requirement that an index interval can have at most '
                  "two parts separated by '-'"),
    ],
)  # fmt: skip
def test_a_list_of_indexes_grows_and_ends_before_the_completions(text: str, problem: str) -> None:
    with pytest.raises(IndexListError) as caught:
        parse_intervals(text, 5)
    assert str(caught.value) == problem


def test_lists_of_indexes_are_compared_by_interval() -> None:
    assert parse_intervals("0-2,4", 5) == [(0, 2), (4, 4)]
    assert overlap("0-2,4", "3", 5) is None
    assert overlap("0-2,4", "3-4", 5) == 4


def indexed(**fields: Any) -> Obj:
    return {"completionMode": "Indexed", "completions": 3, "parallelism": 1, "template": TEMPLATE, **fields}


@pytest.mark.parametrize(
    ("spec", "messages"),
    [
        (indexed(successPolicy={"rules": [{"succeededIndexes": "0-1", "succeededCount": 3}]}),
         ["spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2 "
          "(the number of indexes in the specified succeededIndexes field)"]),
        (indexed(successPolicy={"rules": [{"succeededIndexes": "7"}]}),
         ['spec.successPolicy.rules[0].succeededIndexes: Invalid value: "7": '
          'error parsing succeededIndexes: too large index: "7"']),
        (indexed(completions=100_001, backoffLimitPerIndex=1, parallelism=10_001),
         ["spec.maxFailedIndexes: Required value: must be specified when completions is above 100000",
          "spec.parallelism: Invalid value: 10001: must be less than or equal to 10000 when completions are "
          "above 100000 and used with backoff limit per index"]),
        (indexed(backoffLimitPerIndex=1, maxFailedIndexes=4),
         ["spec.maxFailedIndexes: Invalid value: 4: must be less than or equal to completions"]),
        ({"template": TEMPLATE, "backoffLimitPerIndex": 1},
         ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]),
    ],
)  # fmt: skip
def test_a_job_s_indexes_fit_together(spec: Obj, messages: list[str]) -> None:
    found = [str(each) for each in job_spec_failures(spec, "spec") if "template" not in each.field]
    assert found == messages


def test_labels_that_a_job_gets_are_not_anybody_else_s(cluster: Any) -> None:
    template = {**TEMPLATE, "metadata": {"labels": {"job-name": "other"}}}
    with pytest.raises(InvalidError, match=r"template\.metadata\.labels\[job-name\]: .*must be 'j'"):
        cluster.client.create(
            "jobs.batch", {"metadata": {"name": "j", "namespace": "shop"}, "spec": {"template": template}}
        )


TRUE = {"status": "True"}
START, END = "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"
MET = {"type": "SuccessCriteriaMet", **TRUE}
COMPLETE = {"type": "Complete", **TRUE}


@pytest.mark.parametrize(
    ("old", "new", "messages"),
    [
        ({"startTime": START},
         {"startTime": START, "completionTime": END, "conditions": [MET, COMPLETE]}, []),
        ({"startTime": START}, {"startTime": START, "completionTime": END},
         [f'status.completionTime: Invalid value: "{END}": '
          "cannot set completionTime when there is no Complete=True condition"]),
        ({"startTime": START}, {"startTime": START, "active": 1, "conditions": [COMPLETE]},
         ["status.completionTime: Required value: completionTime is required for Complete jobs",
          "status.conditions: Invalid value: "
          "cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
          "status.active: Invalid value: 1: active>0 is invalid for finished job"]),
        ({"failed": 2}, {"failed": 1},
         ["status.failed: Invalid value: 1: cannot decrease the failed counter"]),
        ({}, {"ready": 2, "active": 1},
         ["status.ready: Invalid value: 2: cannot set more ready pods than active"]),
        ({}, {"completedIndexes": "0"},
         ['status.completedIndexes: Invalid value: "0": '
          "cannot set non-empty completedIndexes when non-indexed completion mode"]),
        ({"conditions": [MET]}, {"conditions": []},
         ["status.conditions: Invalid value: cannot disable the SuccessCriteriaMet=True condition"]),
    ],
)  # fmt: skip
def test_a_job_ends_in_order(old: Obj, new: Obj, messages: list[str]) -> None:
    def job(status: Obj) -> Obj:
        return {"spec": {}, "status": status}

    assert [str(each) for each in job_status_failures(job(new), job(old))] == messages


def test_an_old_status_that_breaks_a_rule_can_be_written_again() -> None:
    job = {"spec": {}, "status": {"conditions": [COMPLETE], "active": 1}}
    assert job_status_failures(job, job) == []


def test_numbers_of_a_status_fit_together() -> None:
    def failures(**status: int) -> list[str]:
        return [str(each) for each in DEPLOYMENT.validate_status({"status": status}, {"status": {}})]

    assert failures(replicas=3, readyReplicas=3, availableReplicas=2) == []
    assert failures(replicas=1, readyReplicas=2) == [
        "status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas"
    ]
    assert failures(replicas=2, readyReplicas=1, availableReplicas=2) == [
        "status.availableReplicas: Invalid value: 2: cannot be greater than readyReplicas"
    ]
    assert failures(unavailableReplicas=-1) == [
        "status.unavailableReplicas: Invalid value: -1: must be greater than or equal to 0"
    ]
    (fewer,) = DEPLOYMENT.validate_status({"status": {}}, {"status": {"collisionCount": 1}})
    assert str(fewer) == "status.collisionCount: Invalid value: 0: cannot be decremented"


# Metadata -----------------------------------------------------------------------------------------

PODS = next(row for row in BUILT_IN if row.name == "pods")
OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "a", "uid": "1", "controller": True}


def said_of(**meta: Any) -> list[str]:
    return [
        str(each) for each in meta_failures(PODS, {"metadata": {"name": "a", "namespace": "shop", **meta}})
    ]


def test_metadata_that_is_well_formed_is_accepted() -> None:
    assert said_of(generateName="web-", ownerReferences=[OWNER], finalizers=["example.com/f", "orphan"]) == []


@pytest.mark.parametrize(
    ("meta", "messages"),
    [
        ({"ownerReferences": [{"apiVersion": "a/b/c", "kind": "K"}]},
         ['metadata.ownerReferences[0].apiVersion: Invalid value: "a/b/c": '
          "must be <group>/<version> or <version>",
          "metadata.ownerReferences[0].name: Required value: must not be empty",
          "metadata.ownerReferences[0].uid: Required value: must not be empty"]),
        ({"finalizers": ["orphan", "foregroundDeletion"]},
         ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
          "finalizer orphan and foregroundDeletion cannot be both set"]),
    ],
)  # fmt: skip
def test_owners_and_finalizers_are_well_formed(meta: Obj, messages: list[str]) -> None:
    assert said_of(**meta) == messages


def test_an_object_has_one_controller() -> None:
    (message,) = said_of(ownerReferences=[OWNER, {**OWNER, "name": "b", "uid": "2"}])
    assert message.startswith(
        'metadata.ownerReferences: Invalid value: [{"apiVersion":"apps/v1","kind":"ReplicaSet"'
    )
    assert message.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for '
        "ReplicaSet/a and ReplicaSet/b"
    )


def test_an_object_on_its_way_out_gets_no_new_finalizers() -> None:
    old = {"metadata": {"deletionTimestamp": "now", "finalizers": ["a/b"]}}
    new = {"metadata": {"deletionTimestamp": "now", "finalizers": ["c/d"]}}
    assert meta_update_failures(old, old) == []
    assert [str(each) for each in meta_update_failures(new, old)] == [
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"c/d"}'
    ]
