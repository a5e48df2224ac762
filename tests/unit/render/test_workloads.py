from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("{image: x}", "Deployment"),
        ("{image: x, volumes: ['data:/d']}", "StatefulSet"),
        ("{image: x, volumes: ['/d']}", "Deployment"),
        ("{image: x, deploy: {mode: global}}", "DaemonSet"),
        ("{image: x, restart: 'no'}", "Job"),
        ("{image: x, restart: 'no', ports: ['80']}", "Deployment"),
        ("{image: x, restart: 'no', healthcheck: {test: 'true'}}", "Deployment"),
        ("{image: x, restart: 'on-failure:3'}", "Job"),
        ("{image: x, restart: on-failure, expose: ['80']}", "Deployment"),
        ("{image: x, deploy: {restart_policy: {condition: none}}}", "Job"),
        ("{image: x, deploy: {mode: replicated-job, replicas: 3}}", "Job"),
    ],
)
def test_what_runs_a_service_follows_from_its_keys(service: str, kind: str, render_text: Render) -> None:
    result = render_text(f"services:\n  it: {service}\nvolumes: {{data: }}\n")
    workloads = [obj["kind"] for obj in result.objects if "template" in (obj.get("spec") or {})]
    assert workloads == [kind]


def test_a_service_that_others_await_the_end_of_is_a_job_whatever_it_says(render_text: Render) -> None:
    result = render_text("""
        services:
          web: {image: x, depends_on: {setup: {condition: service_completed_successfully}}}
          setup: {image: x, ports: ["80"]}
    """)
    assert result.names("Job")[0].startswith("setup-")
    annotations = result.find("Deployment", "web")["metadata"]["annotations"]
    assert annotations["leeward.dev/depends-on"] == '{"setup":"service_completed_successfully"}'


def test_a_job_gets_a_new_name_when_its_template_changes_and_only_then(render_text: Render) -> None:
    text = "services: {{it: {{image: '{}', restart: 'no'}}}}"
    first, again, other = (render_text(text.format(image)).names("Job") for image in ("a", "a", "b"))
    assert first == again
    assert first != other


def test_losing_a_node_does_not_use_up_the_only_attempt_of_a_job(render_text: Render) -> None:
    result = render_text("services: {it: {image: x, restart: 'no'}}")
    spec = result.find("Job", result.names("Job")[0])["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert spec["template"]["spec"]["restartPolicy"] == "Never"


def test_no_pod_goes_before_its_successor_is_ready(render_text: Render) -> None:
    spec = render_text("services: {web: {image: x}}").find("Deployment", "web")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(("replicas", "rule"), [(1, "ScheduleAnyway"), (3, "DoNotSchedule")])
def test_replicas_are_balanced_over_the_zones_that_can_take_them(
    replicas: int, rule: str, render_text: Render
) -> None:
    text = f"services: {{web: {{image: x, deploy: {{replicas: {replicas}}}}}}}"
    zone = render_text(text).pod("Deployment", "web")["topologySpreadConstraints"][0]
    assert (zone["topologyKey"], zone["whenUnsatisfiable"]) == ("topology.kubernetes.io/zone", rule)
    assert zone.get("nodeTaintsPolicy") == ("Honor" if replicas > 1 else None)


def test_a_disruption_budget_exists_from_two_replicas_on(render_text: Render) -> None:
    text = "services: {one: {image: x}, two: {image: x, scale: 2}}"
    assert render_text(text).names("PodDisruptionBudget") == ["two"]


def test_no_token_and_no_service_links_reach_a_container(render_text: Render) -> None:
    pod = render_text("services: {kafka: {image: x}}").pod("Deployment", "kafka")
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False


def test_only_a_pod_that_is_alone_is_called_like_its_service(render_text: Render) -> None:
    result = render_text(
        "services: {one: {image: x}, two: {image: x, scale: 2}, named: {image: x, scale: 2, hostname: me}}"
    )
    assert result.pod("Deployment", "one")["hostname"] == "one"
    assert "hostname" not in result.pod("Deployment", "two")
    assert result.pod("Deployment", "named")["hostname"] == "me"


def test_requests_are_never_missing_and_never_above_the_limit(render_text: Render) -> None:
    result = render_text("services: {a: {image: x}, b: {image: x, mem_limit: 64m, cpus: 0.05}}")
    assert result.container("Deployment", "a")["resources"] == {
        "requests": {"cpu": "100m", "memory": "128Mi"}
    }
    assert result.container("Deployment", "b")["resources"] == {
        "requests": {"cpu": "50m", "memory": "64Mi"},
        "limits": {"cpu": "50m", "memory": "64Mi"},
    }


def test_the_grace_period_has_room_for_the_drain(render_text: Render) -> None:
    text = "services: {web: {image: x, ports: ['80:80'], stop_grace_period: 30s}}"
    pod = render_text(text, environment="production").pod("Deployment", "web")
    drain = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] == 30 + drain


