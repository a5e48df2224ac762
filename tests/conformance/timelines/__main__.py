"""Plays recorded timelines, prints what differs and a table; ~series: but for states passed through at once.

Run: python -m tests.conformance.timelines [--data DIR] [--group G] [-q] [-a] [--update] [CASE…]
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from tests.conformance.timelines.cases import DATA, load
from tests.conformance.timelines.comparison import Report, compare
from tests.conformance.timelines.player import play

KNOWN = Path(__file__).with_name("known_differences.txt")
KINDS = ("checkpoint", "series", "~series", "events", "results", "totals")


def _row(name: str, reports: list[Report]) -> str:
    cells = []
    for kind in KINDS:
        counts = [report.count(kind.removeprefix("~"), passing=kind.startswith("~")) for report in reports]
        cells.append(f"{sum(equal for equal, _ in counts):4d}/{sum(total for _, total in counts):<4d}")
    return f"{name:40s} {'  '.join(cells)}\n"


def _show(report: Report, *, everything: bool) -> None:
    for finding in report.findings:
        if not finding.equal and (finding.required or everything):
            mark = "" if finding.required else " (not stable)"
            mark += " (states passed through)" if finding.passing else ""
            sys.stdout.write(f"== {report.name}: {finding.what} {finding.name}{mark}\n{finding.difference}\n")


def main() -> int:
    """Play all, print what differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="where the recordings are")
    parser.add_argument("--group", action="append", help="only this group")
    parser.add_argument("-q", "--quiet", action="store_true", help="only the tables")
    parser.add_argument(
        "-a", "--all", action="store_true", help="show too what two recordings had not in common"
    )
    parser.add_argument("--update", action="store_true", help="write the list of known differences")
    parser.add_argument("cases", nargs="*", help="names of cases")
    options = parser.parse_args()
    logging.disable(logging.INFO)
    reports = []
    for path in load(options.data):
        case = path.read()
        if (options.group and case["group"] not in options.group) or (
            options.cases and path.name not in options.cases
        ):
            continue
        report = compare(case, play(case))
        reports.append(report)
        if not options.quiet:
            _show(report, everything=options.all)
    sys.stdout.write(f"{'':40s} {'  '.join(f'{kind:9s}' for kind in KINDS)}\n")
    for report in reports:
        sys.stdout.write(_row(report.name, [report]))
    sys.stdout.write("\n")
    for group in dict.fromkeys(report.group for report in reports):
        sys.stdout.write(_row(group, [report for report in reports if report.group == group]))
    sys.stdout.write(_row("all", reports))
    known = [f"{line}\n" for report in reports for line in report.lines]
    if options.update:
        KNOWN.write_text("".join(known))
    return 1 if known else 0


if __name__ == "__main__":
    sys.exit(main())
