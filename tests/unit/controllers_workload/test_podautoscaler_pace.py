"""How fast an autoscaler goes: windows and policies of both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from leeward.cluster.controllers.podautoscaler.pace import Change, History, step

NOW = datetime(2030, 1, 1, tzinfo=UTC)
_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": 15}


def ago(seconds: float, replicas: int) -> Change:
    return Change(NOW - timedelta(seconds=seconds), replicas)


def spec(up: dict[str, Any] | None = None, down: dict[str, Any] | None = None) -> dict[str, Any]:
    pods = {"type": "Pods", "value": 4, "periodSeconds": 15}
    rules = {
        "scaleUp": {
            "stabilizationWindowSeconds": 0,
            "selectPolicy": "Max",
            "policies": [pods, _PERCENT],
            **(up or {}),
        },
        "scaleDown": {"selectPolicy": "Max", "policies": [_PERCENT], **(down or {})},
    }
    return {"minReplicas": 1, "maxReplicas": 20, "behavior": rules}


def went(
    given: dict[str, Any], current: int, desired: int, history: History | None = None
) -> tuple[int, str]:
    found = step(given, current, desired, history or History(), NOW)
    return found.replicas, found.limited.reason


@pytest.mark.parametrize(
    ("current", "desired", "expected"),
    [
        (1, 30, (4, "ScaleUpLimit")),
        (6, 30, (12, "ScaleUpLimit")),
        (15, 30, (20, "TooManyReplicas")),
        (3, 0, (1, "TooFewReplicas")),
        (3, 5, (5, "DesiredWithinRange")),
    ],
)
def test_without_a_behavior_replicas_at_most_double_but_four_are_always_allowed(
    current: int, desired: int, expected: tuple[int, str]
) -> None:
    assert went({"minReplicas": 1, "maxReplicas": 20}, current, desired) == expected


def test_a_target_shrinks_when_nothing_more_was_wanted_for_five_minutes() -> None:
    plain = {"minReplicas": 1, "maxReplicas": 20}
    for given in (plain, spec()):
        recent = step(given, 8, 2, History(wanted=(ago(400, 9), ago(290, 5))), NOW)
        assert (recent.replicas, recent.able.reason) == (5, "ScaleDownStabilized")
        assert step(given, 8, 2, History(wanted=(ago(301, 5),)), NOW).replicas == 2


def test_a_window_for_growth_takes_the_lowest_that_was_wanted() -> None:
    given = spec(up={"stabilizationWindowSeconds": 60})
    found = step(given, 3, 9, History(wanted=(ago(30, 4), ago(70, 1))), NOW)
    assert (found.replicas, found.able.reason) == (4, "ScaleUpStabilized")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, 10),
        ({"selectPolicy": "Min"}, 9),
        ({"selectPolicy": "Disabled"}, 5),
        ({"policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}, 6),
    ],
)
def test_policies_for_growth(rules: dict[str, Any], expected: int) -> None:
    assert went(spec(up=rules), 5, 20)[0] == expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, 1),
        ({"policies": [{"type": "Pods", "value": 2, "periodSeconds": 60}]}, 8),
        ({"policies": [{"type": "Percent", "value": 25, "periodSeconds": 60}]}, 7),
        (
            {
                "policies": [_PERCENT, {"type": "Pods", "value": 2, "periodSeconds": 60}],
                "selectPolicy": "Min",
            },
            8,
        ),
        ({"selectPolicy": "Disabled"}, 10),
    ],
)
def test_policies_for_shrinking(rules: dict[str, Any], expected: int) -> None:
    assert went(spec(down={"stabilizationWindowSeconds": 0, **rules}), 10, 1)[0] == expected


def test_what_was_changed_within_a_period_counts_against_its_policy() -> None:
    rules = {"policies": [{"type": "Pods", "value": 3, "periodSeconds": 60}]}
    history = History(added=(ago(30, 2), ago(90, 9)))
    assert went(spec(up=rules), 5, 20, history) == (6, "ScaleUpLimit")
    assert went(spec(up=rules), 5, 20, History(added=(ago(30, 4),))) == (5, "ScaleUpLimit")
    down = spec(down={"stabilizationWindowSeconds": 0, **rules})
    assert went(down, 10, 1, History(removed=(ago(30, 2),))) == (9, "ScaleDownLimit")


def test_a_history_remembers_an_hour() -> None:
    history = History().begun(3, NOW).begun(9, NOW).scaled(3, 5, NOW).scaled(5, 4, NOW)
    assert history == History((Change(NOW, 3),), (Change(NOW, 2),), (Change(NOW, 1),))
    later = NOW + timedelta(hours=2)
    assert history.scaled(4, 6, later).added == (Change(later, 2),)
    assert step(spec(), 4, 4, history, later).history.wanted == (Change(later, 4),)
