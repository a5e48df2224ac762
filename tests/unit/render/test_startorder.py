from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

Render = Callable[..., Any]
WAITS = "leeward.dev/depends-on"
HEALTHY = """
    services:
      web:
        image: x
        command: [sh, -c, run]
        depends_on: {{db: {{condition: service_healthy{more}}}}}
        {extra}
      db: {{image: y, expose: ["5432"], healthcheck: {{test: pg_isready}}}}
"""


def waits_of(result: Any, kind: str, name: str) -> Any:
    return json.loads(result.find(kind, name)["metadata"]["annotations"][WAITS])


def test_every_condition_is_written_for_whoever_applies(render_text: Render) -> None:
    result = render_text("""
        services:
          web:
            image: x
            depends_on:
              db: {condition: service_healthy}
              cache: {condition: service_started}
              setup: {condition: service_completed_successfully}
          db: {image: x, healthcheck: {test: "true"}}
          cache: {image: x}
          setup: {image: x}
    """)
    assert waits_of(result, "Deployment", "web") == {
        "cache": "service_started",
        "db": "service_healthy",
        "setup": "service_completed_successfully",
    }


def test_what_is_not_required_is_marked_and_what_is_not_there_is_not_waited_for(render_text: Render) -> None:
    result = render_text("""
        services:
          web:
            image: x
            depends_on:
              db: {condition: service_healthy, required: false}
              debug: {condition: service_started, required: false}
          db: {image: x, healthcheck: {test: "true"}}
          debug: {image: x, profiles: [debug]}
    """)
    assert waits_of(result, "Deployment", "web") == {
        "db": {"condition": "service_healthy", "required": False}
    }


def test_on_the_embedded_cluster_no_pod_waits_by_itself(render_text: Render) -> None:
    result = render_text(HEALTHY.format(more="", extra=""))
    assert "initContainers" not in result.pod("Deployment", "web")


def test_elsewhere_a_pod_whose_image_has_a_shell_waits_for_the_service_of_what_must_be_healthy(
    render_text: Render,
) -> None:
    result = render_text(HEALTHY.format(more="", extra="user: '1000'"), environment="production")
    (gate,) = result.pod("Deployment", "web")["initContainers"]
    assert (gate["name"], gate["image"]) == ("wait-for-dependencies", "x")
    assert gate["command"][-2:] == ["db", "5432"]
    assert gate["securityContext"]["runAsNonRoot"] is True
    assert "order-at-apply" not in result.codes()


@pytest.mark.parametrize(
    "change",
    [
        "x-leeward: {wait: false}",
        "command: [serve]",
        "depends_on: {db: {condition: service_started}}",
        "depends_on: {db: {condition: service_healthy, required: false}}",
    ],
)
def test_no_pod_waits_when_told_not_to_or_without_a_shell_or_a_reason(
    change: str, render_text: Render
) -> None:
    text = HEALTHY.format(more="", extra="")
    key = change.partition(":")[0]
    lines = [line for line in text.splitlines() if not line.startswith(f"        {key}:")]
    at = lines.index("        image: x") + 1
    result = render_text("\n".join([*lines[:at], f"        {change}", *lines[at:]]), environment="production")
    assert "initContainers" not in result.pod("Deployment", "web")
    assert ("order-at-apply" in result.codes()) is (change == "command: [serve]")


@pytest.fixture
def script(render_text: Render) -> str:
    pod = render_text(HEALTHY.format(more="", extra=""), environment="production").pod("Deployment", "web")
    text: str = pod["initContainers"][0]["command"][2]
    return text.replace("$$(", "$(")  # as a kubelet expands it


def gate(script: str, *words: str, nc: str) -> subprocess.CompletedProcess[str]:
    """Run the gate where `nc` is a shell function and nothing sleeps."""
    stubs = f"nc() {{ {nc}; }}; sleep() {{ echo slept; }};"
    return subprocess.run(
        ["sh", "-c", stubs + script, "gate", *words], capture_output=True, text=True, timeout=30, check=False
    )


def test_the_gate_opens_at_once_when_everything_answers(script: str) -> None:
    done = gate(script, "db", "5432", "cache", "6379", nc="true")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_gate_opens_after_thirty_attempts_when_nothing_ever_answers(script: str) -> None:
    done = gate(script, "db", "5432", "cache", "6379", nc="false")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [*["slept"] * 30, "no answer from db:5432; starting all the same"]


def test_a_new_release_of_a_dependency_with_restart_rolls_the_pods(render_text: Render) -> None:
    text = """
        services:
          web: {{image: x, depends_on: {{db: {{condition: service_started, restart: {restart}}}}}}}
          db: {{image: "{db}"}}
    """

    def noted(db: str, restart: str = "true") -> Any:
        result = render_text(text.format(db=db, restart=restart))
        meta = result.find("Deployment", "web")["spec"]["template"]["metadata"]
        return (meta.get("annotations") or {}).get("leeward.dev/restart-after")

    assert noted("y:1") == noted("y:1")
    assert noted("y:1") != noted("y:2")
    assert noted("y:1", "false") is None


def test_a_service_with_a_schedule_is_not_waited_for(render_text: Render) -> None:
    result = render_text("""
        services:
          web: {image: x, depends_on: {night: {condition: service_completed_successfully}}}
          night: {image: x, x-leeward: {schedule: "0 3 * * *"}}
    """)
    assert waits_of(result, "Deployment", "web") == {"night": "service_started"}
    assert "never-completes" in result.codes()
