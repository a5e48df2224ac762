"""Replays recorded decisions of a real kube-scheduler against the plugins."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pytest

from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler import preemption
from leeward.cluster.scheduler.cache import FINISHED, Cache
from leeward.cluster.scheduler.catalog import PLUGINS
from leeward.cluster.scheduler.diagnosis import fit_error
from leeward.cluster.scheduler.framework import Cycle
from leeward.cluster.scheduler.podinfo import PodInfo, describe
from leeward.cluster.scheduler.profile import Profile, top_of
from leeward.kube.objects import Obj

_DATA = Path(__file__).parents[4] / "shared" / "data" / "scheduler"
_CASES = [
    pytest.param(case, id=case["name"])
    for path in sorted(_DATA.glob("*.json"))
    for case in json.loads(path.read_text())
]
MakeReader = Callable[[Collection[Obj]], Reader]


class World:
    """One case: the cluster, and Pods bound where the recording says."""

    def __init__(self, case: Obj, make_reader: MakeReader) -> None:
        self.objects = [self._placed(obj) for obj in case["objects"]]
        self.reader = make_reader(self.objects)
        self.cache = Cache()
        self.profile = Profile([descriptor.make() for descriptor in PLUGINS])
        self.pods: dict[str, Obj] = {}
        self.infos: dict[str, PodInfo] = {}
        for node in case["nodes"]:
            self.cache.set_node(node)
        for pod in case["existing"]:
            ready = self.admit(pod, 1000 - pod.get("startedSecondsAgo", 60))
            if pod.get("phase", "Running") not in FINISHED:
                self.bind(ready, pod["spec"]["nodeName"])

    def _placed(self, obj: Obj) -> Obj:
        cluster = ("PersistentVolume", "StorageClass", "Namespace", "PriorityClass", "RuntimeClass")
        meta = {"uid": f"uid-{obj['metadata']['name']}", **obj["metadata"]}
        if obj["kind"] not in cluster and meta.get("namespace") in (None, "<ns>"):
            meta["namespace"] = "ns"
        return {**obj, "metadata": meta}

    def admit(self, pod: Obj, started: int = 0) -> Obj:
        """Do what the API server does before the scheduler sees a Pod."""
        spec = json.loads(json.dumps(pod["spec"]).replace("<ns>", "ns"))
        meta = {"namespace": "ns", **pod["metadata"]}
        if meta["namespace"] == "<ns>":
            meta["namespace"] = "ns"
        meta["uid"] = f"{meta['namespace']}/{meta['name']}"
        for container in [*spec["containers"], *spec.get("initContainers", ())]:
            resources = container.get("resources") or {}
            container["resources"] = {
                **resources,
                "requests": {**(resources.get("limits") or {}), **(resources.get("requests") or {})},
            }
            for port in container.get("ports", ()) if spec.get("hostNetwork") else ():
                port.setdefault("hostPort", port["containerPort"])
        classes = [obj for obj in self.objects if obj["kind"] == "PriorityClass"]
        chosen = next(
            (
                found
                for found in classes
                if found["metadata"]["name"] == spec.get("priorityClassName")
                or (not spec.get("priorityClassName") and found.get("globalDefault"))
            ),
            {},
        )
        spec["priority"] = chosen.get("value", 0)
        spec.setdefault("preemptionPolicy", chosen.get("preemptionPolicy", "PreemptLowerPriority"))
        if spec.get("priorityClassName", "").startswith("system-"):
            spec["priority"] = 2_000_001_000
        runtime = next((o for o in self.objects if o["metadata"]["name"] == spec.get("runtimeClassName")), {})
        spec.setdefault("overhead", (runtime.get("overhead") or {}).get("podFixed") or {})
        scheduling = runtime.get("scheduling") or {}
        spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **(scheduling.get("nodeSelector") or {})}
        spec["tolerations"] = [
            *(spec.get("tolerations") or ()),
            *(scheduling.get("tolerations") or ()),
            {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"},
            {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute"},
        ]
        admitted = {"metadata": meta, "spec": spec, "status": {"startTime": f"{started:08d}"}}
        self.pods[meta["name"]] = admitted
        self.infos[meta["name"]] = describe(admitted)
        return admitted

    def bind(self, pod: Obj, node: str) -> None:
        self.cache.place(describe(pod), node)


def _check(world: World, pod: Obj, expected: Obj) -> None:
    info = describe(pod)
    cycle = Cycle(info, world.cache.nodes, world.cache.census, world.reader)
    prepared = world.profile.prepare(cycle)
    found = world.profile.find_feasible(cycle, prepared, world.cache.nominated_on)
    if expected["result"] == "bound":
        assert sorted(node.name for node in found.feasible) == sorted(
            expected.get("feasible", [expected["node"]])
        )
        if "scores" in expected:
            table = world.profile.score(cycle, found.feasible)
            wanted = {
                name: {plugin: score for plugin, score in row["plugins"].items() if score}
                for name, row in expected["scores"].items()
            }
            assert {
                name: {plugin: score for plugin, score in row.items() if score} for name, row in table.items()
            } == wanted
        world.bind(pod, expected["node"])
        return
    assert not found.feasible
    plan = preemption.Plan(None)
    if cycle.nodes and not found.rejection:
        budgets = world.reader.list("poddisruptionbudgets.policy")
        plan = preemption.plan(world.profile, cycle, found, budgets, world.cache.nominated_on)
    assert fit_error(len(cycle.nodes), found, plan.message) == expected["message"]
    victims = sorted(victim.key.name for victim in plan.candidate.victims) if plan.candidate else []
    assert victims == sorted(expected.get("victims", []))
    if plan.candidate:
        assert plan.candidate.node == expected["nominatedNode"]
        world.cache.nominate(info, plan.candidate.node)
        after = expected.get("after_victims_gone", {})
        if after.get("result") == "bound":
            for name in expected["victims"]:
                world.cache.forget(world.infos[name].uid)
            world.bind(pod, after["node"])


@pytest.mark.skipif(not _CASES, reason="recorded decisions are not part of this checkout")
@pytest.mark.parametrize("case", _CASES)
def test_decides_as_the_real_scheduler_did(case: Any, make_reader: MakeReader) -> None:
    world = World(case, make_reader)
    for pod, expected in zip(case["pending"], case["expected"], strict=False):
        if "op" in pod or "after" in expected:
            return  # what happens on events is tested with the queue
        if (
            expected["result"] == "none"
            or pod["spec"].get("nodeName")
            or expected.get("reason") == "SchedulingGated"
        ):
            continue
        _check(world, world.admit(pod), expected)
        for name, node in expected.get("then_bound", {}).items():
            world.bind(world.pods[name], node)


@pytest.mark.skipif(not _CASES, reason="recorded decisions are not part of this checkout")
def test_of_equal_nodes_that_is_chosen_which_the_real_scheduler_mostly_chose() -> None:
    ties = same = 0
    for case in (param.values[0] for param in _CASES):
        cache = Cache()
        for node in case["nodes"]:  # type: ignore[index]
            cache.set_node(node)
        for expected in case["expected"]:  # type: ignore[index]
            if len(expected.get("best") or ()) > 1 and expected.get("node"):
                names = [name for name in cache.nodes if name in expected["scores"]]
                if len(names) == len(expected["scores"]):
                    ties += 1
                    top = top_of([expected["scores"][name]["total"] for name in names])
                    same += names[top] == expected["node"]
    assert same / ties > 0.9  # its filters run in threads, so that nodes may change places
