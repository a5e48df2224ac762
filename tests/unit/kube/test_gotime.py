"""Times as Go reads and writes them."""

from __future__ import annotations

import pytest

from leeward.kube.gotime import MICROSECONDS, SECONDS, normal_time


@pytest.mark.parametrize(
    ("text", "layout", "expected"),
    [
        ("2024-05-01T10:00:00Z", SECONDS, "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00.999Z", SECONDS, "2024-05-01T10:00:00Z"),
        ("2024-05-01T10:00:00+02:00", SECONDS, "2024-05-01T08:00:00Z"),
        ("2024-05-01T10:00:05.123456Z", MICROSECONDS, "2024-05-01T10:00:05.123456Z"),
        ("2024-05-01T10:00:05.000000-01:30", MICROSECONDS, "2024-05-01T11:30:05.000000Z"),
    ],
)
def test_a_time_is_kept_in_utc(text: str, layout: str, expected: str) -> None:
    assert normal_time(text, layout) == expected


@pytest.mark.parametrize(
    ("text", "layout", "problem"),
    [
        (
            "yesterday",
            SECONDS,
            f'parsing time "yesterday" as "{SECONDS}": cannot parse "yesterday" as "2006"',
        ),
        ("", SECONDS, f'parsing time "" as "{SECONDS}": cannot parse "" as "2006"'),
        ("2024-05-01", SECONDS, 'cannot parse "" as "T"'),
        ("2024-05-01T10:00:00", SECONDS, 'cannot parse "" as "Z07:00"'),
        ("2024-05-01T10:00:00Z", MICROSECONDS, 'cannot parse "Z" as ".000000"'),
        ("2024-13-01T10:00:00Z", SECONDS, 'parsing time "2024-13-01T10:00:00Z": month out of range'),
        ("2024-02-31T10:00:00Z", SECONDS, 'parsing time "2024-02-31T10:00:00Z": day out of range'),
        ("2024-05-01T25:00:00Z", SECONDS, "hour out of range"),
        ("2024-05-01T10:00:00ZZ", SECONDS, 'parsing time "2024-05-01T10:00:00ZZ": extra text: "Z"'),
    ],
)
def test_what_is_no_time_is_said_in_gos_words(text: str, layout: str, problem: str) -> None:
    with pytest.raises(ValueError, match="parsing time") as caught:
        normal_time(text, layout)
    assert problem in str(caught.value)
