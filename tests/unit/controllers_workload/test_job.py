"""When a Job makes Pods, when it gives up, and what it remembers of Pods that are gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from leeward.cluster.controllers.job.plan import INDEX, Plan, count, parse_indexes, plan
from leeward.cluster.controllers.job.tally import Fate, failures_in_a_row, follow
from leeward.kube.objects import Obj, format_time, is_terminating
from leeward.kube.pods import is_finished

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

JOBS = "jobs.batch"
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
) -> Obj:
    meta: Obj = {"name": name, "namespace": "shop", "uid": name, "creationTimestamp": _ago(age)}
    if index is not None:
        meta["annotations"] = {INDEX: str(index)}
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


def _planned(job: Obj, *pods: Obj) -> Plan:
    return plan(job, count(job, pods, follow(job, pods, {}, _NOW)), _NOW)


def _deleted(planned: Plan) -> list[str]:
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
    assert _planned(job, _pod("a")).wait == 20


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


def test_the_deadline_comes_first_when_it_is_nearer_than_the_next_try() -> None:
    job = _job({"startTime": _ago(57)}, activeDeadlineSeconds=60)
    assert _planned(job, _pod("a", "Failed", ended=1)).wait == 3


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
    fates = follow(job, [pod], {}, _NOW)
    assert count(job, [pod], fates).failed == 0
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


def _kinds(fates: dict[str, Fate]) -> dict[str, str]:
    return {uid: fate.kind for uid, fate in fates.items()}


def test_what_became_of_a_pod_is_remembered_when_it_is_gone() -> None:
    job = _job()
    pods = [_pod("good", "Succeeded"), _pod("bad", "Failed"), _pod("running")]
    fates = follow(job, pods, {}, _NOW)
    assert _kinds(fates) == {"good": "succeeded", "bad": "failed", "running": "active"}
    later = follow(job, [], fates, _NOW)
    assert _kinds(later) == {"good": "succeeded", "bad": "failed", "running": "failed"}
    assert later["running"].at == _NOW


def test_a_pod_that_the_job_gave_up_itself_is_no_failure() -> None:
    before = {"a": Fate("dropped"), "b": Fate("dropped"), "c": Fate("dropped")}
    pods = [_pod("a", terminating=True), _pod("b", "Failed", terminating=True)]
    assert set(_kinds(follow(_job(), pods, before, _NOW)).values()) == {"dropped"}


def test_a_pod_is_judged_once() -> None:
    fates = follow(_job(), [_pod("a", terminating=True)], {}, _NOW)
    again = follow(_job(), [_pod("a", "Succeeded", terminating=True)], fates, _NOW)
    assert again == fates


def test_after_a_restart_the_status_tells_what_was_counted() -> None:
    job = _job({"succeeded": 2, "failed": 3}, completions=9)
    pods = [_pod("a", "Succeeded"), _pod("b", "Failed"), _pod("c", terminating=True)]
    counts = count(job, pods, follow(job, pods, None, _NOW))
    assert (counts.succeeded, counts.failed) == (2, 3)


def test_after_a_restart_pods_that_ended_meanwhile_are_counted() -> None:
    job = _job({"succeeded": 1}, completions=9)
    pods = [_pod("a", "Succeeded"), _pod("b", "Succeeded"), _pod("c", "Failed")]
    counts = count(job, pods, follow(job, pods, None, _NOW))
    assert (counts.succeeded, counts.failed) == (2, 1)


def test_failures_in_a_row_are_counted_in_the_order_of_their_ends() -> None:
    def fate(kind: str, ago: float) -> Fate:
        return Fate(kind, _NOW - timedelta(seconds=ago))

    fates = {
        "a": fate("failed", 1),
        "b": fate("failed", 9),
        "c": fate("succeeded", 5),
        "d": fate("ignored", 3),
    }
    assert failures_in_a_row(fates) == (2, _NOW - timedelta(seconds=1))
    assert failures_in_a_row({"a": Fate("active")}) == (0, None)


# On the real registry ------------------------------------------------------------------------------


def _run(stage: Stage, restart: str = "Never", **spec: Any) -> None:
    pod = {"restartPolicy": restart, "containers": [{"name": "c", "image": "web:1"}]}
    stage.create(JOBS, "job", {"template": {"spec": pod}, **spec})


def _start(stage: Stage) -> list[str]:
    stage.run_all()
    return stage.names()


def _end(stage: Stage, name: str, code: int) -> None:
    finished = {"exitCode": code, "finishedAt": format_time(stage.clock.now())}
    containers = [{"name": "c", "state": {"terminated": finished}, "restartCount": 0, "ready": False}]
    stage.tell(name, "Failed" if code else "Succeeded", containerStatuses=containers)
    stage.step()


def _status(stage: Stage, *names: str) -> list[Any]:
    status = stage.get(JOBS, "job")["status"]
    return [status.get(name, 0) for name in names]


def test_a_job_runs_to_its_end(stage: Stage) -> None:
    _run(stage, completions=3, parallelism=2)
    for expected in (2, 2, 1):
        names = _start(stage)
        assert len(names) == expected
        assert _status(stage, "active", "ready", "terminating") == [expected, expected, 0]
        _end(stage, names[0], 0)
    assert stage.condition(JOBS, "job", "Complete") == ("True", "CompletionsReached")
    assert stage.condition(JOBS, "job", "SuccessCriteriaMet") == ("True", "CompletionsReached")
    assert _status(stage, "succeeded", "active", "completionTime") == [3, 0, format_time(stage.clock.now())]
    assert stage.events("Completed") == ["Job completed"]
    assert len(stage.names(is_finished)) == 3


def test_a_pod_that_succeeded_counts_also_when_it_is_deleted(stage: Stage) -> None:
    _run(stage, completions=2)
    _end(stage, _start(stage)[0], 0)
    stage.delete("pods", stage.names(is_finished)[0])
    stage.finish_terminating()
    assert _status(stage, "succeeded", "active") == [1, 1]
    _end(stage, _start(stage)[0], 0)
    assert stage.condition(JOBS, "job", "Complete") is not None


def test_failures_are_retried_with_delay_until_the_limit(stage: Stage) -> None:
    _run(stage, backoffLimit=1)
    _end(stage, _start(stage)[0], 1)
    stage.step(9)
    assert stage.names() == []
    stage.step(2)
    assert len(stage.names()) == 1
    _end(stage, _start(stage)[0], 1)
    assert stage.condition(JOBS, "job", "Failed") == ("True", "BackoffLimitExceeded")
    assert _status(stage, "failed", "active") == [2, 0]
    assert stage.events("BackoffLimitExceeded") == ["Job has reached the specified backoff limit"]
    stage.step(1000)
    assert stage.names() == []


def test_a_job_has_failed_when_its_last_pod_is_gone(stage: Stage) -> None:
    _run(stage, parallelism=2, completions=2, backoffLimit=0)
    first, second = _start(stage)
    _end(stage, first, 1)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "BackoffLimitExceeded")
    assert stage.condition(JOBS, "job", "Failed") is None
    assert stage.names(is_terminating) == [second]
    stage.finish_terminating()
    assert stage.condition(JOBS, "job", "Failed") == ("True", "BackoffLimitExceeded")
    assert _status(stage, "failed", "terminating") == [2, 0]


def test_a_job_whose_kubelet_restarts_containers_fails_too(stage: Stage) -> None:
    _run(stage, restart="OnFailure", backoffLimit=2)
    (name,) = _start(stage)
    crashed = [{"name": "c", "state": {"waiting": {"reason": "CrashLoopBackOff"}}, "restartCount": 2}]
    stage.tell(name, "Running", containerStatuses=crashed)
    stage.step()
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "BackoffLimitExceeded")


def test_a_deadline_ends_the_job(stage: Stage) -> None:
    _run(stage, activeDeadlineSeconds=30)
    _start(stage)
    stage.step(29)
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    stage.step(2)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "DeadlineExceeded")


def test_a_job_is_suspended_and_resumed(stage: Stage) -> None:
    _run(stage, suspend=True, parallelism=2, completions=2)
    assert stage.names() == []
    assert stage.condition(JOBS, "job", "Suspended") == ("True", "JobSuspended")
    assert "startTime" not in stage.get(JOBS, "job")["status"]
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    assert len(_start(stage)) == 2
    assert stage.condition(JOBS, "job", "Suspended") == ("False", "JobResumed")
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    assert "startTime" not in stage.get(JOBS, "job")["status"]
    assert _status(stage, "active", "terminating", "failed") == [0, 2, 0]
    assert (stage.events("Suspended"), stage.events("Resumed")) == (["Job suspended"], ["Job resumed"])


def test_pods_given_up_by_suspension_are_no_failures(stage: Stage) -> None:
    _run(stage, backoffLimit=0)
    _start(stage)
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    for name in stage.names(is_terminating):
        stage.tell(name, "Failed")
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    stage.finish_terminating()
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    assert _status(stage, "active", "failed") == [1, 0]


def test_the_deadline_starts_again_when_a_job_is_resumed(stage: Stage) -> None:
    _run(stage, activeDeadlineSeconds=60)
    stage.step(50)
    stage.patch(JOBS, "job", {"spec": {"suspend": True}})
    stage.step(50)
    stage.patch(JOBS, "job", {"spec": {"suspend": False}})
    stage.step(50)
    assert stage.condition(JOBS, "job", "FailureTarget") is None
    stage.step(11)
    assert stage.condition(JOBS, "job", "FailureTarget") == ("True", "DeadlineExceeded")


def test_less_parallelism_makes_no_failures(stage: Stage) -> None:
    _run(stage, completions=6, parallelism=3, backoffLimit=0)
    _start(stage)
    stage.patch(JOBS, "job", {"spec": {"parallelism": 1}})
    assert _status(stage, "active", "terminating", "failed") == [1, 2, 0]
    stage.finish_terminating()
    assert _status(stage, "active", "terminating", "failed") == [1, 0, 0]
    assert stage.condition(JOBS, "job", "FailureTarget") is None


def test_a_pod_deleted_by_hand_is_a_failure_that_stays(stage: Stage) -> None:
    _run(stage)
    stage.delete("pods", _start(stage)[0])
    stage.finish_terminating()
    assert _status(stage, "failed", "active") == [1, 0]
    stage.step(11)
    assert _status(stage, "failed", "active") == [1, 1]


def test_every_index_has_its_number(stage: Stage) -> None:
    _run(stage, completionMode="Indexed", completions=3, parallelism=2)
    names = _start(stage)
    assert [name.rsplit("-", 1)[0] for name in names] == ["job-0", "job-1"]
    pod = stage.get("pods", names[1])
    assert pod["metadata"]["annotations"][INDEX] == pod["metadata"]["labels"][INDEX] == "1"
    assert pod["spec"]["hostname"] == "job-1"
    assert {"name": "JOB_COMPLETION_INDEX", "value": "1"} in pod["spec"]["containers"][0]["env"]
    _end(stage, names[1], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "1"
    _end(stage, names[0], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "0,1"
    _end(stage, _start(stage)[0], 0)
    assert stage.get(JOBS, "job")["status"]["completedIndexes"] == "0-2"


def test_a_finished_job_goes_when_its_time_is_over(stage: Stage) -> None:
    _run(stage, ttlSecondsAfterFinished=30)
    stage.step(100)
    assert stage.client.find(JOBS, "shop", "job") is not None
    _end(stage, _start(stage)[0], 0)
    stage.step(28)
    assert stage.client.find(JOBS, "shop", "job") is not None
    stage.step(3)
    assert stage.client.find(JOBS, "shop", "job") is None


def test_a_job_managed_by_another_controller_is_left_alone(stage: Stage) -> None:
    _run(stage, managedBy="example.com/queue")
    assert stage.names() == []
    assert "startTime" not in (stage.get(JOBS, "job").get("status") or {})


def test_a_new_job_of_the_name_remembers_nothing_of_the_old_one(stage: Stage) -> None:
    _run(stage, completions=2)
    _end(stage, _start(stage)[0], 0)
    stage.client.delete(JOBS, "shop", "job", propagation="Background")
    _run(stage, completions=2)
    assert _status(stage, "succeeded", "active") == [0, 1]
