"""A leeward of one's own: a home directory that is removed, with every cluster in it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Leeward:
    """Runs the real command line in a home of its own."""

    def __init__(self, home: Path, directory: Path) -> None:
        self.home = home
        self.directory = directory

    def run(self, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "leeward", *arguments],
            cwd=cwd or self.directory,
            env={**os.environ, "LEEWARD_HOME": str(self.home)},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    def ok(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run one command that has to succeed; returns what it printed."""
        done = self.run(*arguments, cwd=cwd)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def pid(self, name: str) -> int:
        """Return the pid of a cluster's process."""
        return int((self.home / name / "lock").read_text())

    def write(self, name: str, text: str) -> Path:
        """Write a file into the working directory."""
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def kubectl(self, name: str, *arguments: str) -> Any:
        """Run kubectl against a cluster."""
        return subprocess.run(
            ["kubectl", "--kubeconfig", str(self.home / name / "kubeconfig"), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def leeward(tmp_path: Path) -> Iterator[Leeward]:
    """Return a leeward whose clusters are stopped at the end."""
    (tmp_path / "work").mkdir()
    tool = Leeward(tmp_path / "home", tmp_path / "work")
    yield tool
    for state in (tmp_path / "home").glob("*/cluster.json"):
        tool.run("cluster", "stop", "--name", state.parent.name)
