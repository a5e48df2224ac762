"""Files from somewhere else than the disk, and what texts say of variables."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from leeward.base.errors import DiagnosticsError
from leeward.compose.dotenv import find_assignments
from leeward.compose.interpolate import TemplateError, references
from leeward.compose.load import LoadOptions, load_project

FILES = {
    "/p/compose.yaml": b"""
include: [more/compose.yaml]
services: {web: {image: 'x:${TAG}', env_file: [{path: gone.env, required: false}, web.env]}}
""",
    "/p/more/compose.yaml": b"services: {more: {image: 'y:${TAG}'}}",
    "/p/more/.env": b"TAG=2",
    "/p/.env": b"TAG=1",
    "/p/web.env": b"A=1",
}


class Reader:
    """Files in memory."""

    def __init__(self) -> None:
        self.read_as: dict[str, str] = {}

    def read(self, path: str, what: str) -> bytes:
        self.read_as[path] = what
        if path not in FILES:
            raise FileNotFoundError(errno.ENOENT, "gone", path)
        return FILES[path]

    def is_file(self, path: str) -> bool:
        return path in FILES

    def exists(self, path: str) -> bool:
        return path in FILES


def test_a_project_is_loaded_from_whatever_reads_files() -> None:
    reader = Reader()
    project = load_project(LoadOptions(working_dir=Path("/p/sub"), reader=reader)).project

    assert {name: service.image for name, service in project.services.items()} == {
        "more": "y:1",
        "web": "x:1",
    }
    assert project.services["web"].environment == {"A": "1"}
    assert reader.read_as["/p/more/compose.yaml"] == "Compose file"
    assert reader.read_as["/p/web.env"] == "environment file"


def test_what_a_reader_does_not_have_is_told() -> None:
    with pytest.raises(DiagnosticsError, match=r'The Compose file "no.yaml" does not exist'):
        load_project(LoadOptions(working_dir=Path("/p"), files=("no.yaml",), reader=Reader()))


def test_uses_of_variables_are_found_where_they_stand() -> None:
    text = "a $A ${B} $$C ${D:-x ${E}} $ ${F?why}"
    found = references(text)

    assert [text[each.start : each.end] for each in found] == ["$A", "${B}", "${D:-x ${E}}", "${F?why}"]
    assert [(each.name, each.operator, each.word) for each in found][2:] == [
        ("D", ":-", "x ${E}"),
        ("F", "?", "why"),
    ]


@pytest.mark.parametrize("text", ["${", "${}", "${A!}", "${1}"])
def test_what_is_no_use_of_a_variable_is_refused(text: str) -> None:
    with pytest.raises(TemplateError):
        references(text)


def test_values_of_a_file_of_variables_are_found_where_they_stand() -> None:
    text = "# no\nA=1 # why\nexport B = 'x y' \nC\nD=\"p\nq\"\nE=\n"
    found = find_assignments(text)

    assert [(each.name, text[each.start : each.end]) for each in found] == [
        ("A", "1"), ("B", "'x y'"), ("C", ""), ("D", '"p\nq"'), ("E", ""),
    ]  # fmt: skip
    assert [each.value for each in found] == ["1", "x y", None, "p\nq", ""]


def test_values_without_quotes_are_whole_lines() -> None:
    text = "A='1' # x\r\n#no\nB\nC=c"
    found = find_assignments(text, raw=True)

    assert [(each.name, text[each.start : each.end], each.value) for each in found] == [
        ("A", "'1' # x", "'1' # x"), ("B", "", None), ("C", "c", "c"),
    ]  # fmt: skip
