"""Golden cases: a folder with a compose.yaml and what it must become, byte for byte.

``LEEWARD_UPDATE_GOLDEN=1 pytest tests/golden`` writes the expectations; review them with ``git diff``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.schemas import schemas_in_memory

__all__ = ["schemas_in_memory"]


@pytest.fixture
def check_golden() -> Callable[[Path, str], None]:
    """Compare a text with a file, or write the file when asked to."""

    def check(path: Path, text: str) -> None:
        if os.environ.get("LEEWARD_UPDATE_GOLDEN"):
            path.write_text(text, encoding="utf-8")
        assert path.read_text(encoding="utf-8") == text, (
            f"{path} differs; LEEWARD_UPDATE_GOLDEN=1 rewrites it"
        )

    return check
