"""Base64 as Go reads it."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leeward.kube.gobase64 import base64_error


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("v", 0),
        ("YWJj*", 4),
        ("YWJjZA", 4),
        ("YQ=", 3),
        ("YQ=x", 2),
        ("YWI=x", 4),
        ("=", 0),
        ("Y===", 1),
        ("YWJjZ\n", 5),
    ],
)
def test_the_place_where_it_goes_wrong_is_the_one_that_go_names(text: str, position: int) -> None:
    assert base64_error(text) == f"illegal base64 data at input byte {position}"


def test_ends_of_lines_do_not_count() -> None:
    assert base64_error("YWJj\r\nYQ=\n=\n") == ""


@given(st.binary())
def test_what_is_encoded_can_be_read(data: bytes) -> None:
    assert base64_error(base64.b64encode(data).decode()) == ""
