"""Where the recorded cases are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path(
    os.environ.get("LEEWARD_TIMELINES")
    or Path(__file__).resolve().parents[4] / "shared" / "data" / "controllers"
)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """One recording."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.path.read_text())
        return {**found, "name": self.name}


def load(directory: Path = DATA) -> Iterator[CaseFile]:
    """Yield the recordings of a directory, sorted."""
    for path in sorted(directory.glob("*.json")):
        yield CaseFile(path)
