"""Writes bench/results.md: one section a benchmark, each replaced by its next run."""

from __future__ import annotations

import re
from pathlib import Path

RESULTS = Path(__file__).with_name("results.md")
_HEADING = re.compile(r"^## (.*)$", re.MULTILINE)


def write_section(title: str, text: str) -> None:
    """Replace the section `title`, or add it at the end; print it."""
    old = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else "# Benchmark\n"
    parts = _HEADING.split(old)
    head, sections = parts[0].rstrip(), dict(zip(parts[1::2], parts[2::2], strict=True))
    sections[title] = text
    body = "".join(f"\n\n## {name}\n\n{each.strip()}" for name, each in sections.items())
    RESULTS.write_text(head + body + "\n", encoding="utf-8")
    print(f"## {title}\n\n{text.strip()}")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table; all columns but the first are numbers."""
    marks = ["---", *["--:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, marks, *rows))
