"""Notes and numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from leeward.base.diagnostics import Diagnostic, Severity
from leeward.cli.output import count
from leeward.cli.projects import show_findings


def test_one_is_singular() -> None:
    assert [count(number, "note") for number in (0, 1, 2)] == ["0 notes", "1 note", "2 notes"]


def test_notes_are_counted_once_or_shown(capsys: pytest.CaptureFixture[str]) -> None:
    note = Diagnostic(path="", location=None, code="x", severity=Severity.NOTE, message="By the way.")

    show_findings([note])
    assert capsys.readouterr().err == "1 note; `leeward render --notes` shows it\n"
    show_findings([note], notes=True)
    assert capsys.readouterr().err == "note: By the way.\n"


@pytest.mark.parametrize(("name", "said"), [("prod", True), ("production", False), ("qa", False)])
def test_an_unusual_environment_is_accepted_with_a_note(tool: Any, name: str, said: bool) -> None:
    Path("compose.yaml").write_text("services: {web: {image: x}}\n")

    code, out, err = tool("render", "--env", name)

    assert code == 0
    assert f"work-{name}" in out
    assert (f"environment '{name}' is not a usual name" in err) is said


def test_a_note_of_rendering_is_told_once(tool: Any) -> None:
    Path("compose.yaml").write_text("services: {web: {image: x, container_name: y}}\n")

    _, _, counted = tool("render")
    _, _, shown = tool("render", "--notes")

    assert counted.count("`leeward render --notes`") <= 1
    assert "`leeward render --notes`" not in shown


def test_a_refused_image_has_its_remedy_on_a_line_of_its_own(tool: Any) -> None:
    Path("compose.yaml").write_text("services:\n  db:\n    image: postgres:16\n")

    code, _, err = tool("up", "-d")

    assert code == 2
    problem, remedy = err.splitlines()
    assert problem.endswith("image postgres:16 cannot run as a process of this machine")
    assert remedy.startswith("  fix: ")
    assert "`leeward cluster start --runtime simulated`" in remedy
