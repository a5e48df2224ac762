"""Loads the Compose file of a case."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from leeward.compose.load import LoadOptions, LoadResult, load_project
from tests.keys.case import Case
from tests.schemas import schemas_in_memory

__all__ = ["schemas_in_memory"]

Load = Callable[[Case, Mapping[str, Any]], LoadResult]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load a Compose file with the files of a case next to it, under the project name "shop"."""

    def make(case: Case, compose: Mapping[str, Any]) -> LoadResult:
        for name, text in case.files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        text = yaml.safe_dump(dict(compose), sort_keys=False)
        (tmp_path / "compose.yaml").write_text(text, encoding="utf-8")
        return load_project(
            LoadOptions(
                working_dir=tmp_path,
                project_name=None if "name" in compose else "shop",
                profiles=case.profiles,
                environment={"SITE": "from-the-variable"},
            )
        )

    return make
