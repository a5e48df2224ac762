"""``docs/tutorial-eks.md``: every command is one, and what needs no account does what the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.test_ci_recipes import leeward_commands, parse, simple_commands

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/tutorial-eks.md").read_text(encoding="utf-8")
SCRIPTS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FILES = dict(re.findall(r"^```(?:yaml|hcl)\n# (\S+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = [words for script in SCRIPTS for words in leeward_commands(script)]
_PROSE = re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL)
OFFLINE = {
    *(
        "check",
        "render",
        "infra init",
        "infra add",
        "infra render",
        "infra check",
        "infra cost",
        "infra diff",
    ),
    *("infra clone", "infra platform"),
}


def spans() -> Iterator[list[str]]:
    for span in re.findall(r"`(leeward [^`]+)`", _PROSE):
        yield from leeward_commands(span)


@pytest.mark.parametrize("words", [*COMMANDS, *spans()], ids=" ".join)
def test_a_command_is_understood(words: list[str]) -> None:
    try:
        assert parse(words)
    except Exception as error:
        if type(error).__name__ != "MissingParameter" or words in COMMANDS:
            raise  # `leeward infra check` is a name in a sentence, no command line


def test_programs_that_are_run_are_those_that_the_page_asks_for() -> None:
    programs = {words[0] for script in SCRIPTS for words in simple_commands(script)}

    assert programs <= {
        "leeward",
        "terraform",
        "aws",
        "docker",
        "kubectl",
        "git",
        "cd",
        "mkdir",
        "cp",
        "export",
    }


def test_the_page_says_what_was_not_tried() -> None:
    assert "Nothing was run against a real AWS account" in PAGE


class Reader:
    """Does what the page says, but for what needs an account or a cluster."""

    def __init__(self, tool: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: dict[str, str] = {}  # arguments of leeward → what it printed
        self._tool = tool
        self._go = monkeypatch.chdir
        shop = home / "storefront"
        shutil.copytree(ROOT / "examples/storefront", shop, ignore=shutil.ignore_patterns("__pycache__"))
        self._go(shop)

    def read(self) -> None:
        """Follow the page from its beginning to its end."""
        for script in SCRIPTS:
            for words in simple_commands(script):
                if words != ["cd", "work/storefront"]:
                    self._follow(words)

    def _follow(self, words: list[str]) -> None:
        if words[0] == "cd":
            self._go(words[1])
            if words[1] == "../storefront":
                self._write(name for name in FILES if not name.startswith("clusters/"))
        elif words[0] == "git":
            subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words[1:]], check=True)
        elif words[0] == "leeward" and "--apply" not in words:
            self._run(words[1:])

    def _run(self, arguments: list[str]) -> None:
        verb = parse(arguments)
        if verb not in OFFLINE:
            return
        code, out, err = self._tool(*arguments)
        assert code == 0, (arguments, out, err)
        self.said[" ".join(arguments)] = out
        if verb == "infra add":
            self._write(name for name in FILES if name.startswith("clusters/"))

    def _write(self, names: Iterable[str]) -> None:
        for name in names:
            Path(name).write_text(FILES[name], encoding="utf-8")


@pytest.fixture
def reader(tool: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Return a reader in an empty directory, who has read to the end."""
    found = Reader(tool, tmp_path / "pages", monkeypatch)
    found.read()
    monkeypatch.chdir(tmp_path / "pages" / "infrastructure")
    return found


def test_what_needs_no_account_does_what_the_page_says(reader: Reader) -> None:
    said = reader.said

    assert "80 exact, 2 approximated" in said["check"]
    checked = next(out for words, out in said.items() if words.startswith("infra check"))
    shown = re.search(r"^us-east-1a .*$", PAGE, re.MULTILINE)
    assert shown is not None
    assert shown.group() in checked
    assert "wrote " in said["infra platform prod-use1 --render platform/prod-use1"]


def test_what_check_proposes_is_enough_and_costs_what_the_page_says(tool: Any, reader: Reader) -> None:
    name = "clusters/prod-use1/cluster.yaml"
    text = FILES[name].replace("    min: 1\n    desired: 1\n", "    min: 2\n    desired: 2\n")
    assert text != FILES[name]
    Path(name).write_text(text, encoding="utf-8")

    manifests = [f"--manifests={each}=../manifests/{each}" for each in ("qa", "production")]
    _, checked, _ = tool("infra", "check", "prod-use1", *manifests)
    _, cost, _ = tool("infra", "cost", "prod-use1")

    assert checked.count("3.65 of 6.68") == 3
    assert "after autoscaling" not in checked
    total = re.search(r"^total +[\d.,]+ +([\d,]+)\.", cost, re.MULTILINE)
    told = re.search(r"some (\d+) USD a month", PAGE)
    assert total is not None
    assert told is not None
    assert abs(int(total[1].replace(",", "")) - int(told[1])) < 15
