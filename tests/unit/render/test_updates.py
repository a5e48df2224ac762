from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]


@pytest.mark.parametrize(
    ("config", "rolling"),
    [
        ("{}", {"maxUnavailable": 0, "maxSurge": 1}),
        ("{parallelism: 2}", {"maxUnavailable": 0, "maxSurge": 2}),
        ("{order: start-first, parallelism: 0}", {"maxUnavailable": 0, "maxSurge": "100%"}),
        ("{order: stop-first}", {"maxUnavailable": 1, "maxSurge": 0}),
        ("{order: stop-first, parallelism: 0}", {"maxUnavailable": "100%", "maxSurge": 0}),
    ],
)
def test_order_and_parallelism_are_the_strategy(config: str, rolling: Any, render_text: Render) -> None:
    spec = render_text(f"services: {{a: {{image: x, deploy: {{update_config: {config}}}}}}}").find(
        "Deployment", "a"
    )["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}


def test_delay_and_monitor_are_how_long_a_roll_out_looks_at_a_pod(render_text: Render) -> None:
    spec = render_text("""
        services:
          a:
            image: x
            healthcheck: {test: "true", interval: 10s, start_period: 400s}
            deploy: {update_config: {delay: 20s, monitor: 30s}}
    """).find("Deployment", "a")["spec"]
    assert spec["minReadySeconds"] == 20
    assert spec["progressDeadlineSeconds"] == (40 + 3) * 10 + 20 + 30


def test_a_long_delay_does_not_make_the_roll_out_late(render_text: Render) -> None:
    text = "services: {a: {image: x, deploy: {update_config: {delay: 20m}}}}"
    spec = render_text(text).find("Deployment", "a")["spec"]
    assert spec["progressDeadlineSeconds"] > spec["minReadySeconds"] == 1200


@pytest.mark.parametrize("action", ["continue", "rollback"])
def test_a_failure_action_that_a_cluster_does_not_take_is_told(action: str, render_text: Render) -> None:
    result = render_text(
        f"services: {{a: {{image: x, deploy: {{update_config: {{failure_action: {action}}}}}}}}}"
    )
    assert [each.path for each in result.diagnostics] == ["services.a.deploy.update_config.failure_action"]


def test_pausing_a_failed_roll_out_is_what_a_cluster_does(render_text: Render) -> None:
    text = "services: {a: {image: x, deploy: {update_config: {failure_action: pause}}}}"
    assert render_text(text).diagnostics == []


@pytest.mark.parametrize(
    ("order", "rolling"),
    [
        ("stop-first", {"maxUnavailable": 2, "maxSurge": 0}),
        ("start-first", {"maxUnavailable": 0, "maxSurge": 2}),
    ],
)
def test_a_daemon_set_follows_the_order(order: str, rolling: Any, render_text: Render) -> None:
    config = f"{{order: {order}, parallelism: 2}}"
    text = f"services: {{a: {{image: x, deploy: {{mode: global, update_config: {config}}}}}}}"
    assert render_text(text).find("DaemonSet", "a")["spec"]["updateStrategy"]["rollingUpdate"] == rolling


def test_a_stateful_set_says_that_it_goes_one_by_one(render_text: Render) -> None:
    result = render_text("""
        services: {a: {image: x, volumes: ["data:/d"], deploy: {update_config: {parallelism: 2}}}}
        volumes: {data: }
    """)
    assert "services.a.deploy.update_config" in {each.path for each in result.diagnostics}


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_few_old_templates_are_kept(kind: str, render_text: Render) -> None:
    result = render_text("""
        services:
          a: {image: x}
          b: {image: x, volumes: ["data:/d"]}
          c: {image: x, deploy: {mode: global}}
        volumes: {data: }
    """)
    (workload,) = [obj for obj in result.objects if obj["kind"] == kind]
    assert workload["spec"]["revisionHistoryLimit"] == 5


def test_no_replicas_are_written(render_text: Render) -> None:
    text = "services: {a: {image: x, deploy: {replicas: 0}}, b: {image: x, scale: 0}}"
    result = render_text(text)
    assert [result.find("Deployment", name)["spec"]["replicas"] for name in "ab"] == [0, 0]


def test_an_autoscaler_alone_decides_about_replicas(render_text: Render) -> None:
    result = render_text(
        "services: {a: {image: x, deploy: {replicas: 3}, x-leeward: {autoscale: {min: 2, max: 9}}}}",
        environment="production",
    )
    assert "replicas" not in result.find("Deployment", "a")["spec"]
    assert result.names("PodDisruptionBudget") == ["a"]


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("x-leeward: {replicas: 2}, container_name: me", "name-of-many"),
        ("scale: 2, volumes: ['data:/d']", "replicas-share-nothing"),
    ],
)
def test_replicas_that_cannot_be_what_compose_means_are_told(
    keys: str, code: str, render_text: Render
) -> None:
    assert code in render_text(f"services: {{a: {{image: x, {keys}}}}}\nvolumes: {{data: }}").codes()
    alone = keys.replace(": 2", ": 1")
    assert code not in render_text(f"services: {{a: {{image: x, {alone}}}}}\nvolumes: {{data: }}").codes()


def test_a_number_of_restarts_is_told_to_have_no_end(render_text: Render) -> None:
    policy = "{condition: any, max_attempts: 3}"
    result = render_text(f"services: {{a: {{image: x, deploy: {{restart_policy: {policy}}}}}}}")
    assert [each.path for each in result.diagnostics] == ["services.a.deploy.restart_policy.max_attempts"]
