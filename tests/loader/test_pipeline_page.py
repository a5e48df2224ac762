"""The examples of docs/compose-pipeline.md are true."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.base.errors import DiagnosticsError
from leeward.compose.dump import to_document
from leeward.compose.load import LoadOptions, load_project

PAGE = Path(__file__).resolve().parents[2] / "docs" / "compose-pipeline.md"
_BLOCK = re.compile(r"^```(\w+) (\S+)\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def examples() -> Iterator[Any]:
    """Yield (files, what stands after, what is told) of every example, in order."""
    files: dict[str, str] = {}
    heading = ""
    text = PAGE.read_text(encoding="utf-8")
    for number, match in enumerate(_BLOCK.finditer(text)):
        heading = re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)[-1]
        _, name, content = match.groups()
        if name in ("after", "told"):
            yield pytest.param(files, name, content, id=f"{heading} {number}")
            files = {}
        else:
            files[name] = content


def found_at(document: Any, path: str) -> Any:
    for step in path.split("."):
        if isinstance(document, list):
            document = document[int(step)]
        else:
            document = document.get(step) if document else None
    return document


@pytest.mark.parametrize(("files", "kind", "content"), list(examples()))
def test_an_example_is_true(files: dict[str, str], kind: str, content: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    options = LoadOptions(working_dir=tmp_path)
    if kind == "told":
        with pytest.raises(DiagnosticsError) as caught:
            load_project(options)
        told = [f"{found.location}: {found.message}" for found in caught.value.diagnostics]
        assert told == content.splitlines()
        return
    document = json.loads(json.dumps(to_document(load_project(options).project)).replace("$$", "$"))
    expected = yaml.safe_load(content)
    assert {path: found_at(document, path) for path in expected} == expected


def test_every_phase_has_an_example() -> None:
    headings = re.findall(r"^## (\d)\. (\w+)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert [int(number) for number, _ in headings] == list(range(1, 9))
    assert {example.id.split(".")[0] for example in examples() if example.id} == set("12345678")
