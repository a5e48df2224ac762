from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Render = Callable[..., Any]


def probes(result: Any, name: str = "a", kind: str = "Deployment") -> dict[str, Any]:
    return {key: value for key, value in result.container(kind, name).items() if key.endswith("Probe")}


def check(test: str, more: str = "", render_text: Render | None = None, **options: Any) -> Any:
    assert render_text is not None
    return render_text(f"services: {{a: {{image: x, healthcheck: {{test: {test}}}{more}}}}}", **options)


@pytest.mark.parametrize("environment", ["local", "production"])
def test_dockers_default_timings_are_written_out(environment: str, render_text: Render) -> None:
    found = probes(check("'true'", render_text=render_text, environment=environment))
    timings = {"periodSeconds": 30, "timeoutSeconds": 30}
    run = {"exec": {"command": ["/bin/sh", "-c", "true"]}}
    assert found == {
        "readinessProbe": {**run, **timings, "failureThreshold": 3},
        "startupProbe": {**run, **timings, "failureThreshold": 10},
    }


@pytest.mark.parametrize(
    ("timings", "period", "failures"),
    [
        ("interval: 10s, start_period: 10m, retries: 5", 10, 65),
        ("interval: 10s, start_period: 10m, start_interval: 2s, retries: 5", 2, 305),
        ("interval: 10s, start_period: 605s, start_interval: 500ms, retries: 2", 1, 607),
        ("interval: 1m, retries: 2", 60, 5),  # five minutes at least: Docker does not restart
    ],
)
def test_a_start_has_the_time_that_compose_gives_it(
    timings: str, period: int, failures: int, render_text: Render
) -> None:
    startup = probes(render_text(f"services: {{a: {{image: x, healthcheck: {{test: 'true', {timings}}}}}}}"))[
        "startupProbe"
    ]
    assert (startup["periodSeconds"], startup["failureThreshold"]) == (period, failures)


def test_fractions_of_a_second_are_rounded_up(render_text: Render) -> None:
    text = "services: {a: {image: x, healthcheck: {test: 'true', interval: 1500ms, timeout: 200ms}}}"
    readiness = probes(render_text(text))["readinessProbe"]
    assert (readiness["periodSeconds"], readiness["timeoutSeconds"]) == (2, 1)


@pytest.mark.parametrize("test", ["[CMD, curl, -f, 'http://localhost/']", "nc -z localhost 80", "pg_isready"])
def test_a_command_stays_a_command(test: str, render_text: Render) -> None:
    assert "exec" in probes(check(test, render_text=render_text))["readinessProbe"]


def test_dollars_of_a_check_reach_its_shell(render_text: Render) -> None:
    found = probes(check("['CMD-SHELL', 'test $$(cat /ok) = $$WORD']", render_text=render_text))
    assert found["readinessProbe"]["exec"]["command"][2] == "test $$(cat /ok) = $WORD"


def test_liveness_is_the_health_check_when_asked_for(render_text: Render) -> None:
    found = probes(check("'true'", ", x-leeward: {liveness: true}", render_text=render_text))
    assert found["livenessProbe"] == found["readinessProbe"]


def test_liveness_without_a_health_check_is_told(render_text: Render) -> None:
    result = render_text("services: {a: {image: x, x-leeward: {liveness: true}}}")
    assert probes(result) == {}
    assert "no-health-check" in result.codes()


@pytest.mark.parametrize("off", ["disable: true", "test: [NONE]"])
def test_disabling_silences_the_check_of_the_image_too(off: str, render_text: Render, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nHEALTHCHECK CMD true\n", encoding="utf-8")
    text = "services: {{a: {{build: ., ports: ['80:80'], healthcheck: {{{}}}}}}}"
    assert "readinessProbe" in probes(render_text(text.format("interval: 5s")))
    assert probes(render_text(text.format(off))) == {}


def test_timings_alone_are_for_the_check_of_the_image(render_text: Render, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nHEALTHCHECK --retries=7 CMD ok\n", encoding="utf-8")
    readiness = probes(render_text("services: {a: {build: ., healthcheck: {interval: 5s}}}"))[
        "readinessProbe"
    ]
    assert (readiness["periodSeconds"], readiness["failureThreshold"]) == (5, 7)
    assert readiness["exec"]["command"] == ["/bin/sh", "-c", "ok"]


@pytest.mark.parametrize(
    ("probe", "handler"),
    [
        ("{http: /ready}", {"httpGet": {"path": "/ready", "port": 8080}}),
        ("{http: /ready, port: 9000}", {"httpGet": {"path": "/ready", "port": 9000}}),
        ("{tcp: true}", {"tcpSocket": {"port": 8080}}),
        ("{grpc: true}", {"grpc": {"port": 8080}}),
        ("{command: [check, now]}", {"exec": {"command": ["check", "now"]}}),
    ],
)
def test_a_probe_of_ones_own_takes_the_place_of_the_health_check(
    probe: str, handler: Any, render_text: Render
) -> None:
    found = probes(
        check("'true'", f", expose: ['8080'], x-leeward: {{readiness: {probe}}}", render_text=render_text)
    )
    assert found == {"readinessProbe": handler}


def test_timings_of_a_probe_of_ones_own_are_kubernetes_own(render_text: Render) -> None:
    timings = "periodSeconds: 3, timeoutSeconds: 2, failureThreshold: 4, initialDelaySeconds: 9"
    setting = f"{{readiness: {{tcp: true, port: 1, {timings}}}}}"
    found = probes(render_text(f"services: {{a: {{image: x, x-leeward: {setting}}}}}"))
    assert found["readinessProbe"] == {
        "tcpSocket": {"port": 1}, "initialDelaySeconds": 9,
        "periodSeconds": 3, "timeoutSeconds": 2, "failureThreshold": 4,
    }  # fmt: skip


def test_liveness_of_ones_own_waits_until_the_start_is_over(render_text: Render) -> None:
    found = probes(render_text("services: {a: {image: x, x-leeward: {liveness: {http: /live, port: 1}}}}"))
    assert found["livenessProbe"] == {"httpGet": {"path": "/live", "port": 1}}
    assert found["startupProbe"] == {"httpGet": {"path": "/live", "port": 1}, "failureThreshold": 30}


@pytest.mark.parametrize("probe", ["{port: 80}", "{tcp: true, grpc: true, port: 80}", "{tcp: true}"])
def test_a_probe_that_is_none_or_two_or_has_no_port_is_an_error(probe: str, render_text: Render) -> None:
    result = render_text(f"services: {{a: {{image: x, x-leeward: {{startup: {probe}}}}}}}")
    assert [found.severity.value for found in result.diagnostics] == ["error"]
    assert result.diagnostics[0].path == "services.a.x-leeward.startup"


def test_who_writes_a_readiness_gets_no_note_about_a_missing_one(render_text: Render) -> None:
    text = "services: {a: {image: x, ports: ['80'], x-leeward: {readiness: {http: /up, port: 80}}}}"
    result = render_text(text)
    assert not [found for found in result.diagnostics if found.code == "readiness-assumed"]
    assert probes(result)["readinessProbe"]["httpGet"]["path"] == "/up"
