"""Disturbs a simulated cluster for half an hour and looks for what grows, sticks or leaks.

Run: python bench/soak.py --minutes 30     200 nodes, 2,000 Pods; exit code 1 when something is wrong

Every minute it notes the server's resident memory, file descriptors, tasks of its event loop and objects.
The first half is the warm-up: histories, changes that the scheduler may have to follow and other memories of
a bounded size fill, which takes a quarter of an hour. How memory grows from then on is told by two means of
samples, of the quarter after the warm-up and of the last quarter. Events are what a cluster keeps for an hour
by intention (as upstream), and so its memory grows for an hour by intention: here they live for
EVENT_SECONDS, in the process itself and by the same code, so that their number has settled when the warm-up
ends.

At the end the disturbances stop, everything gets its power and replicas again, and within QUIET_SECONDS no
object may be left terminating, no Pod pending, no Deployment without its replicas; tasks and descriptors are
compared with those before the disturbances.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import aiohttp
import orjson
from api import call, session
from churn import Churn
from results import table, write_section

from leeward.base.clock import SystemClock
from leeward.base.ids import SystemIds
from leeward.cli import clusters
from leeward.cluster import build, daemon
from leeward.cluster.statedir import StateDir, config_from_record
from leeward.kube.kubeconfig import load_access

ZONES = 4
EVENT_SECONDS = 60.0
QUIET_SECONDS = 180
GROWTH = 5.0  # percent
SPARE_TASKS, SPARE_DESCRIPTORS = 20, 10  # that a quiet cluster may have more than before
_KINDS = ("pods", "nodes", "services", "namespaces", "configmaps", "replicasets.apps", "jobs.batch")
_OBJECTS = re.compile(r'^apiserver_resource_objects\{group="(.*)",resource="(.*)"\} (\S+)$', re.MULTILINE)


class Sample(NamedTuple):
    """What was seen of the server once."""

    minute: float
    resident_mb: float
    descriptors: int
    tasks: int
    objects: dict[str, int]


def serve(directory: Path, descriptor: int) -> int:
    """Be the cluster's process, with Events that live shorter."""

    def make(state: StateDir) -> build.Cluster:
        config, plan = config_from_record(state.root, state.load())
        timing = replace(config.timing, event_ttl_seconds=EVENT_SECONDS)
        return build.Cluster(replace(config, timing=timing), plan, state, SystemClock(), SystemIds())

    build.build_cluster = make
    return daemon.run(StateDir(directory), descriptor)


def start(home: Path, nodes: int) -> tuple[subprocess.Popen[bytes], StateDir]:
    """Start the process of a new cluster; returns when it is ready."""
    os.environ["LEEWARD_HOME"] = str(home)
    wanted = clusters.StartOptions(
        name="soak", runtime="simulated", zones=ZONES, nodes_per_zone=max(nodes // ZONES, 1)
    )
    state = clusters.prepare(wanted)
    reading, writing = os.pipe()
    with state.daemon_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, __file__, "--serve", str(state.root), str(writing)],
            stdout=log,
            stderr=log,
            pass_fds=[writing],
        )
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = [orjson.loads(line) for line in told]
    if not any(line.get("ready") for line in lines):
        raise SystemExit(f"the cluster did not start: {lines[-1:]}")
    return process, state


async def look(client: aiohttp.ClientSession, began: float) -> Sample:
    """Ask the server how it is."""
    text = (await call(client, "GET", "/metrics")).decode()

    def value(name: str) -> float:
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else 0.0

    found = {f"{kind}.{group}".rstrip("."): int(float(n)) for group, kind, n in _OBJECTS.findall(text)}
    return Sample(
        (time.monotonic() - began) / 60,
        value("process_resident_memory_bytes") / 2**20,
        int(value("process_open_fds")),
        int(value("leeward_tasks")),
        found,
    )


async def sampling(client: aiohttp.ClientSession, samples: list[Sample], every: float) -> None:
    """Note a sample now and then; tell it."""
    began = time.monotonic()
    while True:
        sample = await look(client, began)
        samples.append(sample)
        objects = " ".join(
            f"{kind}={sample.objects.get(kind, 0)}" for kind in ("pods", "events", *_KINDS[5:])
        )
        print(
            f"{sample.minute:5.1f} min  {sample.resident_mb:7.1f} MB  {sample.descriptors} fds  "
            f"{sample.tasks} tasks  {objects}",
            flush=True,
        )
        await asyncio.sleep(every)


