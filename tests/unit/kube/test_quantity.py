"""Resource quantities."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.kube.quantity import parse_quantity, quantity_error, to_millis, to_units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("250m", Fraction(1, 4)),
        ("1.5Gi", 1610612736),
        ("2k", 2000),
        ("1e3", 1000),
        ("1E3", 1000),
        ("2E", 2 * 10**18),
        ("-1", -1),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        (4, 4),
        (0.5, Fraction(1, 2)),
    ],
)
def test_suffixes_and_exponents_are_exact(text: str, value: Fraction) -> None:
    assert parse_quantity(text) == value


@pytest.mark.parametrize("text", ["", "1Q", "abc", "1 Gi", "--1", "1ki"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a resource quantity"):
        parse_quantity(text)


def test_cpu_counts_in_thousandths_and_both_round_up() -> None:
    assert to_millis("1500u") == 2
    assert to_units("1.2") == 2


@given(st.integers(0, 10**9), st.sampled_from(["Ki", "Mi", "Gi", "k", "M", "G"]))
def test_a_suffix_multiplies(number: int, suffix: str) -> None:
    assert parse_quantity(f"{number}{suffix}") == number * parse_quantity(f"1{suffix}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e99999999", 2**63 - 1),
        ("-1e99999999", -(2**63 - 1)),
        ("9Ei", 2**63 - 1),
        ("0e99999999", 0),
        ("1e-99999999", Fraction(1, 10**9)),
        ("-0.00000000011", Fraction(-1, 10**9)),
        ("1" * 4000 + "e-3999", Fraction("1." + "1" * 8 + "2")),
    ],
)
def test_what_is_too_large_or_too_small_is_the_last_number_there_is(text: str, value: int | Fraction) -> None:
    assert parse_quantity(text) == value


def test_more_digits_than_can_be_read_are_no_quantity() -> None:
    with pytest.raises(ValueError, match="4300 digits"):
        parse_quantity("9" * 5000)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "quantities must match the regular expression"),
        ("100q", "quantities must match the regular expression"),
        ("abc", "quantities must match the regular expression"),
        ("1 Gi", "quantities must match the regular expression"),
        ("²", "quantities must match the regular expression"),
        ("100mm", "unable to parse quantity's suffix"),
        ("1e", "unable to parse quantity's suffix"),
        (".", "unable to parse numeric part of quantity"),
    ],
)
def test_what_is_wrong_with_a_quantity_is_said_as_upstream_says_it(text: str, problem: str) -> None:
    assert quantity_error(text).startswith(problem)


@pytest.mark.parametrize("text", ["0", "1.5", ".5", "+1", "-1Ki", "1e3", "1E", "1e+300", " 1Gi "])
def test_nothing_is_wrong_with_what_is_a_quantity(text: str) -> None:
    assert quantity_error(text) == ""
