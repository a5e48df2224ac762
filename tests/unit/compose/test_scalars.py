from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leeward.compose.scalars import parse_duration, parse_size, resolve_plain, scalar_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("False", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("12", 12),
        ("-12", -12),
        ("0644", 420),
        ("0o644", 420),
        ("0x1F", 31),
        ("1_000", 1000),
        ("22:22", "22:22"),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("1.2.3", "1.2.3"),
        ("2001-01-01", "2001-01-01"),
        ("089", 89.0),
        (".", "."),
        ("-", "-"),
    ],
)
def test_plain_scalars_are_read_as_yaml_1_2(text: str, value: object) -> None:
    resolved = resolve_plain(text)
    assert resolved == value
    assert type(resolved) is type(value)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10s", 10), ("1m30s", 90), ("1h", 3600), ("500ms", 0.5), ("1.5s", 1.5), ("0", 0), ("1d", 86400)],
)
def test_durations_become_seconds(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "s", "10s5", "ten", "1 m", "-1s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    assert parse_duration(text) is None


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1024", 1024),
        ("1k", 1024),
        ("512m", 2**29),
        ("1gb", 2**30),
        ("1.5GiB", 3 * 2**29),
        ("2b", 2),
        ("-1", -1),
    ],
)
def test_sizes_become_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "m", "1x", "1mm", "-5m", "1,5g"])
def test_what_is_no_size_is_refused(text: str) -> None:
    assert parse_size(text) is None


@given(st.integers(min_value=0, max_value=10**6))
def test_whole_seconds_survive(seconds: int) -> None:
    assert parse_duration(f"{seconds}s") == seconds


@given(st.text(alphabet="0123456789+-.exob_ABCDEF:", max_size=12))
@example("0b_")
@example("-0x_")
@example("9" * 5000)
def test_any_word_has_a_value(text: str) -> None:
    assert isinstance(resolve_plain(text), (str, int, float, type(None)))


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (1.0, "1"), (1.5, "1.5"), (7, "7"), ("x", "x")])
def test_scalars_become_text_as_docker_writes_them(value: str | float | bool, text: str) -> None:
    assert scalar_text(value) == text
