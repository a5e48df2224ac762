"""Measures making and promoting a release of many services; writes its part of bench/results.md.

Run: python bench/releases.py     whole processes, medians of RUNS runs, on a simulated cluster of its own

A promotion counts until every Pod is ready. The second promotion of the same release has nothing to do.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from functools import partial
from pathlib import Path

from results import table, write_section
from run import leeward, timed

NAME = "releases"
GOALS = {"release create": 20.0, "promote, until all are ready": 20.0, "promote again, for nothing": 3.0}
_CONFIG = """\
app: many
environments:
  ci: {}
"""


def write_project(directory: Path, services: int) -> None:
    """Write a Compose file of so many services, each with variables and a health check."""
    lines = ["name: many", "services:"]
    for number in range(services):
        lines += [
            f"  service-{number}:",
            f"    image: registry.example.com/many/service-{number}@sha256:{number:064x}",
            "    environment:",
            f"      NUMBER: '{number}'",
            f"      NEXT: http://service-{(number + 1) % services}:8000",
            "    expose: ['8000']",
            "    healthcheck: {test: ['CMD', 'true'], interval: 5s}",
        ]
    (directory / "compose.yaml").write_text("\n".join(lines) + "\n")
    (directory / "leeward.yaml").write_text(_CONFIG)


def once(services: int) -> dict[str, float]:
    """Return the seconds of each step, on a fresh cluster."""
    place = Path(tempfile.mkdtemp(prefix="leeward-bench-"))
    os.environ["LEEWARD_HOME"] = str(place / "home")
    cluster = ("--cluster", NAME)
    try:
        write_project(place, services)
        leeward("cluster", "start", "--name", NAME, "--runtime", "simulated", "--nodes", "12", cwd=place)
        leeward("env", "apply", "--yes", *cluster, cwd=place)
        steps = {
            "release create": ("release", "create", *cluster),
            "promote, until all are ready": ("promote", "--to", "ci", "--yes", *cluster),
            "promote again, for nothing": ("promote", "--to", "ci", "--yes", *cluster),
        }
        return {name: timed(partial(leeward, *step, cwd=place)) for name, step in steps.items()}
    finally:
        leeward("cluster", "stop", "--name", NAME, cwd=place)
        shutil.rmtree(place, ignore_errors=True)


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--services", type=int, default=200)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    found = [once(options.services) for _ in range(options.runs)]
    rows = [
        [f"{name}, {options.services} services", f"{statistics.median(times):.1f} s", f"<= {goal:g} s"]
        for name, goal in GOALS.items()
        for times in [[each[name] for each in found]]
    ]
    text = (
        f"`python bench/releases.py`: medians of {options.runs}.\n\n{table(['what', 'median', 'goal'], rows)}"
    )
    print(text) if options.dry else write_section("Releases", text)


if __name__ == "__main__":
    main()