async def stuck(client: aiohttp.ClientSession) -> list[str]:
    """Return what is not as it should be in a quiet cluster."""
    found = []
    for kind in _KINDS:
        plural, _, group = kind.partition(".")
        path = f"/apis/{group}/v1/{plural}" if group else f"/api/v1/{plural}"
        for obj in orjson.loads(await call(client, "GET", path))["items"]:
            meta, phase = obj["metadata"], obj.get("status", {}).get("phase", "")
            name = f"{kind} {meta.get('namespace', '')}/{meta['name']}"
            if meta.get("deletionTimestamp"):
                found.append(f"{name} is terminating since {meta['deletionTimestamp']}")
            elif kind == "pods" and phase == "Pending":
                found.append(f"{name} is pending")
    for obj in orjson.loads(await call(client, "GET", "/apis/apps/v1/deployments"))["items"]:
        status, wanted = obj.get("status", {}), obj["spec"]["replicas"]
        if not wanted == status.get("availableReplicas") == status.get("replicas"):
            found.append(f"Deployment {obj['metadata']['name']} has {status}, not {wanted} replicas")
    return found


async def quiet(client: aiohttp.ClientSession) -> list[str]:
    """Wait until nothing is stuck; returns what still is when waiting makes no sense any more."""
    end = time.monotonic() + QUIET_SECONDS
    found = await stuck(client)
    while found and time.monotonic() < end:
        await asyncio.sleep(5)
        found = await stuck(client)
    return found


def growth(samples: Sequence[Sample]) -> float:
    """Return by how many percent memory grew after the warm-up."""
    after = [each.resident_mb for each in samples[len(samples) // 2 :]]
    part = max(len(after) // 2, 1)
    first, last = statistics.mean(after[:part]), statistics.mean(after[-part:])
    return 100 * (last - first) / first


async def soak(state: StateDir, options: argparse.Namespace) -> tuple[list[Sample], Sample, list[str], Churn]:
    """Disturb the cluster; returns the samples, the last one, and what is wrong."""
    async with session(load_access(state.kubeconfig)) as client:
        churn = Churn(client, options.pods, Random(options.seed), options.pace)
        began = time.monotonic()
        await churn.prepare()
        wrong = await quiet(client)
        print(f"{options.pods} Pods are running after {time.monotonic() - began:.0f} s", flush=True)
        before, samples = await look(client, began), list[Sample]()
        watching = asyncio.create_task(sampling(client, samples, min(60.0, options.minutes * 60 / 12)))
        try:
            await churn.run(options.minutes * 60, options.zone_seconds)
        finally:
            watching.cancel()
        await churn.settle()
        wrong += await quiet(client)
        await asyncio.sleep(5)  # connections and timers of the last second
        after = await look(client, began)
    if after.tasks > before.tasks + SPARE_TASKS:
        wrong.append(f"there are {after.tasks} tasks, {before.tasks} before")
    if after.descriptors > before.descriptors + SPARE_DESCRIPTORS:
        wrong.append(f"there are {after.descriptors} file descriptors, {before.descriptors} before")
    if (grown := growth(samples)) >= GROWTH:
        wrong.append(f"memory grew by {grown:.1f} % after the warm-up")
    return [before, *samples], after, wrong, churn


def report(
    samples: Sequence[Sample], after: Sample, wrong: Sequence[str], churn: Churn, minutes: float
) -> str:
    """Return the section for bench/results.md."""
    chosen = [*samples[:: max(len(samples) // 8, 1)], after]
    rows = [
        [
            f"{each.minute:.0f} min",
            f"{each.resident_mb:.0f} MB",
            str(each.descriptors),
            str(each.tasks),
            str(each.objects.get("pods", 0)),
            str(each.objects.get("events", 0)),
            str(sum(each.objects.values())),
        ]
        for each in chosen
    ]
    shown = table(["after", "memory", "descriptors", "tasks", "Pods", "Events", "objects"], rows)
    did = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in sorted(churn.done.items()))
    verdict = "; ".join(wrong) if wrong else "nothing stuck, nothing leaked"
    grown = f"Memory grew by {growth(samples[1:]):.1f} % after the first half (goal: < {GROWTH:g} %)"
    settles = f"Events live {EVENT_SECONDS:.0f} s there, so that their number settles."
    command = f"`python bench/soak.py --minutes {minutes:g}`"
    return f"{command}: disturbances: {did}. {settles} {grown}; {verdict}.\n\n{shown}"


def main() -> int:
    """Soak and tell."""
    if sys.argv[1:2] == ["--serve"]:
        return serve(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--pods", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between two disturbances")
    parser.add_argument("--zone-seconds", type=float, default=180.0, help="between two failures of a zone")
    parser.add_argument("--keep", action="store_true", help="keep the state directory, and write no results")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="leeward-soak-"))
    process, state = start(home, options.nodes)
    try:
        samples, after, wrong, churn = asyncio.run(soak(state, options))
    finally:
        process.terminate()
        process.wait(60)
        if options.keep:
            print(f"state: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)
    text = report(samples, after, wrong, churn, options.minutes)
    if options.keep:
        print(text)
    else:
        write_section("Soak", text)
    for each in wrong:
        print(f"wrong: {each}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
