"""Profiles: other plugins, weights and arguments for the Pods of another scheduler name."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import pytest

from leeward.base.errors import UserInputError
from leeward.cluster.interface.client import Reader
from leeward.cluster.scheduler.cache import Cache
from leeward.cluster.scheduler.configuration import build_profile, profiles_of
from leeward.cluster.scheduler.podinfo import PodInfo, describe
from leeward.cluster.scheduler.scheduler import Scheduler
from leeward.kube.objects import Obj
from leeward.kube.wellknown import HOSTNAME, ZONE

MakeReader = Callable[[Collection[Obj]], Reader]


def _config(args: Obj | None = None, **profile: Any) -> Obj:
    raw = [{"name": name, "args": found} for name, found in (args or {}).items()]
    return {"profiles": [{"pluginConfig": raw, **profile}]}


class Small:
    """Two nodes, the first half full, and Pods of one template."""

    def __init__(self, reader: Reader, config: Obj) -> None:
        self.reader = reader
        self.profile = build_profile(profiles_of(config)[0])
        self.cache = Cache()
        for name, zone in (("full", "a"), ("free", "b")):
            labels = {HOSTNAME: name, ZONE: zone}
            amounts = {"cpu": "4", "memory": "4Gi", "pods": "10", "example.com/gpu": "4"}
            self.cache.set_node(
                {"metadata": {"name": name, "labels": labels}, "status": {"allocatable": amounts}}
            )
        self.cache.place(self.pod("there", {"cpu": "2", "memory": "2Gi", "example.com/gpu": "2"}), "full")

    def pod(self, name: str, requests: Obj | None = None, **spec: Any) -> PodInfo:
        wanted = {"cpu": "1", "memory": "1Gi"} if requests is None else requests
        containers = [{"name": "c", "resources": {"requests": wanted}}]
        meta = {"namespace": "n", "name": name, "uid": name, "labels": {"app": "web"}}
        return describe({"metadata": meta, "spec": {"containers": containers, **spec}})

    def scores(self, plugin: str, **spec: Any) -> list[int]:
        """Return what a plugin scores the full and the free node."""
        cycle = self.cache.cycle(self.pod("new", **spec), self.reader)
        self.profile.prepare(cycle)
        table = self.profile.score(cycle, list(cycle.nodes.values()))
        return [table[name].get(plugin, 0) for name in ("full", "free")]

    def feasible(self, **spec: Any) -> list[str]:
        cycle = self.cache.cycle(self.pod("new", **spec), self.reader)
        prepared = self.profile.prepare(cycle)
        found = self.profile.find_feasible(cycle, prepared, self.cache.nominated_on)
        return [node.name for node in found.feasible]


_FIT = "NodeResourcesFit"
_SHAPE = {"shape": [{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]}


@pytest.mark.parametrize(
    ("strategy", "scores"),
    [
        # CPU and memory, with the Pod: 3 of 4 and 1 of 4 are used.
        ({}, [25, 75]),
        ({"type": "LeastAllocated"}, [25, 75]),
        ({"type": "MostAllocated"}, [75, 25]),
        ({"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": _SHAPE}, [75, 25]),
        # Nobody asks for GPUs: they do not count.
        ({"resources": [{"name": "example.com/gpu", "weight": 9}, {"name": "cpu"}]}, [25, 75]),
    ],
)
def test_how_full_a_node_would_be_is_scored_by_a_strategy(
    strategy: Obj, scores: list[int], make_reader: MakeReader
) -> None:
    small = Small(make_reader([]), _config({_FIT: {"scoringStrategy": strategy}}))
    assert small.scores(_FIT) == scores


def test_resources_have_weights(make_reader: MakeReader) -> None:
    resources = [{"name": "cpu", "weight": 3}, {"name": "example.com/gpu", "weight": 1}]
    small = Small(make_reader([]), _config({_FIT: {"scoringStrategy": {"resources": resources}}}))
    # full: (3 x 25 + 1 x 25) / 4; free: (3 x 75 + 1 x 75) / 4
    assert small.scores(_FIT, requests={"cpu": "1", "example.com/gpu": "1"}) == [25, 75]
    # full: (3 x 25 + 1 x 0) / 4 = 18; free: (3 x 75 + 1 x 50) / 4 = 68
    assert small.scores(_FIT, requests={"cpu": "1", "example.com/gpu": "2"}) == [18, 68]


def test_ignored_resources_are_not_looked_at(make_reader: MakeReader) -> None:
    wanted = {"cpu": "1", "example.com/gpu": "9"}
    assert Small(make_reader([]), _config()).feasible(requests=wanted) == []
    for args in ({"ignoredResources": ["example.com/gpu"]}, {"ignoredResourceGroups": ["example.com"]}):
        small = Small(make_reader([]), _config({_FIT: args}))
        assert small.feasible(requests=wanted) == ["full", "free"]


def test_balance_counts_the_resources_it_is_told(make_reader: MakeReader) -> None:
    resources = [{"name": name} for name in ("cpu", "memory", "example.com/gpu")]
    args = {"NodeResourcesBalancedAllocation": {"resources": resources}}
    small = Small(make_reader([]), _config(args))
    # free: CPU and memory 1/4, 0 deviate by 1/8: 87; nobody asks for GPUs, so that they do not count
    wanted = {"cpu": "1", "example.com/gpu": "0"}
    assert (
        small.scores("NodeResourcesBalancedAllocation", requests={**wanted, "memory": "0"})[1]
        == 50 + (50 + 87 - 100) // 2
    )
    wanted = {"cpu": "1", "memory": "0", "example.com/gpu": "4"}  # 1/4, 0, 1 deviate by 0.43
    assert small.scores("NodeResourcesBalancedAllocation", requests=wanted)[1] == 50 + (50 + 57 - 100) // 2


def test_a_profile_adds_node_affinity_of_its_own(make_reader: MakeReader) -> None:
    term = {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["b"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    small = Small(make_reader([]), _config({"NodeAffinity": {"addedAffinity": required}}))
    assert small.feasible() == ["free"]
    preferred = {
        "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}],
    }
    small = Small(make_reader([]), _config({"NodeAffinity": {"addedAffinity": preferred}}))
    assert small.scores("NodeAffinity") == [0, 200]


def test_default_constraints_can_be_given(make_reader: MakeReader) -> None:
    service = {
        "kind": "Service",
        "metadata": {"namespace": "n", "name": "s"},
        "spec": {"selector": {"app": "web"}},
    }
    constraint = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    args = {"PodTopologySpread": {"defaultingType": "List", "defaultConstraints": [constraint]}}
    assert Small(make_reader([service]), _config(args)).feasible() == ["free"]
    assert Small(make_reader([]), _config(args)).feasible() == ["full", "free"]
    args = {"PodTopologySpread": {"defaultingType": "List"}}
    assert Small(make_reader([service]), _config(args)).scores("PodTopologySpread") == [0, 0]


def test_required_affinity_of_running_pods_attracts_with_the_weight_given(make_reader: MakeReader) -> None:
    term = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "web"}}}
    needs = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for weight, scores in ((1, [200, 0]), (0, [0, 0])):
        small = Small(make_reader([]), _config({"InterPodAffinity": {"hardPodAffinityWeight": weight}}))
        small.cache.place(small.pod("needy", affinity=needs), "full")
        assert small.scores("InterPodAffinity") == scores


def test_plugins_can_be_disabled_and_weighed(make_reader: MakeReader) -> None:
    points = {
        "multiPoint": {"disabled": [{"name": "NodeResourcesBalancedAllocation"}]},
        "score": {"enabled": [{"name": _FIT, "weight": 5}], "disabled": [{"name": "TaintToleration"}]},
    }
    small = Small(make_reader([]), _config(plugins=points))
    assert small.scores(_FIT) == [125, 375]
    assert small.scores("NodeResourcesBalancedAllocation") == [0, 0]
    assert small.scores("TaintToleration") == [0, 0]
    points = {"multiPoint": {"disabled": [{"name": "*"}], "enabled": [{"name": _FIT}]}}
    profile = build_profile(profiles_of(_config(plugins=points))[0])
    assert [plugin.name for plugin in profile.plugins] == [_FIT]
    assert profile.preemption is None


@pytest.mark.parametrize(
    ("points", "weights"),
    [
        ({"score": {"disabled": [{"name": "*"}]}}, {}),
        ({"score": {"disabled": [{"name": "*"}], "enabled": [{"name": _FIT}]}}, {_FIT: 1}),
        (
            {
                "multiPoint": {"disabled": [{"name": "*"}], "enabled": [{"name": _FIT, "weight": 3}]},
                "score": {"disabled": [{"name": _FIT}]},
            },
            {},
        ),
        (
            {
                "multiPoint": {
                    "disabled": [{"name": "*"}], "enabled": [{"name": "PodTopologySpread"}, {"name": _FIT}],
                },
                "score": {"disabled": [{"name": _FIT}], "enabled": [{"name": _FIT}]},
            },
            {"PodTopologySpread": 1, _FIT: 1},
        ),
    ],
)  # fmt: skip
def test_scores_are_merged_as_upstream_merges_them(points: Obj, weights: dict[str, int]) -> None:
    profile = build_profile(profiles_of(_config(plugins=points))[0])
    assert {plugin.name: plugin.weight for plugin in profile.scorers} == weights


@pytest.mark.parametrize(
    "config",
    [
        _config({"NodeResourceFit": {}}),
        _config({"*": {}}),
        {"profiles": [{"pluginConfig": [{"name": _FIT}, {"name": _FIT}]}]},
        _config(plugins={"score": {"enabled": [{"name": "NodeName"}]}}),
        _config(
            plugins={"multiPoint": {"disabled": [{"name": "*"}]}, "score": {"enabled": [{"name": _FIT}]}}
        ),
        _config(plugins={"multiPoint": {"disabled": [{"name": "Nothing"}]}}),
        {"profiles": [{"schedulerName": "a"}, {"schedulerName": "a"}]},
    ],
)
def test_a_configuration_that_asks_for_what_there_is_not_is_refused(config: Obj) -> None:
    with pytest.raises(UserInputError):
        profiles_of(config)


def test_each_scheduler_name_has_its_profile(cluster: Any) -> None:
    strategy = {"scoringStrategy": {"type": "MostAllocated"}}
    packing = {"schedulerName": "packing", "pluginConfig": [{"name": _FIT, "args": strategy}]}
    cluster.scheduler = Scheduler(
        cluster, cluster.clock, profiles=profiles_of({"profiles": [{"schedulerName": "spreading"}, packing]})
    )
    cluster.node("node-a1")
    cluster.node("node-a2")
    cluster.pod("there", cpu="2", nodeName="node-a2")
    cluster.start()
    cluster.pod("packed", schedulerName="packing")
    cluster.pod("spread", schedulerName="spreading")
    cluster.pod("nobodys", schedulerName="default-scheduler")
    cluster.clock.advance(0)
    placed = [cluster.placed(name) for name in ("packed", "spread", "nobodys")]
    assert placed == ["node-a2", "node-a1", ""]
