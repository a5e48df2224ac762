"""When CronJobs start Jobs, which they do not start, and which they forget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.cluster.controllers.cronjob.schedule import (
    Schedule,
    ScheduleError,
    ZoneError,
    due,
    parse_schedule,
)
from leeward.kube.objects import Obj, key_of, parse_time

if TYPE_CHECKING:
    from tests.unit.controllers_workload.conftest import Stage

CRON_JOBS, JOBS = "cronjobs.batch", "jobs.batch"
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "zone", "after", "first"),
    [
        ("*/5 * * * *", None, "2030-01-01T12:00:00Z", "2030-01-01T12:05:00Z"),
        ("0 3 * * *", None, "2030-01-01T12:00:00Z", "2030-01-02T03:00:00Z"),
        ("0 3 * * *", "Europe/Berlin", "2030-01-01T12:00:00Z", "2030-01-02T02:00:00Z"),
        ("0 3 * * *", "Europe/Berlin", "2030-07-01T12:00:00Z", "2030-07-02T01:00:00Z"),
        ("0 0 ? * MON-FRI", None, "2030-01-04T12:00:00Z", "2030-01-07T00:00:00Z"),
        ("0 0 1,15 * *", None, "2030-01-02T12:00:00Z", "2030-01-15T00:00:00Z"),
        ("@hourly", None, "2030-01-01T12:00:00Z", "2030-01-01T13:00:00Z"),
        ("@weekly", None, "2030-01-01T12:00:00Z", "2030-01-06T00:00:00Z"),
        ("@every 1h30m", None, "2030-01-01T12:00:00Z", "2030-01-01T13:30:00Z"),
    ],
)
def test_a_schedule_says_when_it_is_due(text: str, zone: str | None, after: str, first: str) -> None:
    assert parse_schedule(text, zone).after(parse_time(after)) == parse_time(first)


@pytest.mark.parametrize(
    "text", ["", "* * * *", "61 * * * *", "@sometimes", "@every", "@every 0s", "@every x"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(ScheduleError):
        parse_schedule(text)


def test_an_unknown_time_zone_is_refused() -> None:
    with pytest.raises(ZoneError):
        parse_schedule("* * * * *", "Mars/Olympus")


SCHEDULES = st.sampled_from(
    [parse_schedule(text) for text in ("* * * * *", "*/7 3-5 * * *", "0 0 * * 1", "@every 90s")]
)


@given(SCHEDULES, st.integers(0, 10**6))
def test_the_last_time_is_the_one_whose_successor_is_later(schedule: Schedule, seconds: int) -> None:
    now = NOON + timedelta(seconds=seconds)
    last = schedule.until(now, NOON)
    if last is None:
        first = schedule.after(NOON)
        assert first is not None
        assert first > now
    else:
        following = schedule.after(last)
        assert following is not None
        assert NOON < last <= now < following


def test_times_before_the_deadline_are_not_made_up_for() -> None:
    hourly = parse_schedule("@hourly")
    now = NOON + timedelta(minutes=30)
    late = due(hourly, created=NOON - timedelta(days=1), last=None, deadline=600, now=now)
    assert (late.at, late.following) == (None, NOON + timedelta(hours=1))
    in_time = due(hourly, created=NOON - timedelta(days=1), last=None, deadline=3600, now=now)
    assert (in_time.at, in_time.many) == (NOON, False)


def test_more_than_a_hundred_missed_times_are_told() -> None:
    minutely = parse_schedule("* * * * *")
    for minutes, many in ((100, False), (101, True)):
        now = NOON + timedelta(minutes=minutes)
        assert due(minutely, created=NOON, last=NOON, deadline=None, now=now).many is many


# On a control plane -----------------------------------------------------------------------------------


def _create(stage: Stage, schedule: str = "* * * * *", **spec: Any) -> None:
    template = {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "x"}]}}
    job = {"metadata": {"labels": {"team": "shop"}}, "spec": {"template": template}}
    stage.create(CRON_JOBS, "tick", {"schedule": schedule, "jobTemplate": job, **spec})


def _jobs(stage: Stage) -> list[Obj]:
    return stage.client.list(JOBS, "shop")


def _end(stage: Stage, phase: str = "Succeeded") -> None:
    for pod in stage.pods():
        if not pod["spec"].get("nodeName"):
            stage.client.bind("shop", key_of(pod).name, "n")
        code = int(phase == "Failed")
        stage.tell(
            key_of(pod).name,
            phase,
            containerStatuses=[{"name": "c", "state": {"terminated": {"exitCode": code}}, "restartCount": 0}],
        )
    stage.step()


def _status(stage: Stage) -> Obj:
    status: Obj = stage.get(CRON_JOBS, "tick").get("status") or {}
    return status


def test_a_job_is_started_every_minute_and_its_end_is_noted(stage: Stage) -> None:
    _create(stage)
    stage.step(61)
    (job,) = _jobs(stage)
    minute = parse_time(_status(stage)["lastScheduleTime"])
    assert job["metadata"]["name"] == f"tick-{int(minute.timestamp()) // 60}"
    assert job["metadata"]["labels"]["team"] == "shop"
    assert (
        parse_time(job["metadata"]["annotations"]["batch.kubernetes.io/cronjob-scheduled-timestamp"])
        == minute
    )
    assert job["metadata"]["ownerReferences"][0]["kind"] == "CronJob"
    assert [each["name"] for each in _status(stage)["active"]] == [job["metadata"]["name"]]
    _end(stage)
    assert "active" not in _status(stage)
    assert "lastSuccessfulTime" in _status(stage)
    assert stage.events("SawCompletedJob") == [
        f"Saw completed job: {job['metadata']['name']}, condition: Complete"
    ]
    stage.step(60)
    assert len(_jobs(stage)) == 2


@pytest.mark.parametrize(("policy", "running"), [("Allow", 3), ("Forbid", 1), ("Replace", 1)])
def test_concurrency_is_as_the_policy_says(stage: Stage, policy: str, running: int) -> None:
    _create(stage, concurrencyPolicy=policy)
    stage.step(61)
    first = _jobs(stage)[0]["metadata"]["name"]
    stage.step(121)
    names = [job["metadata"]["name"] for job in _jobs(stage)]
    assert len(names) == running
    assert (first in names) is (policy != "Replace")
    assert bool(stage.events("JobAlreadyActive")) is (policy == "Forbid")
    assert stage.events("MissingJob") == []  # a replaced Job is missed by nobody
    assert [each["name"] for each in stage.get(CRON_JOBS, "tick")["status"]["active"]] == names


def test_only_the_last_jobs_are_kept(stage: Stage) -> None:
    _create(stage, successfulJobsHistoryLimit=2, failedJobsHistoryLimit=0)
    stage.step(5)
    for _ in range(4):
        stage.step(60)
        _end(stage)
    assert len(_jobs(stage)) == 2


def test_a_suspended_one_starts_nothing_until_it_is_resumed(stage: Stage) -> None:
    _create(stage, suspend=True)
    stage.step(300)
    assert _jobs(stage) == []
    stage.patch(CRON_JOBS, "tick", {"spec": {"suspend": False}})
    assert len(_jobs(stage)) == 1


def test_a_job_that_somebody_deleted_is_missed_and_not_started_again(stage: Stage) -> None:
    _create(stage)
    stage.step(61)
    (job,) = _jobs(stage)
    stage.delete(JOBS, key_of(job).name)
    assert "active" not in _status(stage)
    assert stage.events("MissingJob") == [f"Active job went missing: {key_of(job).name}"]
    assert _jobs(stage) == []


def test_a_job_that_cannot_be_made_is_told(stage: Stage) -> None:
    counts = {"count/jobs.batch": "0"}
    meta = {"name": "none", "namespace": "shop"}
    quota = stage.client.create("resourcequotas", {"metadata": meta, "spec": {"hard": counts}})
    stage.client.update_status("resourcequotas", {**quota, "status": {"hard": counts, "used": counts}})
    _create(stage)
    stage.step(61)
    assert _jobs(stage) == []
    assert "exceeded quota: none" in stage.events("FailedCreate")[0]