def test_an_image_given_by_the_caller_wins(render_text: Render) -> None:
    result = render_text("services: {web: {image: x}}", images={"web": "r/x@sha256:1"})
    assert result.container("Deployment", "web")["image"] == "r/x@sha256:1"


def test_an_entrypoint_replaces_command_and_a_command_is_args(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, entrypoint: /e -x, command: run me}}")
    container = result.container("Deployment", "a")
    assert (container["command"], container["args"]) == (["/e", "-x"], ["run", "me"])


@pytest.mark.parametrize(
    ("test", "command"),
    [
        ("[CMD, curl, -f, localhost]", ["curl", "-f", "localhost"]),
        ("[CMD-SHELL, 'curl -f localhost']", ["/bin/sh", "-c", "curl -f localhost"]),
        ("curl -f localhost", ["/bin/sh", "-c", "curl -f localhost"]),
    ],
)
def test_a_health_check_is_readiness_and_start_up_but_not_liveness(
    test: str, command: list[str], render_text: Render
) -> None:
    container = render_text(f"services: {{a: {{image: x, healthcheck: {{test: {test}}}}}}}").container(
        "Deployment", "a"
    )
    assert container["readinessProbe"] == {
        "exec": {"command": command}, "periodSeconds": 30, "timeoutSeconds": 30, "failureThreshold": 3,
    }  # fmt: skip
    assert container["startupProbe"]["exec"]["command"] == command
    assert "livenessProbe" not in container


def test_a_disabled_health_check_gives_no_probe_at_all(render_text: Render) -> None:
    text = "services: {a: {image: x, ports: ['80:80'], healthcheck: {disable: true}}}"
    container = render_text(text).container("Deployment", "a")
    assert [key for key in container if key.endswith("Probe")] == []


def test_a_named_user_that_is_not_root_runs_restricted(render_text: Render) -> None:
    security = render_text("services: {a: {image: x, user: '1000:2000'}}").container("Deployment", "a")[
        "securityContext"
    ]
    assert security == {
        "runAsUser": 1000, "runAsGroup": 2000, "runAsNonRoot": True, "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip


def test_on_a_real_cluster_pods_without_data_leave_a_lost_node_early(render_text: Render) -> None:
    result = render_text(
        "services: {web: {image: x}, db: {image: x, volumes: ['data:/d']}}\nvolumes: {data: }",
        environment="production",
    )
    seconds = {item["tolerationSeconds"] for item in result.pod("Deployment", "web")["tolerations"]}
    assert seconds == {30}
    assert "tolerations" not in result.pod("StatefulSet", "db")


def test_a_serving_service_that_says_restart_no_is_told_that_it_will_be_restarted(
    render_text: Render,
) -> None:
    result = render_text("services: {web: {image: x, restart: 'no', expose: ['80']}}")
    assert [found.path for found in result.diagnostics] == ["services.web.restart"]
