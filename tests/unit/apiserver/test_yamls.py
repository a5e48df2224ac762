from __future__ import annotations

import pytest

from leeward.cluster.apiserver.yamls import dumped, loaded


def test_strings_that_look_like_something_else_are_quoted_as_go_quotes_them() -> None:
    assert dumped({"a": "74", "b": "x", "c": "true", "d": 1}) == 'a: "74"\nb: x\nc: "true"\nd: 1\n'


@pytest.mark.parametrize("text", [b"[" * 10_000, b'{"a":' * 10_000])
def test_a_document_that_is_nested_too_deeply_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError, match="exceeded max"):
        loaded(text)


def test_aliases_that_stand_for_more_than_a_machine_can_hold_are_refused() -> None:
    lines = ["a: &a [x]"]
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True):
        lines.append(f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]")

    with pytest.raises(ValueError, match="excessive aliasing"):
        loaded("\n".join(lines).encode())


def test_what_is_no_yaml_is_refused_with_the_problem() -> None:
    with pytest.raises(ValueError, match="did not find expected"):
        loaded(b"a: [1")


def test_aliases_are_filled_in() -> None:
    assert loaded(b"a: &x {b: 1}\nc: *x\n") == {"a": {"b": 1}, "c": {"b": 1}}
