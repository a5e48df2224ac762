"""Label selectors of a query string."""

from __future__ import annotations

import pytest

from leeward.cluster.registry.labelselectors import parse_label_selector
from leeward.kube.status import BadRequestError


def test_every_operator_is_read() -> None:
    assert parse_label_selector("a=b, c in (e,d),!f,g,h!=i,j notin (k),l>1,m=") == [
        {"key": "a", "operator": "In", "values": ["b"]},
        {"key": "c", "operator": "In", "values": ["d", "e"]},
        {"key": "f", "operator": "DoesNotExist"},
        {"key": "g", "operator": "Exists"},
        {"key": "h", "operator": "NotIn", "values": ["i"]},
        {"key": "j", "operator": "NotIn", "values": ["k"]},
        {"key": "l", "operator": "Gt", "values": ["1"]},
        {"key": "m", "operator": "In", "values": [""]},
    ]


def test_nothing_selects_everything() -> None:
    assert parse_label_selector(" ") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",", "found ',', expected: !, identifier, or 'end of string'"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("a,", "found '', expected: identifier after ','"),
        ("!", "unable to parse requirement: found '', expected: identifier"),
        ("k in a", "unable to parse requirement: found 'a' expected: '('"),
        ("k in (a", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("k in ()", "for 'in', 'notin' operators, values set can't be empty"),
        ("k=(", "unable to parse requirement: found '(', expected: identifier"),
        ("k like x", "unable to parse requirement: found 'like', expected: in, notin, =, ==, !=, gt, lt"),
        ("!k=x", "found '=', expected: ',' or 'end of string'"),
        ("n>abc", "values[0]: Invalid value: \"abc\": for 'Gt', 'Lt' operators"),
        ("k=-x", 'unable to parse requirement: values[0][k]: Invalid value: "-x": a valid label must be'),
    ],
)
def test_what_cannot_be_read_is_told_in_the_words_of_kubernetes(text: str, message: str) -> None:
    with pytest.raises(BadRequestError) as error:
        parse_label_selector(text)
    assert message in str(error.value)
