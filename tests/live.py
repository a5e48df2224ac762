"""What tests of a whole cluster share: leeward's command line in a home of its own, and kubectl."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

NEEDS_PODS = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0,
        reason="Pods with networks of their own need root on Linux",
    ),
]
NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")


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


class Kubectl:
    """Runs kubectl against one cluster, in one namespace of it."""

    def __init__(self, kubeconfig: Path, namespace: str = "default") -> None:
        self.command = ["kubectl", "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        self.kubeconfig = kubeconfig

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*self.command, *arguments], input=stdin, capture_output=True, timeout=60, check=False
        )

    def ok(self, *arguments: str, stdin: bytes = b"") -> str:
        done = self.run(*arguments, stdin=stdin)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.decode()

    def fails(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode != 0, done.stdout
        return done.stderr.decode()

    @contextmanager
    def forwarding(self, *arguments: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
        """Forward a port; yields the local one when connections are taken."""
        process = subprocess.Popen(
            [*self.command, "port-forward", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+)", line)
            assert found, line + (process.communicate(timeout=10)[1] if process.poll() is not None else "")
            yield int(found[1]), process
        finally:
            process.kill()
            process.communicate()
