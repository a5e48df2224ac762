from __future__ import annotations

import pytest

from leeward.compose.dotenv import parse_dotenv
from leeward.compose.findings import Findings


def parse(text: str, *, raw: bool = False, **environment: str) -> dict[str, str]:
    findings = Findings()
    values = parse_dotenv(text, environment, ".env", findings, raw=raw)
    assert not findings.diagnostics
    return values


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("A: b", "b"),
        ("export A=b", "b"),
        ("A=", ""),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A= # comment", ""),
        ("A='b # $X' # comment", "b # $X"),
        ('A="b # c" # comment', "b # c"),
        ('A="it\'s"', "it's"),
        (r'A="say \"hi\""', 'say "hi"'),
        (r"A='it\'s'", "it's"),
        (r'A="a\nb"', "a\nb"),
        (r"A='a\nb'", r"a\nb"),
        (r"A=a\nb", r"a\nb"),
        (r'A="\$X"', "$X"),
        ("A=$$X", "$X"),
        ('A="one\ntwo"', "one\ntwo"),
        ("A=x=y", "x=y"),
        ("A=${MISSING:-d}", "d"),
        ("A=b\r\n", "b"),
    ],
)
def test_one_line_gives_one_value(line: str, value: str) -> None:
    assert parse(line) == {"A": value}


def test_comments_and_blank_lines_are_skipped() -> None:
    assert parse("# a\n\n  \nA=1\n  # b\nB=2\n") == {"A": "1", "B": "2"}


def test_earlier_lines_are_visible_and_the_environment_wins() -> None:
    assert parse("A=1\nB=$A-${C}", C="3") == {"A": "1", "B": "1-3"}
    assert parse("A=1\nB=$A", A="9") == {"A": "1", "B": "9"}


def test_a_key_alone_takes_its_value_from_the_environment() -> None:
    assert parse("A\nB\nC=3\n", A="1") == {"A": "1", "C": "3"}


def test_the_raw_format_keeps_everything() -> None:
    assert parse("A='x' # $B\n# no\nB=2", raw=True) == {"A": "'x' # $B", "B": "2"}


@pytest.mark.parametrize(
    ("text", "line"), [("A=1\nhello world\nB=2", 2), ('A=1\nB="open\n', 2), ("\n\nA=${\n", 3)]
)
def test_a_bad_line_is_reported_with_its_number(text: str, line: int) -> None:
    findings = Findings()
    parse_dotenv(text, {}, ".env", findings)
    assert [str(found.location) for found in findings.diagnostics] == [f".env:{line}"]
    assert findings.failed


def test_a_variable_that_is_not_set_is_told() -> None:
    findings = Findings()
    assert parse_dotenv("A=1\nP=pa$ss\nQ='pa$ss'\n", {}, ".env", findings) == {
        "A": "1",
        "P": "pa",
        "Q": "pa$ss",
    }
    (found,) = findings.diagnostics
    assert str(found).startswith(".env:2: warning: P: the variable ss is not set; an empty string is used.")
