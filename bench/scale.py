"""Measures large simulated clusters over the HTTP API, each in a process of its own; writes bench/results.md.

Run: python bench/scale.py                      three runs of the goals, and one of each size
     python bench/scale.py --runs 1 --no-growth quickly
     python bench/scale.py --pods 2000 --nodes 200 --runs 1 --no-growth

What is created is one Deployment whose Pods have to be spread over three zones. A watch of it tells when its
status says that all of them are there; the load comes over TLS from this process.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import orjson
from api import call, session
from results import table, write_section
from run import NAME, cpu_seconds, family, leeward, resident_mb

from leeward.kube.kubeconfig import load_access

NODES, PODS, MANY_NODES = 1_000, 10_000, 5_000
SIZE = "32cpu,256Gi"
GROWTH = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000)
IDLE_SECONDS = 30.0
NAMESPACE = "/apis/apps/v1/namespaces/default/deployments"
LABELS = {"app": "web"}
GOALS = {
    f"{NODES:,} nodes registered": ("s", "<= 5 s"),
    f"{PODS:,} Pods created over HTTP and Running, zones spread": ("s", "<= 15 s"),
    f"CPU, idle at {NODES:,} nodes and {PODS:,} Pods": ("%", "<= 3 %"),
    f"rolling update of {PODS:,} Pods": ("s", "<= 60 s"),
    "resident memory, at most": ("MB", "<= 1,200 MB"),
    f"deletion of {PODS:,} Pods": ("s", "<= 10 s"),
}
SPREAD = f"Pods Running at {MANY_NODES:,} nodes, zones spread"


def deployment(pods: int, image: str = "web:1") -> bytes:
    """Return a Deployment with a required zone spread."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": LABELS},
    }
    requests = {"cpu": "100m", "memory": "128Mi"}
    container = {"name": "web", "image": image, "resources": {"requests": requests}}
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"topologySpreadConstraints": [spread], "containers": [container]},
    }
    spec = {"replicas": pods, "selector": {"matchLabels": LABELS}, "template": template}
    return orjson.dumps({"metadata": {"name": "web"}, "spec": spec})


def is_done(obj: dict[str, object], pods: int) -> bool:
    """Tell whether the status of a Deployment says that all is as its spec wants it."""
    status, meta = obj.get("status"), obj["metadata"]
    if not isinstance(status, dict) or not isinstance(meta, dict):
        return False
    counts = {
        status.get(key) for key in ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    }
    return counts == {pods} and status.get("observedGeneration") == meta["generation"]


async def until_done(client: aiohttp.ClientSession, pods: int) -> None:
    """Follow the Deployment until it is done."""
    path = f"{NAMESPACE}?watch=1&fieldSelector=metadata.name=web&sendInitialEvents=true"
    async with client.get(f"{path}&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true") as answer:
        async for line in answer.content:
            event = orjson.loads(line)
            if event["type"] in ("ADDED", "MODIFIED") and is_done(event["object"], pods):
                return
    raise SystemExit("the watch of the Deployment ended")


async def until_gone(client: aiohttp.ClientSession) -> None:
    """Wait until there is no Pod."""
    while orjson.loads(await call(client, "GET", "/api/v1/namespaces/default/pods?limit=1"))["items"]:
        await asyncio.sleep(0.05)


async def count_zones(client: aiohttp.ClientSession, pods: int, *, evenly: bool) -> None:
    """Stop with an error unless the Pods are Running and, if so, spread evenly.

    After a rolling update they need not be: what a new Pod is spread among are the old ones too.
    """
    listed = orjson.loads(await call(client, "GET", "/api/v1/namespaces/default/pods"))["items"]
    per_zone: dict[str, int] = {}
    for pod in listed:
        zone = pod["metadata"]["labels"]["topology.kubernetes.io/zone"]
        per_zone[zone] = per_zone.get(zone, 0) + (pod["status"]["phase"] == "Running")
    skew = max(per_zone.values()) - min(per_zone.values())
    if sum(per_zone.values()) != pods or (evenly and skew > 1):
        raise SystemExit(f"{pods} Pods should be Running, spread evenly: {per_zone}")


async def timed(work: Callable[[], object], done: object) -> float:
    """Return the seconds from `work` until `done`."""
    began = time.perf_counter()
    await work()  # type: ignore[misc]
    await done  # type: ignore[misc]
    return time.perf_counter() - began


