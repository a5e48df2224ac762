"""What Go says about text that is no JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.kube.gojson import json_error


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("not json", "invalid character 'o' in literal null (expecting 'u')"),
        ("{bad", "invalid character 'b' looking for beginning of object key string"),
        ("", "unexpected end of JSON input"),
        ('{"a"', "unexpected end of JSON input"),
        ('{"a" 1}', "invalid character '1' after object key"),
        ('{"a": 1 "b"', "invalid character '\"' after object key:value pair"),
        ("[1 2]", "invalid character '2' after array element"),
        ("[1,]", "invalid character ']' looking for beginning of value"),
        ("{} x", "invalid character 'x' after top-level value"),
        ('"\\x"', "invalid character 'x' in string escape code"),
        ('"\\u00g0"', "invalid character 'g' in \\u hexadecimal character escape"),
        ('"a\nb"', "invalid character '\\n' in string literal"),
        ("-a", "invalid character 'a' in numeric literal"),
        ("1.x", "invalid character 'x' after decimal point in numeric literal"),
        ("1e+x", "invalid character 'x' in exponent of numeric literal"),
        ("'a'", "invalid character '\\'' looking for beginning of value"),
    ],
)
def test_the_first_mistake_is_told(text: str, problem: str) -> None:
    assert json_error(text.encode()) == problem


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_there_is_no_mistake_in_json(value: object) -> None:
    assert json_error(json.dumps(value).encode()) == ""


@given(st.text(alphabet='{}[]",:\\ 019-.eEtrufalsn'))
def test_what_python_cannot_read_is_a_mistake(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        assert json_error(text.encode())
    else:
        assert not json_error(text.encode())


def test_a_text_that_nests_deeper_than_can_be_followed_is_refused() -> None:
    assert json_error(b"[" * 100_000) == "exceeded max depth"


def test_a_broken_byte_is_shown_as_go_shows_it() -> None:
    assert json_error(b"\x81\xaa") == "invalid character '\\u0081' looking for beginning of value"
