"""The demonstration: the shop on three zones under load, zone b cut and brought back, a verdict.

Everything happens on a cluster of its own, in a directory that is removed at the end. Exits 0 when no
GET failed and every service stayed in at least two other zones.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from leeward.base.clock import SystemClock
from leeward.base.errors import LeewardError
from leeward.cli import clusters, output
from leeward.cli.connection import connect
from leeward.cli.main import run
from leeward.drill.report import Report, to_lines
from leeward.drill.request import RequestKind, json_body
from leeward.drill.zone import ZoneDrill, run_zone_drill

HERE = Path(__file__).resolve().parent
NAME = "demo"
SERVICES = ("api", "cache", "store", "web", "worker")  # with 3 replicas each
RATE = float(os.environ.get("DEMO_RATE", "100"))
SECONDS = float(os.environ.get("DEMO_SECONDS", "30"))


def main() -> int:
    """Run the demonstration; returns the exit code."""
    home = Path(tempfile.mkdtemp(prefix="leeward-demo-"))
    os.environ["LEEWARD_HOME"] = str(home)
    os.chdir(HERE)
    try:
        output.say("== the shop comes up on three zones")
        code = run(["up", "-d", "--cluster", NAME, "-f", "compose.yaml"])
        if code:
            return code
        run(["ps", "--cluster", NAME, "-f", "compose.yaml"])
        output.say(f"\n== zone b is cut at 8 s and comes back at 20 s, under {RATE:g} requests/s")
        report = asyncio.run(drill())
        output.say("")
        for line in to_lines(report):
            output.say(line)
        narrow = narrow_services(report)
        for line in narrow:
            output.say(line)
        return 0 if report.passed and not narrow else 1
    except LeewardError as error:
        output.error(str(error), getattr(error, "remedy", ""))
        return 1
    except KeyboardInterrupt:
        output.error("interrupted")
        return 130
    finally:
        clusters.stop(clusters.state_of(NAME))
        shutil.rmtree(home, ignore_errors=True)


def narrow_services(report: Report) -> list[str]:
    """Return what is to be said of services that were not in two other zones all the time."""
    left = {name: report.zones_left.get(name, 0) for name in SERVICES}
    return [
        f"problem             {name} had ready Pods in only {count} of two other zones at worst"
        for name, count in left.items()
        if count < 2
    ]


async def drill() -> Report:
    """Cut zone b under GET and POST traffic through the ingress."""
    state = clusters.state_of(NAME)
    async with connect(state) as api:
        plan = ZoneDrill(
            zone="b",
            namespace="storefront",
            url=f"http://web.localhost:{state.load()['ingressPort']}",
            kinds=[
                RequestKind("GET", "/", weight=9),
                RequestKind("POST", "/orders", json_body({"product": "lamp"})),
            ],
            rate=RATE,
            duration=SECONDS,
            cut=8.0,
            back=20.0,
        )
        return await run_zone_drill(api, plan, SystemClock(), output.note)


if __name__ == "__main__":
    sys.exit(main())
