"""Reading Dockerfiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from leeward.base.errors import UserInputError
from leeward.cluster.runtimes.process.dockerfile import expand, pairs, parse, words


def read(tmp_path: Path, text: str) -> list[tuple[str, str, int]]:
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    return [(each.name, each.text, each.line) for each in parse(path)]


def test_continuation_lines_and_comments_between_them_make_one_instruction(tmp_path: Path) -> None:
    text = "# syntax=x\nFROM a\n\nENV A=1 \\\n# a comment\n    B=2\ncmd x\n"

    assert read(tmp_path, text) == [("FROM", "a", 2), ("ENV", "A=1 B=2", 4), ("CMD", "x", 7)]


def test_a_here_document_is_not_read_as_instructions(tmp_path: Path) -> None:
    text = "FROM a\nRUN <<EOF\nFOO bar\nEOF\nUSER me\n"

    assert [each[0] for each in read(tmp_path, text)] == ["FROM", "RUN", "USER"]


def test_flags_are_kept_apart_from_the_arguments(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM a AS b\nCOPY --from=b --chown=1:1 x y\n")

    copy = parse(path)[1]

    assert (dict(copy.flags), copy.text) == ({"from": "b", "chown": "1:1"}, "x y")


@pytest.mark.parametrize(
    ("text", "message"),
    [("FROM a\nCOPPY x y\n", r"Dockerfile:2: unknown instruction 'COPPY'"), ("USER a\n", "has no FROM")],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserInputError, match=message):
        read(tmp_path, text)


def test_a_missing_dockerfile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match="cannot be read"):
        parse(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A/${A}", "1/1"),
        ("${B:-x$A}", "x1"),
        ("${A:+set}${B:+set}", "set"),
        (r"\$A", "$A"),
        ("$UNKNOWN.", "."),
    ],
)
def test_variables_are_substituted(text: str, expected: str) -> None:
    assert expand(text, {"A": "1"}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('A=1 B="two words"', {"A": "1", "B": "two words"}),
        ("A the old form", {"A": "the old form"}),
        ("A", {"A": ""}),
    ],
)
def test_assignments_are_read(text: str, expected: dict[str, str]) -> None:
    assert pairs(text) == expected


def test_only_a_json_list_is_the_exec_form() -> None:
    assert words('["a", "b c"]') == ["a", "b c"]
    assert words("a b") is None
    assert words("['a']") is None
