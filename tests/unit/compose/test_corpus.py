from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from leeward.base.diagnostics import Severity
from leeward.compose.load import LoadOptions, LoadResult, load_project

CORPUS = Path(__file__).parents[4] / "shared/data/compose-corpus"
FILES = sorted(
    path
    for pattern in ("compose.y*ml", "docker-compose*.y*ml", "docker-stack.yml")
    for path in CORPUS.rglob(pattern)
)
needs_corpus = pytest.mark.skipif(not FILES, reason=f"the corpus is not at {CORPUS}")


def load(path: Path) -> LoadResult:
    return load_project(
        LoadOptions(working_dir=path.parent, files=[path.name], environment={"HOME": "/home/user"})
    )


@needs_corpus
@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORPUS)))
def test_every_project_of_the_corpus_loads(path: Path) -> None:
    result = load(path)
    assert result.project.services
    assert all(found.location and found.remedy for found in result.diagnostics)
    assert not [found for found in result.diagnostics if found.severity is Severity.ERROR]
    for name, service in result.project.services.items():
        assert service.image or service.build
        place = result.project.locations.find("services", name)
        assert place is not None
        assert f"{name}:" in (path.parent / place.file).read_text().splitlines()[place.line - 1]


@needs_corpus
def test_the_largest_project_loads_well_under_a_tenth_of_a_second() -> None:
    largest = max(FILES, key=lambda path: path.stat().st_size)
    load(largest)
    start = time.perf_counter()
    load(largest)
    assert time.perf_counter() - start < 0.05


def test_loading_imports_nothing_heavy() -> None:
    code = (
        "import sys, leeward.compose.load;"
        "print(sorted(m for m in sys.modules if m in"
        " {'pydantic', 'jsonschema', 'asyncio', 'httpx', 'rich', 'typer', 'kubernetes_validate'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
