"""Whatever happens to nodes and Pods: a Pod that waits is one that fits nowhere."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from leeward.kube.objects import Obj
from tests.unit.scheduler.test_boards import random_node, random_spec


class Churn:
    """Nodes and Pods of a few templates come, change and go at random."""

    def __init__(self, cluster: Any, seed: int) -> None:
        self.cluster = cluster
        self.rng = Random(seed)
        self.templates = [(random_spec(self.rng), {"app": app}) for app in "aab"]
        self.made = 0
        cluster.start()
        for number in range(3):
            cluster.put("nodes", random_node(self.rng, f"n{number}"))

    def _pods(self) -> list[Obj]:
        return [obj for (resource, _, _), obj in self.cluster.objects.items() if resource == "pods"]

    def _make(self) -> None:
        self.made += 1
        spec, labels = self.rng.choice(self.templates)
        meta = {"namespace": "n", "name": f"p{self.made}", "uid": f"u{self.made}", "labels": labels}
        self.cluster.put("pods", {"metadata": meta, "spec": spec})

    def step(self) -> None:
        """Let one thing happen, and what follows from it within the longest back-off."""
        chance, name = self.rng.random(), f"n{self.rng.randint(0, 5)}"
        if chance < 0.5:
            self._make()
        elif chance < 0.7 and (pods := self._pods()):
            meta = self.rng.choice(pods)["metadata"]
            self.cluster.delete("pods", meta["namespace"], meta["name"])
        elif chance < 0.75 and self.cluster.find("nodes", "", name):
            self.cluster.delete("nodes", "", name)
        else:
            self.cluster.put("nodes", random_node(self.rng, name))
        self.cluster.clock.advance(10)

    def check(self) -> None:
        """Look at all nodes for every Pod that waits."""
        scheduler = self.cluster.scheduler
        profile = scheduler.profiles["default-scheduler"]
        for pod in self._pods():
            queued = scheduler.queue.get(pod["metadata"]["uid"])
            if queued is None:
                assert pod["spec"].get("nodeName")
                continue
            cycle = scheduler.cache.cycle(queued.info, self.cluster)
            prepared = profile.prepare(cycle)
            found = profile.find_feasible(cycle, prepared, scheduler.cache.nominated_on)
            assert [node.name for node in found.feasible] == []


@pytest.mark.parametrize("seed", range(40))
def test_a_pod_that_waits_fits_nowhere(cluster: Any, seed: int) -> None:
    churn = Churn(cluster, seed)
    for _ in range(25):
        churn.step()
        churn.check()
