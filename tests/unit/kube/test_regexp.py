from __future__ import annotations

import pytest

from leeward.kube.regexp import find_all, matches, mistake


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "missing closing ): `(`"),
        ("[a", "missing closing ]: `[a`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("(?=a)", "invalid or unsupported Perl syntax: `(?=`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        ("[z-a]", "invalid character class range: `z-a`"),
        ("a)", "unexpected ): `a)`"),
    ],
)
def test_a_mistake_is_told_in_the_words_of_go(pattern: str, told: str) -> None:
    assert mistake(pattern) == f"error parsing regexp: {told}"
    with pytest.raises(ValueError, match="error parsing regexp"):
        matches(pattern, "")


def test_a_pattern_is_right_where_go_takes_it() -> None:
    assert [mistake(each) for each in (r"^\d+\z", r"(?P<a>x)", r"\p{Greek}", "", "[[:alpha:]]")] == [""] * 5


def test_a_dollar_is_the_very_end_and_classes_are_those_of_ascii() -> None:
    assert matches("^a$", "a")
    assert not matches("^a$", "a\n")
    assert not matches(r"^\d$", "٣")
    assert matches("b", "abc")


def test_a_pattern_that_would_backtrack_for_ages_does_not() -> None:
    assert not matches("^(a+)+$", "a" * 5000 + "b")


def test_all_that_a_pattern_finds_up_to_a_limit() -> None:
    assert find_all("a+", "aa b a") == ["aa", "a"]
    assert find_all("a+", "aa b a", 1) == ["aa"]
    assert find_all("a+", "aa b a", 0) == []
    assert find_all("a*", "baab") == ["", "aa", ""]
