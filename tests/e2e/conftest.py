"""A leeward of one's own: a home directory that is removed, with every cluster in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live import Leeward

__all__ = ["Leeward"]


@pytest.fixture
def leeward(tmp_path: Path) -> Iterator[Leeward]:
    """Return a leeward whose clusters are stopped at the end."""
    (tmp_path / "work").mkdir()
    tool = Leeward(tmp_path / "home", tmp_path / "work")
    yield tool
    for state in (tmp_path / "home").glob("*/cluster.json"):
        tool.run("cluster", "stop", "--name", state.parent.name)
