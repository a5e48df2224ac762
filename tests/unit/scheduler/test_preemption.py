"""Who makes way for whom, and what is said when that does not help.

The cases follow upstream's documented steps: who could go, goes in thought; the most important come back
while the Pod still fits; of the nodes that remain the one with the least harm is chosen.
"""

from __future__ import annotations

from typing import Any

import pytest

from leeward.kube.objects import Obj
from leeward.kube.wellknown import HOSTNAME, ZONE

_WEB = {"labelSelector": {"matchLabels": {"app": "web"}}}


def _tail(cluster: Any, name: str) -> str:
    text: str = cluster.condition(name)[1]
    return text.partition("preemption: ")[2]


def _apart(key: str) -> Obj:
    required = [{**_WEB, "topologyKey": key}]
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


def _hold(cluster: Any, *names: str) -> None:
    """Let Pods stay terminating when they are deleted."""
    cluster.graceful = set(names)


def _victims(cluster: Any) -> list[str]:
    return sorted(
        pod["metadata"]["name"]
        for (resource, _, _), pod in cluster.objects.items()
        if resource == "pods" and pod["metadata"].get("deletionTimestamp")
    )


def _nominated(cluster: Any, name: str) -> str:
    status = cluster.get("pods", "shop", name).get("status") or {}
    node: str = status.get("nominatedNodeName", "")
    return node


def test_a_pod_that_would_not_fit_even_then_is_told_so_with_the_reason_of_the_filter(cluster: Any) -> None:
    cluster.node("node-a1", cpu="2")
    cluster.pod("high", cpu="1500m", priority=9)
    cluster.pod("low", cpu="100m", priority=1)
    cluster.start()
    cluster.pod("middle", cpu="1", priority=5)
    cluster.clock.advance(0)
    assert _tail(cluster, "middle") == "0/1 nodes are available: 1 Insufficient cpu."


def test_somebody_with_the_host_port_makes_way(cluster: Any) -> None:
    cluster.node("node-a1")
    ports = [{"name": "c", "ports": [{"containerPort": 80, "hostPort": 80}]}]
    for name, containers in (("port", ports), ("none", [{"name": "c"}])):
        cluster.pod(name, priority=1)
        pod = cluster.get("pods", "shop", name)
        cluster.put("pods", {**pod, "spec": {**pod["spec"], "containers": containers, "nodeName": "node-a1"}})
    _hold(cluster, "port", "none")
    cluster.start()
    cluster.pod("high", priority=9)
    pod = cluster.get("pods", "shop", "high")
    cluster.put("pods", {**pod, "spec": {**pod["spec"], "containers": ports}})
    cluster.clock.advance(0)
    assert (_victims(cluster), _nominated(cluster, "high")) == (["port"], "node-a1")


@pytest.mark.parametrize("who", ["low", "high"])
def test_somebody_who_is_to_be_apart_makes_way_whoever_wants_it(cluster: Any, who: str) -> None:
    cluster.node("node-a1")
    _hold(cluster, "low")
    cluster.pod("low", priority=1, **({"affinity": _apart(HOSTNAME)} if who == "low" else {}))
    cluster.start()
    cluster.pod("high", priority=9, **({"affinity": _apart(HOSTNAME)} if who == "high" else {}))
    cluster.clock.advance(0)
    assert (_victims(cluster), _nominated(cluster, "high")) == (["low"], "node-a1")


