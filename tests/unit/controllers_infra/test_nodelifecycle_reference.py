"""Replays recorded losses of nodes and zones: who is tainted, and how long one waits for the other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from leeward.cluster.config import Timing
from leeward.cluster.controllers.nodelifecycle import controller
from leeward.kube.objects import Obj

_DATA = Path(__file__).parents[4] / "shared" / "data" / "controllers"
_UPSTREAM = Timing(node_monitor_grace_seconds=50, node_monitor_period_seconds=5, node_eviction_rate=0.1)
_CASES = ("single-node", "zone-2-of-3", "zone-40-percent", "zone-60-percent", "zone-full")


def _taints(row: Obj) -> set[str]:
    return {text.rpartition("/")[2] for text in row["taints"]}


def _recorded(case: Obj) -> list[float]:
    """Return when NoExecute taints came, in seconds after the first node was called lost."""
    rows = [series for name, series in case["series"].items() if name.startswith("Node/")]
    lost = min(
        row["t"] for series in rows for row in series if row.get("ready", [{}])[0].get("status") == "Unknown"
    )
    found = []
    for series in rows:
        for row in series:
            if "unreachable=:NoExecute" in _taints({"taints": (), **row}):
                found.append(row["t"] - lost)
                break
    return sorted(found)


class Replay:
    """One case, second by second."""

    def __init__(self, world: Any, case: Obj) -> None:
        self.world = world
        self.case = case
        self.alive = {node["name"] for node in case["nodes"]}
        self.seconds = 0
        self.lost: list[int] = []
        self.tainted: dict[str, int] = {}

    def tick(self) -> None:
        self.world.live(1, *self.alive)
        self.seconds += 1
        for node in self.world.client.list("nodes"):
            if node["status"]["conditions"][0]["status"] == "Unknown":
                self.lost.append(self.seconds)
            if any(taint["effect"] == "NoExecute" for taint in node["spec"].get("taints", ())):
                self.tainted.setdefault(node["metadata"]["name"], self.seconds)

    def resume(self, name: str) -> None:
        self.alive.add(name)
        node = self.world.client.get("nodes", "", name)
        ready = {**node["status"]["conditions"][0], "status": "True"}
        self.world.set_status("nodes", node, conditions=[ready])

    def play(self) -> list[float]:
        for node in self.case["nodes"]:
            self.world.node(node["name"], node["zone"])
        self.world.run(controller.DESCRIPTOR, timing=_UPSTREAM)
        for step in self.case["steps"]:
            self.alive -= set(step.get("stopNodes", ()))
            for name in step.get("resumeNodes", ()):
                self.resume(name)
            for _ in range(step.get("sleep", 3 if "settle" in step else 0)):
                self.tick()
        return sorted(when - min(self.lost) for when in self.tainted.values())


@pytest.mark.skipif(not _DATA.is_dir(), reason="recorded timelines are not part of this checkout")
@pytest.mark.parametrize("name", _CASES)
def test_nodes_are_tainted_as_the_real_controller_did(world: Any, name: str) -> None:
    case = json.loads((_DATA / f"node-{name}-loss.json").read_text())
    ours, theirs = Replay(world, case).play(), _recorded(case)
    assert len(ours) == len(theirs)
    assert ours == pytest.approx(theirs, abs=10)  # a monitor period and the slack of upstream's limiter
