"""Cron expressions, windows and durations as people write them."""

from __future__ import annotations

import pytest

from leeward.settings.times import Window, parse_cron, parse_seconds, parse_time_zone, parse_window


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 3 * * *",
        "*/15 0-6,22-23 1,15 jan-mar MON-FRI",
        "5/10 * ? * sun",
        "59 23 31 12 6",
        "@hourly",
        "@midnight",
    ],
)
def test_a_cron_expression_is_taken_as_it_is(text: str) -> None:
    assert parse_cron(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("* * * *", "five fields"),
        ("0 3 * * * *", "five fields"),
        ("@fortnightly", "five fields"),
        ("60 * * * *", "minute is 0 to 59, not 60"),
        ("* 24 * * *", "hour is 0 to 23, not 24"),
        ("* * 0 * *", "day of the month is 1 to 31, not 0"),
        ("* * * 13 *", "month is 1 to 12 or jan to dec, not 13"),
        ("* * * * 7", "day of the week is 0 to 6 or sun to sat, not 7"),
        ("*/0 * * * *", "minute is 0 to 59, not */0"),
        ("30-10 * * * *", "minute is 0 to 59, not 30-10"),
        ("a * * * *", "minute is 0 to 59, not a"),
    ],
)
def test_a_wrong_cron_expression_is_told_by_its_field(text: str, told: str) -> None:
    with pytest.raises(ValueError, match="cron expression") as failure:
        parse_cron(text)

    assert told in str(failure.value)


def test_a_window_may_go_over_the_end_of_the_week() -> None:
    assert parse_window("Fri 16:00/Mon 08:00 Europe/Berlin") == Window((4, 16, 0), (0, 8, 0), "Europe/Berlin")
    assert parse_window("Sat 00:00/Sun 23:59").time_zone == "UTC"


@pytest.mark.parametrize(
    "text", ["Fri 24:00/Mon 08:00", "Friday 16:00/Mon 08:00", "Fri 16:00", "Fri 16:00/Fri 16:00", ""]
)
def test_a_wrong_window_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a window such as"):
        parse_window(text)


@pytest.mark.parametrize("text", ["Europe/Berln", "../../etc/passwd", "", "Mars/Base"])
def test_a_time_zone_that_does_not_exist_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="a time zone such as"):
        parse_time_zone(text)


def test_durations_have_units() -> None:
    assert (parse_seconds("90s"), parse_seconds("1h30m"), parse_seconds("0")) == (90.0, 5400.0, 0.0)
    with pytest.raises(ValueError, match="a duration such as"):
        parse_seconds("90")