async def life(home: Path, pid: int, pods: int, *, whole: bool) -> list[float]:
    """Create, look at, roll and delete a Deployment; without `whole` only create it."""
    figures: list[float] = []
    async with session(load_access(home / NAME / "kubeconfig")) as client:
        path, patch = f"{NAMESPACE}/web", "application/strategic-merge-patch+json"
        figures.append(
            await timed(lambda: call(client, "POST", NAMESPACE, deployment(pods)), until_done(client, pods))
        )
        await count_zones(client, pods, evenly=True)
        if not whole:
            return figures
        await asyncio.sleep(5)
        before = sum(cpu_seconds(each) for each in family(pid))
        await asyncio.sleep(IDLE_SECONDS)
        figures.append((sum(cpu_seconds(each) for each in family(pid)) - before) / IDLE_SECONDS * 100)
        image = orjson.dumps(
            {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "web:2"}]}}}}
        )
        figures.append(
            await timed(lambda: call(client, "PATCH", path, image, patch), until_done(client, pods))
        )
        await count_zones(client, pods, evenly=False)
        figures.append(sum(peak_mb(each) for each in family(pid)))
        figures.append(await timed(lambda: call(client, "DELETE", path), until_gone(client)))
    return figures


def peak_mb(pid: int) -> float:
    """Return the most that a process had in memory."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resident_mb(pid)


def run(nodes: int, pods: int, *, whole: bool) -> list[float]:
    """Return the figures of one cluster: in the order of GOALS, or seconds, seconds and megabytes."""
    home = Path(tempfile.mkdtemp(prefix="leeward-scale-"))
    os.environ["LEEWARD_HOME"] = str(home)
    began = time.perf_counter()
    leeward(
        "cluster", "start", "--name", NAME, "--runtime", "simulated",
        "--nodes", str(nodes), "--zones", "3", "--node-size", SIZE,
    )  # fmt: skip
    started = time.perf_counter() - began
    try:
        pid = int((home / NAME / "lock").read_text())
        figures = asyncio.run(life(home, pid, pods, whole=whole))
        return [started, *figures, *([] if whole else [sum(peak_mb(each) for each in family(pid))])]
    finally:
        leeward("cluster", "stop", "--name", NAME)
        shutil.rmtree(home)


def growth() -> str:
    """Return a table of what Pods cost in clusters of ever more of them, and the slope between two sizes."""
    rows: list[list[str]] = []
    last: tuple[int, float] | None = None
    for pods in GROWTH:
        _, seconds, memory = run(NODES, pods, whole=False)
        slope = "" if last is None else f"{math.log(seconds / last[1]) / math.log(pods / last[0]):.2f}"
        last = pods, seconds
        logs = (f"{math.log10(pods):.2f}", f"{math.log10(seconds):.2f}", slope)
        cost = (f"{seconds / pods * 1000:.2f} ms", f"{memory:.0f} MB")
        rows.append([f"{pods:,}", f"{seconds:.1f} s", *logs, *cost])
    header = ["Pods", "until all are Running", "log10 Pods", "log10 s", "slope", "a Pod", "memory"]
    return table(header, rows)


def main() -> None:
    """Measure and write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--runs", type=int, default=3)
    options.add_argument("--nodes", type=int, default=NODES)
    options.add_argument("--pods", type=int, default=PODS)
    options.add_argument("--no-growth", action="store_true", help="only what there are goals for")
    options.add_argument("--dry", action="store_true", help="do not write bench/results.md")
    given = options.parse_args()
    runs = [run(given.nodes, given.pods, whole=True) for _ in range(given.runs)]
    rows = []
    for (name, (unit, goal)), values in zip(GOALS.items(), zip(*runs, strict=True), strict=True):
        shown = [f"{value:,.1f}" for value in (statistics.median(values), min(values), max(values))]
        rows.append([name, f"{shown[0]} {unit}", *shown[1:], goal])
    if given.nodes == NODES:
        rates = [given.pods / run(MANY_NODES, given.pods, whole=False)[1] for _ in range(given.runs)]
        shown = [f"{value:,.0f}" for value in (statistics.median(rates), min(rates), max(rates))]
        rows.append([SPREAD, f"{shown[0]}/s", *shown[1:], ">= 500/s"])
    text = f"`python bench/scale.py`: medians of {given.runs}; all share {os.cpu_count()} cores.\n\n"
    text += table(["what", "median", "least", "most", "goal"], rows)
    if not given.no_growth:
        text += f"\n\nThe same creation at {NODES:,} nodes; a slope of 1 is linear:\n\n{growth()}"
    if given.dry:
        print(text)
    else:
        write_section("Scale", text)


if __name__ == "__main__":
    main()
