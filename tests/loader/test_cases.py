"""Runs the cases of ``cases/``: files and an environment in, parts of the canonical model or error codes out.

A case has ``files``, or in short ``web`` (the body of a service), ``over`` and ``raw`` (what later files
say of it, as values or as text), ``value`` (of one key) or ``dotenv`` (an environment file of a service).
The keys of ``expect`` are paths; null means that nothing is there. ROOT stands for the
directory of the project.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.base.errors import DiagnosticsError
from leeward.compose.dump import to_document
from leeward.compose.load import LoadOptions, load_project

CASES = Path(__file__).with_name("cases")
ROOT = "ROOT"


def cases() -> Iterator[Any]:
    for file in sorted(CASES.glob("*.yaml")):
        for case in yaml.safe_load(file.read_text(encoding="utf-8")):
            yield pytest.param(case, id=f"{file.stem}: {case['case']}")


def files_of(case: dict[str, Any]) -> dict[str, str]:
    """Return the files of a case, whichever way it writes them."""
    files: dict[str, str] = dict(case.get("files", {}))
    if "value" in case:
        files["compose.yaml"] = json.dumps({"services": {"web": {"image": "x", "hostname": case["value"]}}})
    if "dotenv" in case:
        entry = {"path": "web.env"} | ({"format": case["format"]} if "format" in case else {})
        files["compose.yaml"] = json.dumps({"services": {"web": {"image": "x", "env_file": [entry]}}})
        files["web.env"] = case["dotenv"]
    if "web" in case:
        services = {"web": {"image": "x", **case["web"]}, **case.get("with", {})}
        files["0.yaml"] = json.dumps({"services": services, **case.get("top", {})})
        for number, body in enumerate(case.get("over", []), start=1):
            files[f"{number}.yaml"] = json.dumps({"services": {"web": body}})
        for number, text in enumerate(case.get("raw", []), start=1):
            files[f"{number}.yaml"] = f"services:\n  web:\n    {text}\n"
    return files


def expected_of(case: dict[str, Any]) -> dict[str, Any]:
    """Return path → value, from the root of the document."""
    if "gives" in case:
        key = "hostname" if "value" in case else "environment"
        return {f"services/web/{key}": case["gives"]}
    expect: dict[str, Any] = case["expect"]
    return {f"services/web/{path}": value for path, value in expect.items()} if "web" in case else expect


def found_at(document: Any, path: str) -> Any:
    for step in path.split("/"):
        if isinstance(document, list):
            document = document[int(step)] if int(step) < len(document) else None
        else:
            document = document.get(step) if document else None
    return document


@pytest.mark.parametrize("case", list(cases()))
def test_loads_as_the_specification_says(case: dict[str, Any], tmp_path: Path) -> None:
    root = (tmp_path / "case").resolve()
    for name, text in files_of(case).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode())
    options: dict[str, Any] = dict(case.get("load", {}))
    if "web" in case:
        options["files"] = sorted(name for name in files_of(case) if name[0].isdigit())
    loading = LoadOptions(working_dir=root, environment=case.get("env", {}), **options)
    if "errors" in case:
        with pytest.raises(DiagnosticsError) as caught:
            load_project(loading)
        assert [found.code for found in caught.value.diagnostics] == case["errors"]
        assert all(found.remedy for found in caught.value.diagnostics)
        return
    project = load_project(loading).project
    text = json.dumps(to_document(project)).replace("$$", "$").replace(str(root), ROOT)
    document = json.loads(text)
    expected = expected_of(case)
    assert {path: found_at(document, path) for path in expected} == expected
