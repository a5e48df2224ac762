from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from leeward.base.diagnostics import Severity
from leeward.compose.project import Project
from leeward.render.support import Level, Section, support_table
from leeward.render.support.usage import uses


def test_whatever_is_not_exact_says_why() -> None:
    supports = [
        (row.key, each) for row in support_table() for each in (row.support, *dict(row.variants).values())
    ]
    assert [key for key, each in supports if each.level is not Level.EXACT and not each.reason] == []


def test_whatever_stops_or_warns_says_what_to_do() -> None:
    supports = [
        (row.key, each) for row in support_table() for each in (row.support, *dict(row.variants).values())
    ]
    loud = [(key, each) for key, each in supports if each.severity is not Severity.NOTE]
    assert [key for key, each in loud if not each.remedy] == []


def test_whatever_is_kept_says_what_becomes_of_it() -> None:
    kept = (Level.EXACT, Level.APPROXIMATED)
    assert [row.key for row in support_table() if row.support.level in kept and not row.support.result] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a | exact | x\na | exact | x", "two rows"),
        ("a = 1 | exact | x", "some values only"),
        ("a | perfect | x", "perfect"),
        ("a", "no row"),
    ],
)
def test_a_line_that_is_no_row_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Section("broken", "", text).rows()


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        ("cpuset: '0'", Severity.WARNING),
        ("init: true", Severity.NOTE),
        ("use_api_socket: true", Severity.ERROR),
        ("build: {context: ., ssh: [default]}", Severity.NOTE),
        ("network_mode: container:other", Severity.ERROR),
        ("pid: container:other", Severity.WARNING),
        ("deploy: {resources: {limits: {pids: 5}}}", Severity.WARNING),
        ("ports: [{target: 80, published: 80, mode: host}]", Severity.WARNING),
        ("blkio_config: {weight: 5}", Severity.WARNING),
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


@pytest.mark.parametrize(
    "line", ["network_mode: bridge", "pid: ''", "use_api_socket: false", "ports: ['80:80']", "init: false"]
)
def test_a_value_that_says_what_a_cluster_does_anyway_is_exact(
    line: str, render_text: Callable[..., Any]
) -> None:
    codes = render_text(f"services: {{web: {{image: x, {line}}}}}").codes()
    assert not [code for code in codes if code.startswith("key-")]


def test_a_service_that_says_nothing_special_has_no_findings(render_text: Callable[..., Any]) -> None:
    assert render_text("services: {web: {image: x}}").diagnostics == []


def test_services_that_are_not_enabled_use_nothing(make_project: Callable[[str], Project]) -> None:
    project = make_project(
        """
        services:
          web: {image: x}
          tool: {image: x, profiles: [tools], use_api_socket: true}
        """
    )
    assert {use.path[1] for use in uses(project) if use.path[0] == "services"} == {"web"}


def test_what_a_renderer_says_about_a_value_goes_before_what_the_table_says(
    render_text: Callable[..., Any],
) -> None:
    result = render_text(
        """
        services:
          web:
            image: x
            post_start: [{command: [warm], user: "5"}]
        """
    )
    paths = {item.path for item in result.diagnostics}
    assert "services.web.post_start[0]" in paths
    assert "services.web.post_start[0].user" not in paths


def test_names_that_look_like_keys_and_extensions_are_not_taken_for_keys(
    make_project: Callable[[str], Project],
) -> None:
    project = make_project(
        """
        services:
          build: {image: x, environment: {privileged: "1"}, x-note: {cpuset: "1"}}
        """
    )
    assert {use.row.key for use in uses(project)} == {"services.*.image", "services.*.environment"}
