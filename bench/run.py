"""Measures what users wait for and what an idle cluster costs; writes its part of bench/results.md.

Whole processes on this machine, medians of RUNS runs, with the goals beside them. Run: make bench
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from results import table, write_section

ROOT = Path(__file__).resolve().parents[1]
STOREFRONT = ROOT / "examples" / "storefront"
CORPUS = ROOT.parent / "shared" / "data" / "compose-corpus"
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
IDLE_SECONDS = float(os.environ.get("BENCH_IDLE_SECONDS", "20"))
TICKS = os.sysconf("SC_CLK_TCK")
NAME = "bench"


def leeward(*arguments: str, cwd: Path = ROOT) -> None:
    """Run one command; its output is shown only when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "leeward", *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"leeward {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def timed(work: Callable[[], None]) -> float:
    """Return the seconds that `work` takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def family(pid: int) -> list[int]:
    """Return a process and its descendants but containers: the daemon and its launcher."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def resident_mb(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pid: int) -> float:
    """Return the CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def cold_start(home: Path) -> float:
    """Time ``cluster start`` from nothing to ready, nodes included; leaves the cluster running."""
    shutil.rmtree(home, ignore_errors=True)
    return timed(lambda: leeward("cluster", "start", "--name", NAME))


def idle(home: Path) -> tuple[float, float]:
    """Return resident MB and CPU percent of the idle cluster."""
    pid = int((home / NAME / "lock").read_text())
    time.sleep(2)
    members = family(pid)
    before = sum(cpu_seconds(each) for each in members)
    time.sleep(IDLE_SECONDS)
    used = sum(cpu_seconds(each) for each in members) - before
    return sum(resident_mb(each) for each in members), 100 * used / IDLE_SECONDS


def up_to_first_200(home: Path) -> float:
    """Time ``leeward up`` of the storefront, cluster included, until the ingress answers 200."""
    shutil.rmtree(home, ignore_errors=True)

    def work() -> None:
        leeward("up", "-d", "--cluster", NAME, cwd=STOREFRONT)
        port = json.loads((home / NAME / "cluster.json").read_text())["ingressPort"]
        request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": "web.localhost"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            if answer.status != 200:
                raise SystemExit(f"the ingress said {answer.status}")

    return timed(work)


def measured(*arguments: str, cwd: Path) -> tuple[float, float]:
    """Return seconds and peak MB of one command, as a whole process."""
    command = [sys.executable, "-m", "leeward", *arguments]
    began = time.perf_counter()
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        process = subprocess.Popen(command, cwd=cwd, stdout=nowhere, stderr=nowhere)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"leeward {' '.join(arguments)} failed in {cwd}")
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def of_large_project(directory: Path) -> list[tuple[str, list[float], str, float]]:
    """Measure what 1,000 services cost."""
    make = Path(__file__).with_name("make_project.py")
    subprocess.run([sys.executable, str(make), str(directory)], check=True, capture_output=True)
    rows = []
    for verb in ("render", "check"):
        runs = [measured(verb, cwd=directory) for _ in range(RUNS)]
        rows.append((f"`leeward {verb}` of 1,000 services", [run[0] for run in runs], "s", 1.5))
        rows.append(
            (f"`leeward {verb}` of 1,000 services, peak memory", [run[1] for run in runs], "MB", 250.0)
        )
    helps = [measured("--help", cwd=directory)[0] for _ in range(RUNS)]
    return [*rows, ("`leeward --help`", helps, "s", 0.15)]


def largest_project() -> Path:
    """Return the corpus' Compose file with the most lines, or the storefront's."""
    names = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
    found = [path for name in names for path in CORPUS.rglob(name)]
    return max(found, key=lambda path: path.stat().st_size, default=STOREFRONT / "compose.yaml")


def main() -> None:
    """Measure and write."""
    home = Path(tempfile.mkdtemp(prefix="leeward-bench-"))
    os.environ["LEEWARD_HOME"] = str(home)
    starts, memory, cpu, ups = [], [], [], []
    try:
        for number in range(RUNS):
            print(f"run {number + 1} of {RUNS}", flush=True)
            starts.append(cold_start(home))
            resident, percent = idle(home)
            memory.append(resident)
            cpu.append(percent)
            leeward("cluster", "stop", "--name", NAME)
            ups.append(up_to_first_200(home))
            leeward("cluster", "stop", "--name", NAME)
    finally:
        subprocess.run([sys.executable, "-m", "leeward", "cluster", "stop", "--name", NAME], check=False)
        shutil.rmtree(home, ignore_errors=True)
    project = largest_project()
    renders = [timed(lambda: leeward("render", "-f", str(project))) for _ in range(RUNS)]
    with tempfile.TemporaryDirectory() as directory:
        large = of_large_project(Path(directory))
    write(
        [
            ("cold start to /readyz and all six nodes Ready", starts, "s", 1.5),
            ("resident memory, idle", memory, "MB", 150.0),
            ("CPU, idle", cpu, "%", 1.0),
            ("`leeward up` of the storefront to the first 200", ups, "s", 4.0),
            (f"`leeward render` of {project.parent.name}, whole process", renders, "s", 0.5),
            *large,
        ]
    )


def write(rows: list[tuple[str, list[float], str, float]]) -> None:
    """Write this benchmark's section."""
    cells = []
    for what, values, unit, goal in rows:
        middle, least, most = statistics.median(values), min(values), max(values)
        cells.append([what, f"{middle:.2f} {unit}", f"{least:.2f}", f"{most:.2f}", f"<= {goal:g} {unit}"])
    note = (
        f"Medians of {RUNS} runs of `make bench`: whole processes, {os.cpu_count()} cores, lower is better."
    )
    shown = table(["what", "median", "least", "most", "goal"], cells)
    write_section("Commands and the idle cluster", f"{note}\n\n{shown}")


if __name__ == "__main__":
    main()
