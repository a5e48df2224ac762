"""Measures the Kubernetes API with 10,000 Pods stored, ours or another cluster's; writes bench/results.md.

Run: python bench/api.py                        an embedded cluster of its own
     python bench/api.py --against KUBECONFIG   and the current context of another one, side by side

The load comes over TLS from this process. No scheduler touches the Pods (their schedulerName is nobody's), so
that the API alone is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import re
import shutil
import signal
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import orjson
from results import table, write_section
from run import NAME, family, leeward, resident_mb

from leeward.kube.http import ssl_context
from leeward.kube.kubeconfig import Access, load_access

PODS = 10_000
CONNECTIONS = 16
GETS = 2_000
WATCHERS = 500
UPDATES = 1_000
NAMESPACE = "bench"
PATH = f"/api/v1/namespaces/{NAMESPACE}/pods"
GOALS = {
    "create Pods, 16 connections": ">= 800/s",
    "GET of a Pod, p50": "",
    "GET of a Pod, p99": "<= 10 ms",
    "list of all Pods": "<= 1.5 s",
    f"{UPDATES} updates to {WATCHERS} watchers, all in order": "",
    "resident memory": "<= 400 MB",
    "restart after kill -9": "<= 1 s",
}
_VERSION = re.compile(rb'"resourceVersion":"(\d+)"')


def pod(number: int) -> bytes:
    """Return a Pod as a Deployment's are: some environment, probes, resources."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    container = {
        "name": "web",
        "image": "registry.example.com/shop/web:1.2.3",
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": [{"name": f"SETTING_{each}", "value": f"value-{each}"} for each in range(8)],
        "readinessProbe": probe,
        "startupProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "128Mi"}},
    }
    labels = {"app": f"app-{number % 100}", "tier": "web", "pod-template-hash": "7cd46dd4c"}
    meta = {"name": f"pod-{number}", "namespace": NAMESPACE, "labels": labels}
    spec = {"schedulerName": "nobody", "containers": [container]}
    return orjson.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})


