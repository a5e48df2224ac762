"""When a Job makes Pods, when it gives up, and what it remembers of Pods that are gone."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.controllers.job.backoff import FAILURES, IGNORED, Record
from leeward.cluster.controllers.job.indexes import INDEX, format_indexes, met_rule, parse_indexes
from leeward.cluster.controllers.job.plan import completed, ending, plan, seconds_to_deadline
from leeward.cluster.controllers.job.podtemplate import make_pod
from leeward.cluster.controllers.job.status import counted_next, flushed
from leeward.cluster.controllers.job.tally import TRACKING, take_stock
from leeward.kube.objects import Obj, format_time

_NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


def _ago(seconds: float) -> str:
    return format_time(_NOW - timedelta(seconds=seconds))


def _job(status: Obj | None = None, restart: str = "Never", **spec: Any) -> Obj:
    template = {"spec": {"restartPolicy": restart, "containers": []}}
    full = {"parallelism": 1, "completions": 1, "backoffLimit": 6, "template": template, **spec}
    return {"metadata": {"name": "job", "namespace": "shop"}, "spec": full, "status": status or {}}


def _pod(
    name: str,
    phase: str = "Running",
    *,
    code: int | None = None,
    ended: float = 0,
    index: int | None = None,
    terminating: bool = False,
    restarts: int = 0,
    ready: bool = True,
    age: float = 100,
    conditions: list[Obj] | None = None,
    tracked: bool = True,
    failures: int | None = None,
) -> Obj:
    meta: Obj = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": _ago(age)}
    if tracked:
        meta["finalizers"] = [TRACKING]
    if index is not None:
        meta["annotations"] = {INDEX: str(index)}
    if failures is not None:
        meta["annotations"][FAILURES] = str(failures)
    if terminating:
        meta["deletionTimestamp"] = _ago(0)
    state: Obj = {"running": {}}
    if phase in ("Succeeded", "Failed"):
        exit_code = code if code is not None else int(phase == "Failed")
        state = {"terminated": {"exitCode": exit_code, "finishedAt": _ago(ended)}}
    running = phase == "Running" and ready
    found = [{"type": "Ready", "status": "True" if running else "False"}, *(conditions or ())]
    containers = [{"name": "c", "state": state, "restartCount": restarts}]
    status = {"phase": phase, "conditions": found, "containerStatuses": containers}
    return {"metadata": meta, "spec": {"nodeName": "n"}, "status": status}


@dataclass
class _Outcome:
    """What a pass decides."""

    create: list[int | None] = field(default_factory=list)
    delete: list[Obj] = field(default_factory=list)
    wait: float | None = None
    complete: bool = False
    failed: tuple[str, str] | None = None


def _planned(job: Obj, *pods: Obj) -> _Outcome:
    tally = take_stock(job, pods)
    end = ending(tally, _NOW)
    if end is not None:
        good = end.kind == "SuccessCriteriaMet"
        return _Outcome(delete=tally.active, complete=good, failed=None if good else end[1:])
    record = Record().after(tally.new_succeeded, tally.new_failed)
    planned = plan(tally, record, _NOW)
    active = len(tally.active) + len(planned.create) - len(planned.delete)
    over = completed(tally, active) is not None
    return _Outcome(list(planned.create), list(planned.delete), planned.wait, over)


def _deleted(planned: _Outcome) -> list[str]:
    return [pod["metadata"]["name"] for pod in planned.delete]


# How many Pods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parallelism", "completions", "pods", "expected"),
    [
        (1, 1, [], 1),
        (2, 4, [], 2),
        (9, 4, [], 4),  # never more than are still needed
        (2, 4, ["Running"], 1),
        (2, 4, ["Running", "Running"], 0),
        (2, 4, ["Succeeded", "Succeeded", "Succeeded"], 1),
        (2, 4, ["Succeeded", "Succeeded", "Running"], 1),
        (3, None, [], 3),
        (3, None, ["Running"], 2),
        (3, None, ["Succeeded", "Running"], 0),  # a work queue: one success is enough to start no more
    ],
)
def test_as_many_pods_run_as_are_wanted_at_once(
    parallelism: int, completions: int | None, pods: list[str], expected: int
) -> None:
    job = _job(parallelism=parallelism, completions=completions)
    found = [_pod(str(number), phase) for number, phase in enumerate(pods)]
    planned = _planned(job, *found)
    assert list(planned.create) == [None] * expected
    assert not planned.complete
    assert _deleted(planned) == []


def test_a_job_is_complete_with_enough_successes() -> None:
    assert _planned(_job(), _pod("a", "Succeeded")).complete
    assert not _planned(_job(completions=2), _pod("a", "Succeeded")).complete
    planned = _planned(_job(), _pod("a", "Succeeded"), _pod("b"))
    assert planned.complete
    assert _deleted(planned) == ["b"]


def test_a_work_queue_is_complete_when_its_last_pod_ends_after_a_success() -> None:
    queue = _job(parallelism=2, completions=None)
    assert not _planned(queue, _pod("a", "Succeeded"), _pod("b")).complete
    assert _planned(queue, _pod("a", "Succeeded"), _pod("b", "Failed")).complete


def test_less_parallelism_takes_away_what_has_done_the_least() -> None:
    waiting = _pod("waiting", "Pending")
    pods = [_pod("old", age=90), _pod("unready", ready=False, age=95), _pod("new", age=10), waiting]
    assert _deleted(_planned(_job(parallelism=3, completions=9), *pods)) == ["waiting"]
    assert _deleted(_planned(_job(parallelism=1, completions=9), *pods)) == ["waiting", "unready", "new"]


def test_a_suspended_job_gives_up_its_pods_and_makes_none() -> None:
    planned = _planned(_job(suspend=True, parallelism=2, completions=2), _pod("a"), _pod("b", "Succeeded"))
    assert (_deleted(planned), list(planned.create)) == (["a"], [])


# Indexes -------------------------------------------------------------------------------------------


def test_the_lowest_free_indexes_come_first() -> None:
    job = _job(completionMode="Indexed", parallelism=3, completions=5)
    pods = [_pod("a", "Succeeded", index=0), _pod("b", index=2)]
    assert list(_planned(job, *pods).create) == [1, 3]


def test_a_failed_index_is_tried_again() -> None:
    job = _job(completionMode="Indexed", parallelism=2, completions=2)
    pods = [_pod("a", "Failed", index=0, ended=60), _pod("b", index=1)]
    assert list(_planned(job, *pods).create) == [0]


def test_an_index_that_succeeded_twice_counts_once() -> None:
    job = _job(completionMode="Indexed", parallelism=2, completions=2)
    pods = [_pod("a", "Succeeded", index=0), _pod("b", "Succeeded", index=0)]
    planned = _planned(job, *pods)
    assert (planned.complete, list(planned.create)) == (False, [1])


def test_completed_indexes_are_remembered_when_their_pods_are_gone() -> None:
    job = _job({"completedIndexes": "0-1,3"}, completionMode="Indexed", parallelism=9, completions=5)
    assert list(_planned(job).create) == [2, 4]


def test_indexes_beyond_the_completions_do_not_count() -> None:
    job = _job({"completedIndexes": "0,7"}, completionMode="Indexed", completions=2, parallelism=2)
    assert list(_planned(job, _pod("x", "Succeeded", index=5)).create) == [1]


@pytest.mark.parametrize(
    ("text", "numbers"), [("", set()), ("3", {3}), ("0-2,4", {0, 1, 2, 4}), ("1,2", {1, 2})]
)
def test_ranges_of_indexes_are_read(text: str, numbers: set[int]) -> None:
    assert parse_indexes(text) == numbers


# Failures ------------------------------------------------------------------------------------------


def test_more_failures_than_the_limit_fail_the_job() -> None:
    failed = [_pod(str(number), "Failed", ended=999) for number in range(3)]
    assert _planned(_job(backoffLimit=3), *failed).failed is None
    planned = _planned(_job(backoffLimit=2, completions=5, parallelism=5), *failed, _pod("x"))
    assert planned.failed == ("BackoffLimitExceeded", "Job has reached the specified backoff limit")
    assert _deleted(planned) == ["x"]


@pytest.mark.parametrize(
    ("limit", "restarts", "fails"), [(2, 1, False), (2, 2, True), (0, 0, False), (0, 1, True), (1, 1, True)]
)
def test_restarts_of_containers_count_when_the_kubelet_restarts_them(
    limit: int, restarts: int, fails: bool
) -> None:
    pod = _pod("a", restarts=restarts)
    assert (_planned(_job(restart="OnFailure", backoffLimit=limit), pod).failed is not None) is fails
    assert _planned(_job(restart="Never", backoffLimit=limit), pod).failed is None


def test_an_active_deadline_fails_the_job() -> None:
    job = _job({"startTime": _ago(60)}, activeDeadlineSeconds=60)
    planned = _planned(job, _pod("a"))
    assert planned.failed == ("DeadlineExceeded", "Job was active longer than specified deadline")
    assert _deleted(planned) == ["a"]


def test_the_job_is_looked_at_again_when_its_deadline_comes() -> None:
    job = _job({"startTime": _ago(40)}, activeDeadlineSeconds=60)
    assert seconds_to_deadline(job, _NOW) == 20


def test_the_deadline_does_not_run_while_suspended() -> None:
    job = _job({"startTime": _ago(600)}, activeDeadlineSeconds=60, suspend=True)
    assert _planned(job).failed is None


@pytest.mark.parametrize(("failures", "delay"), [(1, 10), (2, 20), (3, 40), (6, 320), (7, 600), (40, 600)])
def test_the_delay_after_failures_doubles_up_to_ten_minutes(failures: int, delay: float) -> None:
    pods = [_pod(f"{number:02}", "Failed", ended=4 + number) for number in range(failures)]
    planned = _planned(_job(backoffLimit=99), *pods)
    assert (list(planned.create), planned.wait) == ([], delay - 4)


def test_a_success_ends_the_series_of_failures() -> None:
    pods = [_pod(str(number), "Failed", ended=50 + number) for number in range(4)]
    pods += [_pod("good", "Succeeded", ended=20), _pod("bad", "Failed", ended=4)]
    assert _planned(_job(backoffLimit=99, completions=2), *pods).wait == 6


def test_back_off_does_not_stop_what_runs() -> None:
    planned = _planned(_job(parallelism=2, completions=2), _pod("a", "Failed", ended=1), _pod("b"), _pod("c"))
    assert (_deleted(planned), list(planned.create), planned.wait) == ([], [], None)


# Failure policy ------------------------------------------------------------------------------------


def _rule(action: str, **about: Any) -> Obj:
    return {"action": action, **about}


def _codes(*values: int, operator: str = "In", **more: str) -> Obj:
    return {"operator": operator, "values": list(values), **more}


def test_an_exit_code_may_fail_the_whole_job() -> None:
    job = _job(podFailurePolicy={"rules": [_rule("FailJob", onExitCodes=_codes(42))]})
    text = "Container c for pod shop/a failed with exit code 42 matching FailJob rule at index 0"
    assert _planned(job, _pod("a", "Failed", code=42)).failed == ("PodFailurePolicy", text)
    assert _planned(job, _pod("a", "Failed", code=41)).failed is None


@pytest.mark.parametrize(
    ("codes", "matches"),
    [
        (_codes(1, operator="NotIn"), True),
        (_codes(3, operator="NotIn"), False),
        (_codes(3, containerName="c"), True),
        (_codes(3, containerName="other"), False),
    ],
)
def test_exit_codes_are_matched_by_operator_and_container(codes: Obj, matches: bool) -> None:
    job = _job(podFailurePolicy={"rules": [_rule("FailJob", onExitCodes=codes)]})
    assert (_planned(job, _pod("a", "Failed", code=3)).failed is not None) is matches


def test_the_first_rule_that_matches_decides() -> None:
    rules = [_rule("Ignore", onExitCodes=_codes(7)), _rule("FailJob", onExitCodes=_codes(7, 8))]
    job = _job(podFailurePolicy={"rules": rules}, backoffLimit=0)
    assert _planned(job, _pod("a", "Failed", code=7)).failed is None
    assert _planned(job, _pod("a", "Failed", code=8)).failed is not None


_DISRUPTED = {"type": "DisruptionTarget", "status": "True"}


def test_an_ignored_failure_does_not_count_but_is_waited_after() -> None:
    job = _job(podFailurePolicy={"rules": [_rule("Ignore", onPodConditions=[_DISRUPTED])]}, backoffLimit=0)
    pod = _pod("a", "Failed", conditions=[_DISRUPTED], ended=3)
    assert take_stock(job, [pod]).failed == 0
    assert _planned(job, pod).wait == 7


def test_a_condition_is_matched_with_its_status() -> None:
    wanted = {"type": "DisruptionTarget", "status": "False"}
    job = _job(podFailurePolicy={"rules": [_rule("FailJob", onPodConditions=[wanted])]})
    assert _planned(job, _pod("a", "Failed", conditions=[_DISRUPTED])).failed is None
    text = "Pod shop/a has condition DisruptionTarget matching FailJob rule at index 0"
    assert _planned(job, _pod("a", "Failed", conditions=[wanted])).failed == ("PodFailurePolicy", text)


# Pods that are on their way out, or gone -----------------------------------------------------------


def test_a_terminating_pod_counts_as_failed_and_is_replaced_after_the_delay() -> None:
    ending = _pod("a", terminating=True)
    assert _planned(_job(backoffLimit=0), ending).failed is not None
    assert _planned(_job(), ending).wait == 10


def test_with_replacement_policy_failed_a_terminating_pod_is_waited_for() -> None:
    job = _job(podReplacementPolicy="Failed", backoffLimit=0)
    planned = _planned(job, _pod("a", terminating=True))
    assert (list(planned.create), planned.wait, planned.failed) == ([], None, None)
    assert _planned(job, _pod("a", "Failed", terminating=True)).failed is not None


def test_a_pod_that_is_counted_is_not_looked_at_again() -> None:
    job = _job({"succeeded": 2, "failed": 3}, completions=9)
    pods = [_pod("a", "Succeeded", tracked=False), _pod("b", "Failed", tracked=False)]
    tally = take_stock(job, pods)
    assert (tally.succeeded, tally.failed, counted_next(tally, None)) == (2, 3, ([], False))


def test_a_pod_is_noted_before_it_is_let_go_and_counted_after() -> None:
    job = _job({"succeeded": 1, "uncountedTerminatedPods": {"failed": ["b"]}}, completions=9)
    pods = [_pod("a", "Succeeded"), _pod("b", "Failed"), _pod("c", "Failed"), _pod("d")]
    tally = take_stock(job, pods)
    assert (tally.succeeded, tally.failed) == (2, 2)
    chosen, more = counted_next(tally, None)
    assert ([pod["metadata"]["name"] for pod in chosen], more) == (["a", "b", "c"], False)
    noted = flushed(job["status"], tally, {"a", "b", "c", "d"})
    assert noted["uncountedTerminatedPods"] == {"succeeded": ["a"], "failed": ["b", "c"]}
    assert (noted["succeeded"], noted.get("failed")) == (1, None)
    counted = flushed(noted, tally, {"b", "d"})
    assert counted["uncountedTerminatedPods"] == {"failed": ["b"]}
    assert (counted["succeeded"], counted["failed"]) == (2, 1)


def test_no_more_than_500_pods_are_noted_at_once() -> None:
    pods = [_pod(str(number), "Succeeded") for number in range(600)]
    chosen, more = counted_next(take_stock(_job(completions=999), pods), None)
    assert (len(chosen), more) == (500, True)


def test_failures_are_counted_from_the_last_success_on() -> None:
    pods = [_pod("a", "Failed", ended=1), _pod("b", "Failed", ended=9)]
    record = Record().after([_pod("c", "Succeeded", ended=5)], pods)
    assert record == Record(1, _NOW - timedelta(seconds=1))
    assert record.after([], []) == record
    assert Record(4, _NOW).after([], [_pod("d", "Failed", ended=0)]).failures == 5
    assert Record(4, _NOW).after([_pod("e", "Succeeded", ended=0)], []) == Record()


# Limits of indexes ---------------------------------------------------------------------------------


def _per_index(limit: int = 1, **spec: Any) -> Obj:
    full = {"completions": 3, "parallelism": 3, "backoffLimitPerIndex": limit, **spec}
    return _job(completionMode="Indexed", **full)


def test_an_index_is_given_up_after_its_own_limit() -> None:
    pods = [
        _pod("a", "Failed", index=0, failures=1, ended=60),
        _pod("b", "Failed", index=1, failures=0, ended=60),
    ]
    assert take_stock(_per_index(), pods).failed_indexes == {0}
    assert _planned(_per_index(), *pods).create == [1, 2]


def test_the_pod_that_replaces_another_knows_the_failures_so_far() -> None:
    job = _per_index(podFailurePolicy={"rules": [_rule("Ignore", onExitCodes=_codes(7))]})
    job |= {"apiVersion": "batch/v1", "kind": "Job"}
    job["metadata"]["uid"] = "u"
    counted = make_pod(job, 0, _pod("a", "Failed", index=0, failures=2))
    ignored = make_pod(job, 0, _pod("a", "Failed", index=0, failures=2, code=7))
    assert [counted["metadata"]["annotations"].get(key) for key in (FAILURES, IGNORED)] == ["3", None]
    assert [ignored["metadata"]["annotations"].get(key) for key in (FAILURES, IGNORED)] == ["2", "1"]


def test_a_failed_pod_is_kept_until_its_index_has_another() -> None:
    failed = _pod("a", "Failed", index=0, failures=0)
    assert counted_next(take_stock(_per_index(), [failed]), None)[0] == []
    again = _pod("b", index=0, failures=1)
    assert counted_next(take_stock(_per_index(), [failed, again]), None)[0] == [failed]


def test_each_index_waits_for_itself() -> None:
    pods = [
        _pod("a", "Failed", index=0, failures=0, ended=3),
        _pod("b", "Failed", index=1, failures=1, ended=3),
    ]
    assert _planned(_per_index(5, completions=2), *pods).wait == 7
    assert _planned(_per_index(5), *pods).create == [2]


def test_a_job_fails_when_all_indexes_are_settled_and_one_failed() -> None:
    failed = _pod("a", "Failed", index=0, failures=1)
    good = [_pod("b", "Succeeded", index=1), _pod("c", "Succeeded", index=2)]
    assert _planned(_per_index(), failed, *good).failed == ("FailedIndexes", "Job has failed indexes")
    assert _planned(_per_index(), failed, good[0]).failed is None


def test_too_many_failed_indexes_fail_the_job_at_once() -> None:
    pods = [_pod(str(index), "Failed", index=index, failures=1) for index in range(2)]
    text = "Job has exceeded the specified maximal number of failed indexes"
    assert _planned(_per_index(maxFailedIndexes=1), *pods).failed == ("MaxFailedIndexesExceeded", text)
    assert _planned(_per_index(maxFailedIndexes=2), *pods).failed is None


def test_a_rule_may_give_an_index_up() -> None:
    job = _per_index(9, podFailurePolicy={"rules": [_rule("FailIndex", onExitCodes=_codes(7))]})
    assert take_stock(job, [_pod("a", "Failed", index=0, failures=0, code=7)]).failed_indexes == {0}
    assert take_stock(job, [_pod("a", "Failed", index=0, failures=0, code=8)]).failed_indexes == set()


_RULES = [  # a rule, done indexes → met
    ({"succeededCount": 2}, {1}, False),
    ({"succeededCount": 2}, {1, 3}, True),
    ({"succeededIndexes": "0,2"}, {0}, False),
    ({"succeededIndexes": "0,2"}, {0, 2}, True),
    ({"succeededIndexes": "0-3", "succeededCount": 2}, {0, 9}, False),
    ({"succeededIndexes": "0-3", "succeededCount": 2}, {0, 3}, True),
]


@pytest.mark.parametrize(("rule", "done", "met"), _RULES)
def test_a_success_policy_is_met_by_some_indexes(rule: Obj, done: set[int], met: bool) -> None:
    never = {"succeededCount": 99}
    job = _job(completionMode="Indexed", completions=10, successPolicy={"rules": [never, rule]})
    assert met_rule(job, done) == ("Matched rules at index 1" if met else "")


def test_of_two_pods_with_one_index_one_is_given_up() -> None:
    job = _job(completionMode="Indexed", completions=2, parallelism=2)
    pods = [_pod("a", index=0), _pod("b", "Pending", index=0), _pod("c", index=1), _pod("d", index=7)]
    assert sorted(_deleted(_planned(job, *pods))) == ["b", "d"]


@pytest.mark.parametrize("numbers", [set(), {3}, {0, 1, 2, 4}, {1, 2}, {0, 1, 3, 4, 5, 9}])
def test_ranges_of_indexes_are_written_as_they_are_read(numbers: set[int]) -> None:
    assert parse_indexes(format_indexes(numbers)) == numbers


def test_a_job_of_billions_of_completions_costs_what_its_pods_cost() -> None:
    job = _job(completionMode="Indexed", completions=2_000_000_000, parallelism=2)
    assert _planned(job).create == [0, 1]
    policy = {"rules": [{"succeededIndexes": "0-1999999999", "succeededCount": 1}]}
    assert met_rule(_job(completionMode="Indexed", successPolicy=policy), {7}) == "Matched rules at index 0"
