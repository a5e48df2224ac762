"""When a window of the week ends, also when clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.settings.times import DAYS, parse_window, until

WEEKEND = "Fri 16:00/Mon 08:00 America/New_York"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def end(window: str, now: str) -> str | None:
    """Return the UTC time at which a window ends."""
    found = until(parse_window(window), at(now))
    return None if found is None else found.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-27T20:59:59", None),  # Friday, a second before 16:00 in New York
        ("2026-11-27T21:00:00", "2026-11-30T13:00:00"),
        ("2026-11-29T12:00:00", "2026-11-30T13:00:00"),
        ("2026-11-30T12:59:59", "2026-11-30T13:00:00"),  # over the week's end
        ("2026-11-30T13:00:00", None),
    ],
)
def test_a_window_holds_from_its_start_to_its_end_in_its_time_zone(now: str, ends: str | None) -> None:
    assert end(WEEKEND, now) == ends


def test_the_end_is_told_in_the_time_zone_of_the_window() -> None:
    found = until(parse_window(WEEKEND), at("2026-11-28T00:00:00"))
    assert found is not None
    assert found.isoformat() == "2026-11-30T08:00:00-05:00"


def test_a_window_within_a_day_is_open_that_day_only() -> None:
    assert end("Tue 09:00/Tue 10:00", "2026-11-24T09:30:00") == "2026-11-24T10:00:00"
    assert end("Tue 09:00/Tue 10:00", "2026-11-25T09:30:00") is None


def test_a_window_whose_end_is_before_its_start_lasts_nearly_a_week() -> None:
    assert end("Tue 10:00/Tue 09:00", "2026-11-24T09:30:00") is None
    assert end("Tue 10:00/Tue 09:00", "2026-11-24T08:30:00") == "2026-11-24T09:00:00"
    assert end("Tue 10:00/Tue 09:00", "2026-11-24T10:00:00") == "2026-12-01T09:00:00"


def test_clocks_that_change_within_a_window_change_when_it_ends_not_what_clocks_show_then() -> None:
    assert end("Sat 12:00/Sun 12:00 Europe/Berlin", "2026-10-24T12:00:00") == "2026-10-25T11:00:00"
    assert end("Sat 12:00/Sun 12:00 Europe/Berlin", "2026-03-28T12:00:00") == "2026-03-29T10:00:00"


def test_an_end_that_clocks_skip_is_when_they_skip_it() -> None:
    window = "Sun 00:30/Sun 02:30 America/New_York"  # on 8 March, 2:00 is 3:00
    assert end(window, "2026-03-08T06:59:59") == "2026-03-08T07:00:00"
    assert end(window, "2026-03-08T07:00:00") is None


def test_a_start_that_clocks_skip_is_when_they_skip_it() -> None:
    window = "Sun 02:30/Sun 05:00 America/New_York"
    assert end(window, "2026-03-08T06:59:59") is None
    assert end(window, "2026-03-08T07:00:00") == "2026-03-08T09:00:00"


def test_a_window_that_clocks_skip_as_a_whole_is_none_that_week() -> None:
    window = "Sun 02:15/Sun 02:45 America/New_York"
    assert [end(window, f"2026-03-08T{hour}") for hour in ("06:59:59", "07:00:00", "07:30:00")] == [None] * 3
    assert end(window, "2026-03-15T06:30:00") == "2026-03-15T06:45:00"


def test_an_end_that_comes_twice_is_the_second_one() -> None:
    window = "Sun 00:30/Sun 01:30 America/New_York"  # on 1 November, 1:00 to 2:00 comes twice
    assert end(window, "2026-11-01T05:45:00") == "2026-11-01T06:30:00"
    assert end(window, "2026-11-01T06:29:59") == "2026-11-01T06:30:00"
    assert end(window, "2026-11-01T06:30:00") is None


def test_a_start_that_comes_twice_is_the_first_one() -> None:
    window = "Sun 01:30/Sun 03:00 America/New_York"
    assert end(window, "2026-11-01T05:29:59") is None
    assert end(window, "2026-11-01T05:30:00") == "2026-11-01T08:00:00"
    assert end(window, "2026-11-01T06:10:00") == "2026-11-01T08:00:00"  # clocks show 1:10 again


def test_a_time_zone_that_this_machine_does_not_know_is_told() -> None:
    window = parse_window(WEEKEND)
    with pytest.raises(ValueError, match="this machine does not know the time zone Mars/Olympus"):
        until(type(window)(window.start, window.end, "Mars/Olympus"), at("2026-11-28T00:00:00"))


@given(
    st.integers(0, 6), st.integers(0, 6), st.integers(0, 23), st.integers(0, 23),
    st.sampled_from(("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe", "Africa/Casablanca")),
    st.integers(1_577_836_800, 2_051_222_400),
)  # fmt: skip
def test_a_window_is_open_exactly_until_its_end(
    first: int, last: int, start: int, stop: int, zone: str, moment: int
) -> None:
    names = [day.capitalize() for day in DAYS]
    if (first, start) == (last, stop):
        return
    window = parse_window(f"{names[first]} {start:02d}:00/{names[last]} {stop:02d}:00 {zone}")
    now = datetime.fromtimestamp(moment, UTC)
    ends = until(window, now)
    if ends is not None:
        assert now < ends <= now + timedelta(weeks=1, hours=1)
        assert until(window, ends.astimezone(UTC) - timedelta(microseconds=1)) == ends
        after = until(window, ends.astimezone(UTC))
        assert after is None or after > ends
