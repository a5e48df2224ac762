from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
STEPS = """
    services:
      app:
        image: app:1
        user: "1000:1000"
        working_dir: /srv
        environment: {{DB: db, LEVEL: info}}
        deploy: {{replicas: 3}}
        ports: ["80:80"]
        volumes: ["/scratch"]
        configs: [settings]
        depends_on: {{db: {{condition: service_healthy}}}}
        networks: {{default: {{aliases: [front]}}}}
        pre_start:
          - command: [./manage, migrate, "$$(date)"]
            environment: {{LEVEL: debug, ADMIN_PASSWORD: hunter2}}
          - {{image: busybox, user: root, command: [sh, -c, "seed"], working_dir: /, {more}}}
      db: {{image: db, expose: ["1"], healthcheck: {{test: "true"}}}}
    configs: {{settings: {{content: "a"}}}}
"""


@pytest.fixture
def migrated(render_text: Render) -> Any:
    return render_text(STEPS.format(more="per_replica: false"))


def pod_of(result: Any) -> Any:
    return result.pod("Job", result.names("Job")[0])


def test_steps_run_once_a_release_in_a_job_that_the_service_waits_for(migrated: Any) -> None:
    (name,) = migrated.names("Job")
    assert name.startswith("app-pre-start-")
    job = migrated.find("Job", name)
    assert json.loads(job["metadata"]["annotations"]["leeward.dev/depends-on"]) == {"db": "service_healthy"}
    app = migrated.find("Deployment", "app")
    assert json.loads(app["metadata"]["annotations"]["leeward.dev/depends-on"]) == {
        "app-pre-start": "service_completed_successfully",
        "db": "service_healthy",
    }
    assert job["metadata"]["labels"]["app.kubernetes.io/name"] == "app-pre-start"
    assert "initContainers" not in app["spec"]["template"]["spec"]


def test_steps_run_in_their_order_each_in_its_own_container(migrated: Any) -> None:
    pod = pod_of(migrated)
    assert [each["name"] for each in pod["initContainers"]] == ["pre-start-0"]
    assert [each["name"] for each in pod["containers"]] == ["pre-start-1"]
    assert pod["restartPolicy"] == "Never"


def test_a_step_has_what_the_service_has_unless_it_says_otherwise(migrated: Any) -> None:
    pod = pod_of(migrated)
    first, second = pod["initContainers"][0], pod["containers"][0]
    assert (first["image"], first["args"], first["workingDir"]) == (
        "app:1",
        ["./manage", "migrate", "$$(date)"],
        "/srv",
    )
    values = {entry["name"]: entry.get("value") for entry in first["env"]}
    assert values == {"DB": "db", "LEVEL": "debug", "ADMIN_PASSWORD": None}
    assert first["securityContext"]["runAsUser"] == 1000
    assert {mount["mountPath"] for mount in first["volumeMounts"]} == {"/scratch", "/settings"}
    assert (second["image"], second["workingDir"]) == ("busybox", "/")
    assert second["securityContext"] == {"runAsUser": 0}
    assert [key for key in first if key.endswith("Probe") or key in ("lifecycle", "ports")] == []


def test_secrets_of_a_step_are_in_a_secret(migrated: Any) -> None:
    assert [name for name in migrated.names("Secret") if name.startswith("app-pre-start-0-env-")]


def test_no_traffic_reaches_the_pods_of_the_steps(migrated: Any) -> None:
    labels = migrated.find("Job", migrated.names("Job")[0])["spec"]["template"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/name"] == "app-pre-start"
    assert labels["network.leeward.dev/default"] == "true"
    assert not [key for key in labels if key.startswith("alias.")]
    assert "hostname" not in pod_of(migrated)


def test_a_step_that_fails_is_final_but_losing_its_node_is_not(migrated: Any) -> None:
    spec = migrated.find("Job", migrated.names("Job")[0])["spec"]
    assert spec["backoffLimit"] == 0
    assert spec["podFailurePolicy"]["rules"][0]["action"] == "Ignore"
    assert "ttlSecondsAfterFinished" not in spec


def test_steps_of_every_replica_are_init_containers(render_text: Render) -> None:
    result = render_text(STEPS.format(more="per_replica: true"))
    assert [each["name"] for each in result.pod("Deployment", "app")["initContainers"]] == ["pre-start-1"]
    assert [each["name"] for each in pod_of(result)["containers"]] == ["pre-start-0"]


def test_a_step_has_the_entrypoint_of_the_service_when_it_has_its_image(render_text: Render) -> None:
    result = render_text("""
        services:
          app:
            image: app
            entrypoint: [/entry, -x]
            pre_start: [{command: [migrate]}, {image: other, command: [seed]}]
    """)
    pod = pod_of(result)
    assert (pod["initContainers"][0]["command"], pod["initContainers"][0]["args"]) == (
        ["/entry", "-x"],
        ["migrate"],
    )
    assert "command" not in pod["containers"][0]


def test_a_privileged_step_is_privileged_alone(render_text: Render) -> None:
    result = render_text(
        "services: {a: {image: x, user: '5', pre_start: [{command: [y], privileged: true}]}}"
    )
    security = pod_of(result)["containers"][0]["securityContext"]
    assert (security["privileged"], "allowPrivilegeEscalation" in security) == (True, False)
    assert "privileged" not in result.container("Deployment", "a")["securityContext"]


def test_where_the_volume_exists_only_with_the_pod_steps_run_in_the_pod(render_text: Render) -> None:
    result = render_text("""
        services:
          db:
            image: db
            volumes: ["data:/data"]
            pre_start: [{image: busybox, user: root, command: [chown, "5", /data]}]
        volumes: {data: }
    """)
    assert result.names("Job") == []
    (step,) = result.pod("StatefulSet", "db")["initContainers"]
    assert step["volumeMounts"][0]["name"] == "data"
    assert "runs-at-every-start" in result.codes()


def test_steps_of_a_job_are_part_of_it(render_text: Render) -> None:
    result = render_text("services: {once: {image: x, restart: 'no', pre_start: [{command: [prepare]}]}}")
    assert len(result.names("Job")) == 1
    assert [each["name"] for each in pod_of(result)["initContainers"]] == ["pre-start-0"]


def test_a_changed_step_is_a_new_job(render_text: Render) -> None:
    text = "services: {{a: {{image: x, pre_start: [{{command: [migrate, '{}']}}]}}}}"
    first, again, other = (render_text(text.format(value)).names("Job") for value in "aab")
    assert first == again != other


def test_steps_wait_in_their_pod_as_the_service_would(render_text: Render) -> None:
    text = STEPS.format(more="per_replica: false").replace("ports:", "command: [sh, -c, run]\n        ports:")
    pod = pod_of(render_text(text, environment="production"))
    assert [each["name"] for each in pod["initContainers"]] == ["wait-for-dependencies", "pre-start-0"]


def test_the_name_of_the_steps_is_never_another_services(render_text: Render) -> None:
    result = render_text(
        "services: {a: {image: x, pre_start: [{command: [y]}]}, a-pre-start: {image: z, restart: 'no'}}"
    )
    names = [
        obj["metadata"]["labels"]["app.kubernetes.io/name"] for obj in result.objects if obj["kind"] == "Job"
    ]
    assert len(set(names)) == 2
