"""Both stores; what one promises, the other does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leeward.cluster.store.memory import MemoryStore
from leeward.cluster.store.sqlite import SQLiteStore


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore]:
    made = SQLiteStore(tmp_path / "state.db") if request.param == "sqlite" else MemoryStore()
    yield made
    made.close()
