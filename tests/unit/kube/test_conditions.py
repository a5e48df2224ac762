"""Conditions keep the time of their last transition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from leeward.kube.conditions import with_condition

NOW = datetime(2030, 1, 1, tzinfo=UTC)
READY = {"type": "Ready", "status": "True", "reason": "Fine"}


def test_a_new_condition_is_stamped() -> None:
    (found,) = with_condition({"metadata": {}}, READY, NOW)["status"]["conditions"]
    assert found == {**READY, "lastTransitionTime": "2030-01-01T00:00:00Z"}


def test_the_time_stays_while_the_status_does() -> None:
    before = with_condition({"metadata": {}}, READY, NOW)
    later = NOW + timedelta(minutes=1)
    (same,) = with_condition(before, {**READY, "reason": "Other"}, later)["status"]["conditions"]
    (changed,) = with_condition(before, {**READY, "status": "False"}, later)["status"]["conditions"]
    assert same["lastTransitionTime"] == "2030-01-01T00:00:00Z"
    assert changed["lastTransitionTime"] == "2030-01-01T00:01:00Z"


def test_saying_the_same_again_returns_the_same_object() -> None:
    before = with_condition({"metadata": {}}, READY, NOW)
    assert with_condition(before, READY, NOW + timedelta(minutes=1)) is before
