"""Rolls the storefront forward and back under load and counts what customers lose; writes bench/results.md.

Run: python bench/zeroloss.py [--rolls 50] [--rate 100]     exit code 1 when a request failed

Two releases of the shop take each other's place in one environment, through `leeward promote` and
`leeward rollback`, while requests come in through the ingress at a fixed rate, whether or not earlier ones
were answered.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import threading
from collections import Counter
from functools import partial
from pathlib import Path

from results import write_section
from run import STOREFRONT, leeward, timed

from leeward.base.clock import SystemClock
from leeward.cli import clusters
from leeward.drill.load import Load, Sample
from leeward.drill.request import Door, RequestKind

NAME = "zeroloss"
HOST = "shop.localhost"
_CONFIG = """\
app: storefront
compose: [compose.yaml, compose.releases.yaml]
environments:
  live:
    variables: {SHOP_HOST: shop.localhost}
    replicas: {web: 2, api: 2, worker: 1, cache: 2, store: 2}
"""


class Customers(threading.Thread):
    """Requests at a fixed rate, for `seconds` at most."""

    def __init__(self, port: int, rate: float, seconds: float) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._rate = rate
        self._seconds = seconds
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.samples: list[Sample] = []

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._send())
        try:
            await self._task
        except asyncio.CancelledError:
            return

    async def _send(self) -> None:
        door, kinds = Door.of(f"http://{HOST}:{self._port}"), [RequestKind("GET", "/")]
        load = Load(door, kinds, rate=self._rate, duration=self._seconds, clock=SystemClock())
        self.samples = load.samples
        await load.run()

    def stop(self) -> None:
        """Send no more."""
        if self._loop is not None and self._task is not None:
            self._loop.call_soon_threadsafe(self._task.cancel)
        self.join(30)


def main() -> int:
    """Roll and count."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rolls", type=int, default=50)
    parser.add_argument("--rate", type=float, default=100.0)
    parser.add_argument("--dry", action="store_true", help="write no results")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="leeward-zeroloss-"))
    os.environ["LEEWARD_HOME"] = str(place / "home")
    shop = place / "shop"
    shutil.copytree(STOREFRONT, shop, ignore=shutil.ignore_patterns("__pycache__", "*.py[co]"))
    shutil.copy(STOREFRONT / "releases" / "compose.releases.yaml", shop)
    (shop / "leeward.yaml").write_text(_CONFIG)
    try:
        return roll(shop, options)
    finally:
        leeward("cluster", "stop", "--name", NAME, cwd=shop)
        shutil.rmtree(place, ignore_errors=True)


def roll(shop: Path, options: argparse.Namespace) -> int:
    """Make two releases and let them take turns; returns the exit code."""
    cluster = ("--cluster", NAME)
    leeward("cluster", "start", "--name", NAME, cwd=shop)
    leeward("env", "apply", "--yes", *cluster, cwd=shop)
    leeward("env", "set", "api-token=@config/api-token.txt", "--env", "live", *cluster, cwd=shop)
    leeward("release", "create", "--version", "1", *cluster, cwd=shop)
    page = shop / "app" / "web.py"
    page.write_text(page.read_text().replace("<h1>Storefront</h1>", "<h1>Storefront, new</h1>"))
    leeward("release", "create", "--version", "2", *cluster, cwd=shop)
    leeward("promote", "1", "--to", "live", "--yes", *cluster, cwd=shop)
    port = clusters.state_of(NAME).load()["ingressPort"]
    customers = Customers(port, options.rate, seconds=options.rolls * 60.0)
    customers.start()
    took = []
    for number in range(options.rolls):
        forward = number % 2 == 0
        step = ("promote", "2", "--to", "live") if forward else ("rollback", "live")
        took.append(timed(partial(leeward, *step, "--yes", *cluster, cwd=shop)))
        print(f"{number + 1}: {step[0]} in {took[-1]:.1f} s, {len(customers.samples)} requests", flush=True)
    customers.stop()
    failed = Counter(each.failure for each in customers.samples if each.failure)
    slowest = max(each.latency for each in customers.samples)
    sent, lost = len(customers.samples), sum(failed.values())
    text = (
        f"`python bench/zeroloss.py --rolls {options.rolls} --rate {options.rate:g}`: the storefront was "
        f"rolled forward and back {options.rolls} times, {sum(took) / len(took):.1f} s each, under "
        f"{options.rate:g} requests a second. Of {sent} requests {lost} failed"
        f"{f' ({dict(failed)})' if failed else ''}; the slowest took {slowest:.2f} s."
    )
    print(text) if options.dry else write_section("Zero loss", text)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
