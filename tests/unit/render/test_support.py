from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from leeward.base.diagnostics import Severity
from leeward.compose.project import Service
from leeward.render.support import Level, project_support, service_support


def test_every_key_of_a_service_has_a_row() -> None:
    assert {field.name for field in fields(Service)} <= set(service_support())


def test_every_row_about_a_service_names_a_key_that_exists() -> None:
    known = {field.name for field in fields(Service)}
    assert {pattern.split(".")[0] for pattern in service_support()} <= known


def test_whatever_is_not_exact_says_why() -> None:
    rows = {**service_support(), **project_support()}
    assert [key for key, row in rows.items() if row.level is not Level.EXACT and not row.reason] == []


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("cpuset: '0'", Severity.WARNING),
        ("init: true", Severity.NOTE),
        ("use_api_socket: true", Severity.ERROR),
        ("network_mode: host", Severity.NOTE),
        ("pid: container:other", Severity.WARNING),
        ("deploy: {resources: {limits: {pids: 5}}}", Severity.WARNING),
        ("ports: [{target: 80, published: 80, mode: host}]", Severity.WARNING),
    ],
)
def test_a_key_that_is_not_exact_is_reported_at_its_line(
    line: str, severity: Severity, render_text: Callable[..., Any]
) -> None:
    result = render_text(f"services:\n  other: {{image: x}}\n  web:\n    image: x\n    {line}\n")
    found = [
        item
        for item in result.diagnostics
        if item.path.startswith("services.web.") and item.code.startswith("key-")
    ]
    assert [item.severity for item in found] == [severity]
    assert found[0].location is not None
    assert found[0].location.line == 5


def test_a_service_that_says_nothing_special_has_no_findings(render_text: Callable[..., Any]) -> None:
    assert render_text("services: {web: {image: x}}").diagnostics == []