@asynccontextmanager
async def session(access: Access) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client of one cluster."""
    headers = {"content-type": "application/json"}
    if access.token:
        headers["authorization"] = f"Bearer {access.token}"
    connector = aiohttp.TCPConnector(limit=0, ssl=ssl_context(access))
    timeout = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(
        access.server, headers=headers, connector=connector, timeout=timeout
    ) as made:
        yield made


async def call(
    client: aiohttp.ClientSession, method: str, path: str, body: bytes = b"", kind: str = ""
) -> bytes:
    """Return the body of a successful answer."""
    headers = {"content-type": kind} if kind else {}
    async with client.request(method, path, data=body or None, headers=headers) as answer:
        content = await answer.read()
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300].decode()}")
        return content


async def side_by_side(work: Iterable[Callable[[], Awaitable[object]]]) -> float:
    """Run all of `work` over CONNECTIONS connections; return the seconds it took."""
    queue = iter(work)

    async def worker() -> None:
        for each in queue:
            await each()

    began = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return time.perf_counter() - began


async def watch(client: aiohttp.ClientSession, version: str, started: asyncio.Event) -> None:
    """Follow the Pods until UPDATES events have come, each newer than the one before."""
    async with client.get(f"{PATH}?watch=1&resourceVersion={version}") as answer:
        started.set()
        rest, last, seen = b"", int(version), 0
        async for chunk in answer.content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                found = _VERSION.search(line)
                if found is None or int(found[1]) <= last:
                    raise SystemExit(f"a watcher at {last} was told {line[:200].decode()}")
                last, seen = int(found[1]), seen + 1
            if seen >= UPDATES:
                return
    raise SystemExit(f"a watch ended after {seen} of {UPDATES} events")


async def measure(access: Access) -> dict[str, str]:
    """Return what was measured of one cluster, in the order of GOALS."""
    names = list(GOALS)
    async with session(access) as client:
        space = orjson.dumps({"metadata": {"name": NAMESPACE}})
        await call(client, "POST", "/api/v1/namespaces", space)
        await asyncio.sleep(1)  # its service account is made
        bodies = [pod(number) for number in range(PODS)]
        seconds = await side_by_side(partial(call, client, "POST", PATH, body) for body in bodies)
        figures = {names[0]: f"{PODS / seconds:,.0f}/s"}

        rng, taken = random.Random(1), []
        for _ in range(GETS):
            began = time.perf_counter()
            await call(client, "GET", f"{PATH}/pod-{rng.randrange(PODS)}")
            taken.append((time.perf_counter() - began) * 1000)
        taken.sort()
        figures[names[1]] = f"{statistics.median(taken):.2f} ms"
        figures[names[2]] = f"{taken[int(GETS * 0.99)]:.2f} ms"

        lists, content = [], b""
        for _ in range(3):
            began = time.perf_counter()
            content = await call(client, "GET", "/api/v1/pods")
            lists.append(time.perf_counter() - began)
        listed = orjson.loads(content)
        if len(listed["items"]) < PODS:
            raise SystemExit(f"the list has {len(listed['items'])} of {PODS} Pods")
        figures[names[3]] = f"{statistics.median(lists):.2f} s"
        figures[names[4]] = f"{await watching(client, listed['metadata']['resourceVersion']):.1f} s"
    return figures


async def watching(client: aiohttp.ClientSession, version: str) -> float:
    """Return the seconds from the first update until every watcher has seen the last one."""
    started = [asyncio.Event() for _ in range(WATCHERS)]
    watchers = [asyncio.create_task(watch(client, version, each)) for each in started]
    await asyncio.gather(*(each.wait() for each in started))

    kind = "application/merge-patch+json"
    patches = [
        partial(call, client, "PATCH", f"{PATH}/pod-{number}", _annotation(number), kind)
        for number in range(UPDATES)
    ]
    began = time.perf_counter()
    await side_by_side(patches)
    await asyncio.gather(*watchers)
    return time.perf_counter() - began


def _annotation(number: int) -> bytes:
    return orjson.dumps({"metadata": {"annotations": {"round": str(number)}}})


def ours(home: Path) -> dict[str, str]:
    """Return the figures of an embedded cluster."""
    os.environ["LEEWARD_HOME"] = str(home)
    leeward("cluster", "start", "--name", NAME, "--runtime", "simulated")
    try:
        pid = int((home / NAME / "lock").read_text())
        figures = asyncio.run(measure(load_access(home / NAME / "kubeconfig")))
        names = list(GOALS)
        figures[names[5]] = f"{sum(resident_mb(each) for each in family(pid)):.0f} MB"
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)
        began = time.perf_counter()
        leeward("cluster", "start", "--name", NAME)
        figures[names[6]] = f"{time.perf_counter() - began:.2f} s"
        return figures
    finally:
        leeward("cluster", "stop", "--name", NAME)


def theirs(kubeconfig: Path) -> dict[str, str]:
    """Return the figures of another cluster; its namespace is removed afterwards."""
    access = load_access(kubeconfig)

    async def work() -> dict[str, str]:
        try:
            return await measure(access)
        finally:
            async with session(access) as client:
                await call(client, "DELETE", f"/api/v1/namespaces/{NAMESPACE}")

    return asyncio.run(work())


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, metavar="KUBECONFIG", help="another cluster to measure too")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp(prefix="leeward-bench-"))
    try:
        figures = {"leeward": ours(home)}
        if options.against:
            figures["the other"] = theirs(options.against)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    rows = [[name, *(each.get(name, "") for each in figures.values()), goal] for name, goal in GOALS.items()]
    note = f"`python bench/api.py`: {PODS:,} Pods stored, load and server share {os.cpu_count()} cores."
    write_section("The API", f"{note}\n\n{table(['what', *figures, 'goal'], rows)}")


if __name__ == "__main__":
    main()
