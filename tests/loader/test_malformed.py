"""What is told about Compose files with real mistakes in them: everything, where it is, and what to do.

``malformed/expected.txt`` is what a person reads; LEEWARD_UPDATE_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.base.errors import DiagnosticsError
from leeward.compose.load import LoadOptions, load_project
from leeward.render.render import render

HERE = Path(__file__).with_name("malformed")
EXPECTED = HERE / "expected.txt"
MAKE: Mapping[str, Callable[[], bytes]] = {
    "latin1": lambda: "services:\n  web:\n    image: x\n    hostname: café\n".encode("latin-1"),
    "utf16": lambda: "services:\n  web: {image: x}\n".encode("utf-16"),
    "null": lambda: b"services:\n  web: {image: x\0}\n",
    "laughs": lambda: (
        b"x-a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        + b"".join(
            f"x-{one}: &{one} [{', '.join([f'*{before}'] * 9)}]\n".encode()
            for before, one in zip("abcdefgh", "bcdefghi", strict=True)
        )
        + b"services:\n  web: {image: x}\n"
    ),
    "deep": lambda: b"x-deep: " + b"[" * 5000 + b"]" * 5000 + b"\nservices: {web: {image: x}}\n",
    "big": lambda: b"services:\n" + b"  # a line of a comment, of which there are many\n" * 1_050_000,
    "digits": lambda: b"services:\n  web: {image: x, scale: " + b"9" * 5000 + b"}\n",
}
CASES: list[dict[str, Any]] = yaml.safe_load((HERE / "cases.yaml").read_text(encoding="utf-8"))


def files_of(case: dict[str, Any]) -> dict[str, bytes]:
    """Return the files of a case."""
    files = {name: text.encode() for name, text in case.get("files", {}).items()}
    if "make" in case:
        files["compose.yaml"] = MAKE[case["make"]]()
    elif "text" in case:
        files["compose.yaml"] = case["text"].encode()
    else:
        document = {"services": {"web": case["web"], **case.get("services", {})}, **case.get("top", {})}
        files["compose.yaml"] = yaml.safe_dump(document, sort_keys=False).encode()
    return files


def lines(found: Iterator[Diagnostic] | tuple[Diagnostic, ...]) -> Iterator[str]:
    """Yield what a person reads of `found`."""
    for item in found:
        where = f"{item.location}: " if item.location else ""
        path = f"{item.path}: " if item.path else ""
        yield f"{where}{item.severity}: {path}{item.message} [{item.code}]"
        if item.remedy:
            yield f"  fix: {item.remedy}"


def told_about(case: dict[str, Any], root: Path) -> str:
    """Return what loading and rendering tell, errors and warnings."""
    for name, content in files_of(case).items():
        (root / name).write_bytes(content)
    try:
        loaded = load_project(LoadOptions(working_dir=root, environment={}))
        found = (*loaded.diagnostics, *render(loaded.project).diagnostics)
    except DiagnosticsError as error:
        found = tuple(error.diagnostics)
    shown = tuple(item for item in found if item.severity is not Severity.NOTE)
    text = "\n".join(lines(shown)).replace(str(root), "ROOT").replace(str(root.parent), "PARENT")
    return re.sub(r"\S*elsewhere", "…/elsewhere", text)


def expected() -> dict[str, str]:
    text = EXPECTED.read_text(encoding="utf-8") if EXPECTED.exists() else ""
    parts = re.split(r"^== (.*)\n", text, flags=re.MULTILINE)[1:]
    return {name: body.rstrip("\n") for name, body in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["case"])
def test_a_mistake_is_told_exactly(case: dict[str, Any], tmp_path: Path) -> None:
    assert told_about(case, tmp_path) == expected().get(case["case"])


def test_every_error_has_a_place_and_a_remedy_and_no_case_is_without_a_word(tmp_path: Path) -> None:
    assert len(CASES) >= 60
    assert list(expected()) == [case["case"] for case in CASES]
    for case, text in expected().items():
        errors = [line for line in text.splitlines() if ": error: " in line or line.startswith("error: ")]
        assert text, case
        assert len(re.findall(r"^  fix: ", text, re.MULTILINE)) >= len(errors), case


if os.environ.get("LEEWARD_UPDATE_GOLDEN"):
    import tempfile

    texts = []
    for each in CASES:
        with tempfile.TemporaryDirectory() as directory:
            texts.append(f"== {each['case']}\n{told_about(each, Path(directory).resolve())}\n")
    EXPECTED.write_text("\n".join(texts), encoding="utf-8")
