"""Settings read from a Compose text."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from leeward.compose.load import LoadOptions, load_project
from leeward.settings.read import Declared, read_settings

Read = Callable[[str], Declared]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Read the settings of a Compose text in ``compose.yaml``."""

    def make(text: str) -> Declared:
        (tmp_path / "compose.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        return read_settings(load_project(LoadOptions(working_dir=tmp_path, project_name="shop")).project)

    return make


@pytest.fixture
def read_web(read: Read) -> Read:
    """Read settings of a service ``web``, written as a flow mapping at line 4."""
    return lambda settings: read(f"services:\n  web:\n    image: x\n    x-leeward: {settings}\n")