def test_anti_affinity_over_a_zone_is_not_cured_on_another_node_of_it(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    cluster.node("node-a2", "a", taints=[{"key": "k", "effect": "NoSchedule"}])
    tolerating = [{"key": "k", "operator": "Exists"}]
    cluster.pod("one", priority=1, nodeName="node-a1")
    cluster.pod("two", priority=1, nodeName="node-a2", tolerations=tolerating)
    cluster.start()
    cluster.pod("high", priority=9, affinity=_apart(ZONE))
    cluster.clock.advance(0)
    assert _victims(cluster) == []
    assert _tail(cluster, "high") == (
        "0/2 nodes are available: 1 Preemption is not helpful for scheduling, "
        "1 node(s) didn't match pod anti-affinity rules."
    )


def test_in_a_crowded_zone_as_many_make_way_as_the_skew_demands(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    cluster.node("node-b1", "b", cpu="100m")
    for number in range(3):
        cluster.pod(f"a{number}", priority=1, nodeName="node-a1")
    cluster.pod("b", priority=9, nodeName="node-b1")
    _hold(cluster, "a0", "a1", "a2")
    spread = {**_WEB, "topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}
    cluster.start()
    cluster.pod("high", priority=9, topologySpreadConstraints=[spread])
    cluster.clock.advance(0)
    assert len(_victims(cluster)) == 2  # 3 - 2 + 1 is one more than the 1 of zone b
    assert _nominated(cluster, "high") == "node-a1"


@pytest.mark.parametrize(
    ("selector", "victim"),
    [
        ({"matchLabels": {"app": "web"}}, "on-a"),  # both are protected: the first node
        ({}, "on-a"),  # for preemption, an empty selector protects nobody
        ({"matchLabels": {"tier": "x"}}, "on-b"),
    ],
)
def test_who_is_protected_by_a_budget_makes_way_last(cluster: Any, selector: Obj, victim: str) -> None:
    cluster.node("node-a1", cpu="1")
    cluster.node("node-b1", cpu="1")
    _hold(cluster, "on-a", "on-b")
    for name, node in (("on-a", "node-a1"), ("on-b", "node-b1")):
        pod = cluster.pod(name, cpu="1", priority=1, nodeName=node)
        labels = {"app": "web", **({"tier": "x"} if name == "on-a" else {})}
        cluster.put("pods", {**pod, "metadata": {**pod["metadata"], "labels": labels}})
    meta = {"namespace": "shop", "name": "budget"}
    cluster.put(
        "poddisruptionbudgets.policy",
        {"metadata": meta, "spec": {"selector": selector}, "status": {"disruptionsAllowed": 0}},
    )
    cluster.start()
    cluster.pod("high", cpu="1", priority=9)
    cluster.clock.advance(0)
    assert _victims(cluster) == [victim]


def test_while_others_make_way_a_pod_does_not_preempt_again(cluster: Any) -> None:
    cluster.node("node-a1", cpu="1")
    _hold(cluster, "low")
    cluster.pod("low", cpu="1", priority=1)
    cluster.start()
    cluster.pod("high", cpu="1", priority=9)
    cluster.clock.advance(0)
    cluster.node("node-b1", cpu="1", taints=[{"key": "k", "effect": "NoSchedule"}])
    cluster.clock.advance(400)
    assert _tail(cluster, "high") == "not eligible due to a terminating pod on the nominated node."
    assert _nominated(cluster, "high") == "node-a1"


def test_a_nomination_that_came_to_nothing_is_taken_back(cluster: Any) -> None:
    node = cluster.node("node-a1", cpu="1")
    _hold(cluster, "low")
    cluster.pod("low", cpu="1", priority=1)
    cluster.start()
    cluster.pod("high", cpu="1", priority=9)
    cluster.clock.advance(0)
    assert _nominated(cluster, "high") == "node-a1"
    cluster.put("nodes", {**node, "spec": {"unschedulable": True}})
    cluster.clock.advance(400)
    assert _tail(cluster, "high") == "0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    assert _nominated(cluster, "high") == ""


def test_who_is_more_important_takes_the_nomination_of_the_other(cluster: Any) -> None:
    cluster.node("node-a1", cpu="1")
    _hold(cluster, "low")
    cluster.pod("low", cpu="1", priority=1)
    cluster.start()
    cluster.pod("high", cpu="1", priority=5)
    cluster.clock.advance(0)
    cluster.pod("highest", cpu="1", priority=9)
    cluster.clock.advance(0)
    assert (_nominated(cluster, "high"), _nominated(cluster, "highest")) == ("", "node-a1")
    cluster.delete("pods", "shop", "low", grace_period_seconds=0)
    cluster.clock.advance(11)
    assert (cluster.placed("high"), cluster.placed("highest")) == ("", "node-a1")
