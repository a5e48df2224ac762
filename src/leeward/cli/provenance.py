"""Where a release is from, as Git says, where there is one."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

_SECONDS = 20.0


def git_of(directory: Path) -> dict[str, Any]:
    """Return commit, branch and whether there are uncommitted changes; {} outside of a checkout."""
    commit = _git(directory, "rev-parse", "HEAD")
    if not commit:
        return {}
    changed = _git(directory, "status", "--porcelain", "--", ".")
    found: dict[str, Any] = {"commit": commit, "dirty": bool(changed)}
    if branch := _git(directory, "branch", "--show-current"):
        found["branch"] = branch
    return found


def _git(directory: Path, *arguments: str) -> str:
    """Return what a command of Git says; "" when it fails."""
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=directory,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
