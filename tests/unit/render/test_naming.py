from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from leeward.render import naming

LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")


@given(st.text(max_size=120))
def test_any_text_becomes_a_valid_label(text: str) -> None:
    assert LABEL.fullmatch(naming.dns_label(text))


@given(st.text(max_size=120), st.binary())
def test_any_hashed_name_is_a_valid_label(text: str, content: bytes) -> None:
    assert LABEL.fullmatch(naming.hashed_name(text, content))


@given(st.lists(st.text(alphabet="aB_-.1", min_size=1, max_size=6), unique=True))
def test_no_two_names_become_one_whatever_their_order(names: list[str]) -> None:
    forwards, _ = naming.assign_names(dict.fromkeys(names), section="services")
    backwards, _ = naming.assign_names(dict.fromkeys(reversed(names)), section="services")
    assert forwards == backwards
    assert len(set(forwards.values())) == len(names)


def test_a_valid_name_is_kept_when_another_one_would_become_it() -> None:
    names, found = naming.assign_names({"my_db": None, "my-db": None}, section="services")
    assert names["my-db"] == "my-db"
    assert names["my_db"].startswith("my-db-")
    assert [item.code for item in found] == ["renamed"]


def test_a_long_name_keeps_its_head_and_stays_distinct() -> None:
    first, second = naming.dns_label("a" * 70 + "x"), naming.dns_label("a" * 70 + "y")
    assert first.startswith("a" * 50)
    assert first != second


@given(st.text(max_size=300))
def test_any_text_becomes_a_valid_data_key(text: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9._-]{1,253}", naming.data_key(text))
