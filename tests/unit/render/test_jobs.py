from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
NIGHT = "services: {{night: {{image: x, x-leeward: {{schedule: {schedule}}}{more}}}}}"


@pytest.mark.parametrize(
    ("keys", "policy", "backoff"),
    [
        ("restart: 'no'", "Never", 0),
        ("restart: on-failure", "OnFailure", 6),
        ("restart: 'on-failure:3'", "OnFailure", 3),
        ("deploy: {restart_policy: {condition: none}}", "Never", 0),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}", "OnFailure", 2),
        ("deploy: {mode: replicated-job}", "OnFailure", 6),
        ("deploy: {mode: replicated-job, restart_policy: {condition: none}}", "Never", 0),
    ],
)
def test_retries_follow_from_the_restart_policy(
    keys: str, policy: str, backoff: int, render_text: Render
) -> None:
    result = render_text(f"services: {{it: {{image: x, {keys}}}}}")
    spec = result.find("Job", result.names("Job")[0])["spec"]
    assert (spec["template"]["spec"]["restartPolicy"], spec["backoffLimit"]) == (policy, backoff)
    assert ("podFailurePolicy" in spec) is (policy == "Never")


def test_a_job_stays_after_its_end_so_that_others_see_it_and_it_does_not_run_twice(
    render_text: Render,
) -> None:
    result = render_text("services: {it: {image: x, restart: 'no'}}")
    assert "ttlSecondsAfterFinished" not in result.find("Job", result.names("Job")[0])["spec"]


def test_replicas_of_a_job_run_at_the_same_time(render_text: Render) -> None:
    result = render_text("services: {it: {image: x, deploy: {mode: replicated-job, replicas: 3}}}")
    spec = result.find("Job", result.names("Job")[0])["spec"]
    assert (spec["completions"], spec["parallelism"]) == (3, 3)


def test_a_global_job_is_told_that_it_cannot_be_on_every_node(render_text: Render) -> None:
    result = render_text("services: {it: {image: x, deploy: {mode: global-job}}}")
    assert [each.path for each in result.diagnostics] == ["services.it.deploy.mode"]


def test_a_job_has_no_spread_no_budget_and_no_service(render_text: Render) -> None:
    result = render_text("services: {it: {image: x, restart: 'no'}}")
    assert "topologySpreadConstraints" not in result.pod("Job", result.names("Job")[0])
    assert {obj["kind"] for obj in result.objects} == {"Namespace", "NetworkPolicy", "Job"}


def test_a_schedule_is_a_cron_job_in_utc_that_does_not_overlap(render_text: Render) -> None:
    result = render_text(NIGHT.format(schedule="'0 3 * * *'", more=""))
    spec = result.find("CronJob", "night")["spec"]
    template = spec.pop("jobTemplate")
    assert spec == {
        "schedule": "0 3 * * *",
        "timeZone": "Etc/UTC",
        "concurrencyPolicy": "Forbid",
        "successfulJobsHistoryLimit": 3,
        "failedJobsHistoryLimit": 1,
    }
    assert template["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert {obj["kind"] for obj in result.objects} == {"Namespace", "NetworkPolicy", "CronJob"}


def test_a_schedule_says_all_that_a_cron_job_can(render_text: Render) -> None:
    schedule = (
        "{cron: '@daily', timeZone: Europe/Berlin, concurrency: Replace, suspend: true, "
        "startingDeadlineSeconds: 300, keepSuccessful: 1, keepFailed: 5, parallel: 4}"
    )
    spec = render_text(NIGHT.format(schedule=schedule, more="")).find("CronJob", "night")["spec"]
    job = spec.pop("jobTemplate")["spec"]
    assert spec == {
        "schedule": "@daily",
        "timeZone": "Europe/Berlin",
        "concurrencyPolicy": "Replace",
        "suspend": True,
        "startingDeadlineSeconds": 300,
        "successfulJobsHistoryLimit": 1,
        "failedJobsHistoryLimit": 5,
    }
    assert (job["completionMode"], job["completions"], job["parallelism"]) == ("Indexed", 4, 4)


def test_a_run_is_not_taken_for_something_that_was_applied(render_text: Render) -> None:
    template = render_text(NIGHT.format(schedule="'@daily'", more="")).find("CronJob", "night")["spec"][
        "jobTemplate"
    ]
    assert template["metadata"]["labels"] == {
        "app.kubernetes.io/name": "night",
        "app.kubernetes.io/part-of": "shop",
    }


@pytest.mark.parametrize(
    ("more", "path"),
    [
        (", ports: ['80:80']", "services.night.ports"),
        (", healthcheck: {test: 'true'}", "services.night.healthcheck"),
        (", restart: always", "services.night.restart"),
        (", deploy: {mode: global}", "services.night.deploy.mode"),
    ],
)
def test_what_makes_no_sense_on_a_schedule_is_told(more: str, path: str, render_text: Render) -> None:
    result = render_text(NIGHT.format(schedule="'@daily'", more=more))
    assert path in {each.path for each in result.diagnostics}
    assert "readinessProbe" not in str(result.find("CronJob", "night"))


def test_a_long_name_leaves_room_for_the_time_of_a_run(render_text: Render) -> None:
    name = "report" * 10
    result = render_text(f"services: {{{name}: {{image: x, x-leeward: {{schedule: '@daily'}}}}}}")
    assert len(result.names("CronJob")[0]) <= 52


def test_a_schedule_with_a_container_name_has_no_service(render_text: Render) -> None:
    result = render_text(
        "services: {night: {image: x, container_name: owl, x-leeward: {schedule: '@daily'}}}"
    )
    assert result.names("Service") == []
