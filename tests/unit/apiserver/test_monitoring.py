"""Health, metrics and what the root lists."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.unit.apiserver.inprocess import InProcess

MAPS = "/api/v1/namespaces/default/configmaps"


def test_requests_are_counted_by_what_is_served(tmp_path: Path) -> None:
    server = InProcess(tmp_path)
    server.ask("POST", MAPS, {"metadata": {"name": "a"}})
    server.ask("GET", MAPS)
    server.ask("GET", f"{MAPS}/nosuch")
    server.ask("GET", "/apis/invented.example.com/v1/things/a")
    server.ask("GET", f"{MAPS}/a/invented")

    status, answer = server.ask("GET", "/metrics")

    assert status == 200
    lines = answer.decode().splitlines()
    for verb, scope, code in (
        ("POST", "namespace", 201),
        ("LIST", "namespace", 200),
        ("GET", "resource", 404),
    ):
        labels = (
            f'code="{code}",component="apiserver",group="",resource="configmaps",scope="{scope}",subresource="",'
            f'verb="{verb}",version="v1"'
        )
        assert f"apiserver_request_total{{{labels}}} 1.0" in lines
    assert not [line for line in lines if "invented" in line]
    assert 'apiserver_resource_objects{group="",resource="configmaps"} 1.0' in lines
    assert any(line.startswith("apiserver_request_duration_seconds_bucket{") for line in lines)
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)
    assert any(
        line.startswith('apiserver_current_inflight_requests{request_kind="mutating"}') for line in lines
    )


def test_metrics_are_not_for_everybody(tmp_path: Path) -> None:
    server = InProcess(tmp_path)
    assert server.ask("GET", "/metrics", user="bob", groups=("system:authenticated",))[0] == 403
    assert server.ask("POST", "/metrics")[0] == 405


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/livez", 200, "ok"),
        ("/healthz/ping", 200, "ok"),
        ("/healthz/nosuch", 404, "404 page not found\n"),
        ("/livez?verbose", 200, "[+]ping ok\nlivez check passed\n"),
        (
            "/readyz",
            500,
            "[+]ping ok\n[-]nodes failed: reason withheld\nreadyz check failed\n",
        ),
        ("/readyz?exclude=nodes", 200, "ok"),
        ("/readyz/nodes", 500, "internal server error: nodes failed\n"),
    ],
)
def test_health_is_told_whole_or_check_by_check(tmp_path: Path, path: str, status: int, text: str) -> None:
    assert InProcess(tmp_path, ready=lambda: ["nodes"]).ask("GET", path) == (status, text.encode())


def test_the_root_lists_what_there_is(tmp_path: Path) -> None:
    _, answer = InProcess(tmp_path).ask("GET", "/")
    paths = orjson.loads(answer)["paths"]
    assert {"/api/v1", "/apis/apps", "/apis/apps/v1", "/metrics", "/version"} <= set(paths)
    assert paths == sorted(paths)
