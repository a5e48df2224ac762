"""``docs/infra.md``: its table of rules is the catalogue, and its commands exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from leeward.cli.main import run
from leeward.infra.checks.catalog import RULES

PAGE = (Path(__file__).resolve().parents[3] / "docs/infra.md").read_text(encoding="utf-8")
COMMANDS = sorted(
    {
        each.split("#")[0].strip()
        for each in re.findall(r"leeward infra [a-z]+[^`\n|&;)]*", PAGE)
        if not each.startswith("leeward infra check [")
    }
)


def test_the_table_of_rules_is_the_catalogue() -> None:
    listed = re.findall(r"^\| `([a-z-]+)` \| (error|warning|note) \| (.+) \|$", PAGE, re.MULTILINE)

    assert listed == [(rule.id, rule.severity.value, rule.about) for rule in RULES], (
        "copy the rules of the catalogue into docs/infra.md"
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_is_one(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command.replace("[", "").replace("]", ""))
    verb = [word for word in words[1:3] if re.fullmatch(r"[a-z]+", word)]

    assert run([*verb, "--help"]) == 0
    help_text = capsys.readouterr().out
    assert [word for word in words[3:] if word.startswith("--") and word not in help_text] == []
