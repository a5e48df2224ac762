"""What no reviewer should have to check by hand."""

import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MAX_LINES = 600
MEDIAN_LINES = 150
NAMED_PATH = re.compile(r"`((?:src|tests|docs|examples|bench|scripts)/[\w./-]+)`")


def lines_of(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_at_most_600_lines(path: Path) -> None:
    assert lines_of(path) <= MAX_LINES, "split it by reason to change"


def test_the_median_file_is_at_most_150_lines() -> None:
    sizes = [lines_of(path) for path in SOURCES if path.name != "__init__.py"]
    assert statistics.median(sizes) <= MEDIAN_LINES


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_what_it_does(path: Path) -> None:
    assert path.read_text(encoding="utf-8").lstrip().startswith('"""'), "a module begins with its docstring"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_a_page_names_exists(page: Path) -> None:
    named = NAMED_PATH.findall(page.read_text(encoding="utf-8"))
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_page_fits_a_reader() -> None:
    assert lines_of(ROOT / "ARCHITECTURE.md") <= 200


def test_every_package_of_the_source_is_on_the_architecture_page() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = [path.name for path in (ROOT / "src" / "leeward").iterdir() if (path / "__init__.py").exists()]
    assert [name for name in sorted(packages) if f"`{name}`" not in text] == []


def test_make_runs_every_end_to_end_test() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    there = {
        path.name
        for path in (ROOT / "tests/e2e").iterdir()
        if path.name.startswith("test_") or (path.is_dir() and any(path.rglob("test_*.py")))
    }

    assert sorted(name for name in there if not re.search(rf"[/, ]{re.escape(name)}\b", makefile)) == []
