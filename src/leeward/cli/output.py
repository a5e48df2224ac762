"""How leeward speaks: colours and progress on a terminal, plain lines when piped, JSON when asked."""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from leeward.base.diagnostics import Diagnostic, Severity

COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


class Format(enum.StrEnum):
    """What ``--output`` takes."""

    TABLE = "table"
    JSON = "json"


class ReportFormat(enum.StrEnum):
    """What ``--output`` takes where findings are reported."""

    TABLE = "table"
    JSON = "json"
    SARIF = "sarif"


class RenderFormat(enum.StrEnum):
    """What ``--format`` of ``leeward render`` takes."""

    YAML = "yaml"
    JSON = "json"
    KUSTOMIZE = "kustomize"
    HELM = "helm"


def paint(text: str, colour: str, *, stream: Any = None) -> str:
    """Return `text` in an ANSI colour when the stream is a terminal."""
    stream = stream or sys.stdout
    return f"\x1b[{colour}m{text}\x1b[0m" if stream.isatty() else text


def say(text: str = "") -> None:
    """Print a line of result."""
    print(text, flush=True)


def note(text: str) -> None:
    """Print a line about what is going on, apart from the result."""
    print(text, file=sys.stderr, flush=True)


def error(message: str, remedy: str = "") -> None:
    """Print what is wrong and what to do."""
    print(f"{paint('error:', '1;31', stream=sys.stderr)} {message}", file=sys.stderr)
    if remedy:
        print(f"  {paint('fix:', '36', stream=sys.stderr)} {remedy}", file=sys.stderr)


def bug(failure: BaseException) -> None:
    """Print an unexpected failure with its traceback."""
    import traceback

    traceback.print_exception(failure, file=sys.stderr)
    error("this is a bug in leeward; please report the lines above")


def count(number: int, noun: str) -> str:
    """Return how many of something there are, such as "1 note" or "2 notes"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def show_diagnostics(found: Iterable[Diagnostic]) -> None:
    """Print findings, one a line with its remedy below."""
    for item in found:
        where = f"{item.location}: " if item.location else ""
        path = f"{item.path}: " if item.path else ""
        level = paint(item.severity.value, COLOURS[item.severity], stream=sys.stderr)
        print(f"{where}{level}: {path}{item.message}", file=sys.stderr)
        if item.remedy:
            print(f"  {paint('fix:', '36', stream=sys.stderr)} {item.remedy}", file=sys.stderr)


def show_rows(
    columns: Sequence[str], rows: Sequence[Mapping[str, Any]], form: Format, *, empty: str = ""
) -> None:
    """Print a listing.

    Args:
        columns: keys of the rows, in order; the heading is their upper case.
        rows: one mapping a row.
        form: table or JSON (the whole mappings).
        empty: said on a table without rows.
    """
    if form is Format.JSON:
        print(json.dumps(list(rows), indent=2))
        return
    if not rows:
        note(empty or "nothing to show")
        return
    cells = [[column.upper().replace("_", " ") for column in columns]]
    cells += [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for number, line in enumerate(cells):
        text = "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        print(paint(text, "1") if number == 0 else text)
