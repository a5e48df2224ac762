"""Help, names of options, and what is loaded for them."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from leeward.cli import commands
from leeward.cli.catalog import VERBS, load_verb
from leeward.cli.main import build_app


def test_every_module_of_a_verb_is_in_the_catalog() -> None:
    assert {
        module.name.removesuffix("_convox") for module in pkgutil.iter_modules(commands.__path__)
    } == VERBS.keys()


@pytest.mark.parametrize("name", VERBS)
def test_the_summary_of_a_verb_is_what_its_own_help_begins_with(name: str) -> None:
    help_text = inspect.cleandoc(load_verb(name).help).split("\n\n")[0]

    assert VERBS[name] == help_text.replace("``", "`").replace("\n", " ")


def test_help_lists_every_verb_whole() -> None:
    shown = CliRunner().invoke(build_app(), ["--help"])

    assert shown.exit_code == 0
    words = shown.output.split()
    for name, summary in VERBS.items():
        assert name in words
        assert summary in " ".join(words)


def test_help_loads_no_verb_and_no_formatter() -> None:
    program = "import sys; from leeward.cli.main import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded.isdisjoint({"rich", "asyncio", "httpx", "yaml", "leeward.cli.commands.up"})


def test_a_mistyped_verb_is_answered_with_the_nearest(tool: Any) -> None:
    code, _, err = tool("psx")

    assert code == 2
    assert "Did you mean 'ps'?" in err


@pytest.mark.parametrize(
    "verb",
    [
        *("up", "down", "ps", "logs", "restart", "scale", "kubeconfig", "drill zone"),
        *("cluster start", "cluster stop", "cluster status", "cluster delete"),
    ],
)
def test_a_cluster_is_named_by_name_or_by_cluster(verb: str) -> None:
    command = load_verb(verb.split()[0])
    if " " in verb:
        command = command.commands[verb.split()[1]]

    spellings = [set(option.opts) for option in command.params]
    assert {"--name", "--cluster"} in spellings


def test_a_usage_error_of_a_verb_is_exit_code_2(tool: Any) -> None:
    code, _, err = tool("cluster", "start", "--bogus")

    assert code == 2
    assert "--bogus" in err
