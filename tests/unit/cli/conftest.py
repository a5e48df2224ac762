"""A home without clusters, and clusters in it that seem to run."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leeward.cli.main import run
from leeward.cluster.config import STATE_VERSION
from leeward.cluster.statedir import StateDir

Cluster = Callable[..., StateDir]
Tool = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let clusters be kept in a directory of the test's own, and work in another one."""
    monkeypatch.setenv("LEEWARD_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "home"


@pytest.fixture
def cluster(home: Path) -> Iterator[Cluster]:
    """Return a maker of recorded clusters; one that runs has its lock held."""
    with contextlib.ExitStack() as held:

        def make(name: str, *, running: bool = True, **record: object) -> StateDir:
            state = StateDir(home / name)
            state.root.mkdir(parents=True)
            record = {"ingressPort": 8080, "apiPort": 6443, **record}
            state.config_file.write_text(json.dumps({"stateVersion": STATE_VERSION, "name": name, **record}))
            if running:
                held.enter_context(state.acquire())
            return state

        yield make


@pytest.fixture
def tool(capsys: pytest.CaptureFixture[str]) -> Tool:
    """Return a function that runs one command line: exit code, output, errors."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(list(arguments))
        said = capsys.readouterr()
        return code, said.out, said.err

    return call
