"""The fidelity report for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from leeward import __version__
from leeward.cli import output
from leeward.cli.output import ReportFormat
from leeward.render.support.levels import Level
from leeward.render.support.report import PROJECT, Entry, Report

_WIDTH = max(len(level) for level in Level)
_INDENT = " " * (_WIDTH + 4)


def show_report(report: Report, form: ReportFormat, *, all_keys: bool = False) -> None:
    """Print a report.

    Args:
        report: of a project.
        form: a table for people, JSON, or SARIF for code review.
        all_keys: list exact keys in the table too.
    """
    if form is ReportFormat.SARIF:
        from leeward.render.support.sarif import to_sarif

        output.say(json.dumps(to_sarif(report, __version__), indent=2, ensure_ascii=False))
    elif form is ReportFormat.JSON:
        output.say(json.dumps(_document(report), indent=2, ensure_ascii=False))
    else:
        _show_table(report, all_keys=all_keys)


def _document(report: Report) -> dict[str, Any]:
    counts = {str(level): report.count(level) for level in Level}
    return {
        "summary": {**counts, "waived": report.waived},
        "entries": [_plain(each) for each in report.entries],
    }


def _plain(entry: Entry) -> dict[str, Any]:
    waiver = entry.waiver
    return {
        "owner": entry.owner,
        "path": entry.path,
        "rule": entry.rule,
        "level": entry.level,
        "severity": entry.severity,
        "result": entry.result,
        "reason": entry.reason,
        "remedy": entry.remedy,
        "file": entry.location.file if entry.location else None,
        "line": (entry.location.line or None) if entry.location else None,
        "waiver": None if waiver is None else waiver.model_dump(mode="json", by_alias=True),
    }


def _show_table(report: Report, *, all_keys: bool) -> None:
    for owner, entries in _by_owner(report.entries).items():
        exact = sum(1 for each in entries if each.level is Level.EXACT)
        shown = [each for each in entries if all_keys or each.level is not Level.EXACT]
        title = "the project" if owner == PROJECT else owner
        note = f"  {output.count(exact, 'key')} exact" if exact and not all_keys else ""
        output.say(output.paint(title, "1") + note)
        for entry in shown:
            _show(entry)
    output.say(report.summary())


def _by_owner(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    owners: dict[str, list[Entry]] = {}
    for entry in entries:
        owners.setdefault(entry.owner, []).append(entry)
    return owners


def _show(entry: Entry) -> None:
    word = "waived" if entry.waiver else str(entry.severity if entry.apart else entry.level)
    colour = "36" if entry.waiver else output.COLOURS[entry.severity]
    where = f"  {entry.location}" if entry.location else ""
    output.say(f"  {output.paint(word.ljust(_WIDTH), colour)}  {entry.key or '-'}{where}")
    for line in _details(entry):
        output.say(_INDENT + line)


def _details(entry: Entry) -> list[str]:
    lines = [f"becomes: {entry.result}"] if entry.result else []
    lines += [entry.reason] if entry.reason else []
    if entry.waiver is not None:
        waiver = entry.waiver
        return [*lines, f"waived by {waiver.owner} until {waiver.until.isoformat()}: {waiver.reason}"]
    return [*lines, f"{output.paint('fix:', '36')} {entry.remedy}"] if entry.remedy else lines
