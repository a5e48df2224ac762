from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.base.errors import DiagnosticsError
from leeward.compose.load import LoadOptions, load_project
from leeward.compose.schema import COMPOSE
from leeward.compose.shapes import Many, Record, Shape, Table

VALUES = [
    *("null", "[]", "{}", "''", "5", "-1", "1.5", "true", "[1]", "['']", "[null]", "[[]]", "[{}]"),
    *(
        "{a: 1}",
        "{a: null}",
        "{a: []}",
        "{'': 1}",
        "[a=b]",
        "[a]",
        "a:b",
        "'a b'",
        "'='",
        "':'",
        "['=']",
        "[':']",
    ),
    *("!reset null", "!override [a]", "!override {a: b}", "${X:?}", "[$X]", ".nan", "10s", "all", "[all]"),
    *(
        "service:web",
        "[service:web]",
        "[x-a]",
        "{x-a: 1}",
        "/x",
        "./x",
        "~",
        "['/']",
        "[80]",
        "[80:80]",
        "99999",
    ),
]


def places(shape: Shape, template: str) -> Iterator[str]:
    """Every key of the schema, as a flow-style text with %s for its value."""
    if isinstance(shape, Many):
        yield from places(shape.item, template % "[%s]")
    elif isinstance(shape, Table):
        yield from places(shape.item, template % "{web: %s}")
    elif isinstance(shape, Record):
        for key, inner in shape.keys.items():
            rest = "image: x, " if key != "image" and "image" in shape.keys and "ports" in shape.keys else ""
            here = template % f"{{{rest}{key}: %s}}"
            yield here
            yield from places(inner, here)


TEMPLATES = sorted(set(places(COMPOSE, "%s")))


@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_any_key_loads_or_is_refused_with_its_place(value: str, tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    options = LoadOptions(working_dir=tmp_path, files=["compose.yaml"])
    assert len(TEMPLATES) > 300
    for template in TEMPLATES:
        file.write_text(template % value)
        try:
            found = load_project(options).diagnostics
        except DiagnosticsError as error:
            found = error.diagnostics
        assert all(each.message and each.remedy and each.location for each in found), template % value
