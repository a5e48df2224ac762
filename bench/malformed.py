"""Measures how long wrong input takes to be told, as whole processes; prints the slowest.

Run: python bench/malformed.py
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERBS = ("config", "check", "render")
SHOWN = 5


def main() -> None:
    """Run every malformed project through the verbs that read Compose files."""
    spec = importlib.util.spec_from_file_location(
        "malformed", ROOT / "tests" / "loader" / "test_malformed.py"
    )
    if spec is None or spec.loader is None:
        raise SystemExit("tests/loader/test_malformed.py is not there")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    times = []
    for case in module.CASES:
        with tempfile.TemporaryDirectory() as directory:
            for name, content in module.files_of(case).items():
                (Path(directory) / name).write_bytes(content)
            for verb in VERBS:
                began = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, "-m", "leeward", verb],
                    cwd=directory,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                times.append((time.perf_counter() - began, verb, case["case"], done.returncode))
                if "Traceback" in done.stderr or done.returncode not in (0, 1, 2):
                    raise SystemExit(f"{verb} of {case['case']}: {done.stderr}")
    for seconds, verb, name, code in sorted(times, reverse=True)[:SHOWN]:
        print(f"{seconds:.2f} s  {verb}  {name}  (exit {code})")
    print(f"{len(times)} runs of {len(module.CASES)} projects, no traceback")


if __name__ == "__main__":
    main()
