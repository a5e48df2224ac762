"""The scheduler as a whole, in virtual time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from leeward.kube.objects import annotations_of
from leeward.kube.volumes import BIND_COMPLETED

SPREAD = {
    "topologyKey": "topology.kubernetes.io/zone",
    "maxSkew": 1,
    "whenUnsatisfiable": "DoNotSchedule",
    "labelSelector": {"matchLabels": {"app": "web"}},
}


def three_zones(cluster: Any) -> None:
    for zone in "abc":
        for number in (1, 2):
            cluster.node(f"node-{zone}{number}", zone)


def test_pods_that_are_there_already_are_placed_on_start(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.pod("web")
    cluster.start()
    assert cluster.placed("web") == "node-a1"
    assert cluster.recorded == [("Scheduled", "Successfully assigned shop/web to node-a1")]


def test_replicas_spread_evenly_over_zones(cluster: Any) -> None:
    three_zones(cluster)
    cluster.start()
    for number in range(9):
        cluster.pod(f"web-{number}", topologySpreadConstraints=[SPREAD])
    cluster.clock.advance(0)
    zones = Counter(cluster.placed(f"web-{number}")[-2] for number in range(9))
    assert zones == {"a": 3, "b": 3, "c": 3}


def test_the_same_seed_places_pods_the_same_way(cluster: Any) -> None:
    def run(world: Any) -> list[str]:
        three_zones(world)
        world.start()
        for number in range(12):
            world.pod(f"web-{number}")
        world.clock.advance(0)
        return [world.placed(f"web-{number}") for number in range(12)]

    assert run(cluster) == run(type(cluster)())


def test_a_pod_that_fits_nowhere_says_why_and_is_placed_when_room_comes(cluster: Any) -> None:
    cluster.node("node-a1", cpu="1")
    cluster.pod("first", cpu="800m")
    cluster.start()
    cluster.pod("second", cpu="500m")
    cluster.clock.advance(0)
    reason, message = cluster.condition("second")
    assert reason == "Unschedulable"
    assert message == (
        "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: "
        "0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
    assert ("FailedScheduling", message) in cluster.recorded
    cluster.delete("pods", "shop", "first")
    cluster.clock.advance(0)  # nothing else is to do, so that it need not wait for the end of its back-off
    assert cluster.placed("second") == "node-a1"


def test_an_unschedulable_pod_is_not_tried_again_while_nothing_changes(cluster: Any) -> None:
    cluster.node("node-a1", unschedulable=True)
    cluster.start()
    cluster.pod("web")
    cluster.clock.advance(120)
    assert [reason for reason, _ in cluster.recorded] == ["FailedScheduling"]
    cluster.node("node-a1")
    cluster.clock.advance(0)
    assert cluster.placed("web") == "node-a1"


def test_heartbeats_of_nodes_wake_nobody(cluster: Any) -> None:
    node = cluster.node("node-a1", unschedulable=True)
    cluster.start()
    cluster.pod("web")
    cluster.clock.advance(30)
    cluster.put("nodes", {**node, "status": {**node["status"], "conditions": [{"type": "Ready"}]}})
    cluster.clock.advance(30)
    assert len(cluster.recorded) == 1


def test_tainted_nodes_are_avoided_when_a_zone_is_lost(cluster: Any) -> None:
    three_zones(cluster)
    taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"}
    for name in ("node-b1", "node-b2"):
        cluster.node(name, "b", taints=[taint])
    cluster.start()
    for number in range(12):
        cluster.pod(f"web-{number}")
    cluster.clock.advance(0)
    assert {cluster.placed(f"web-{number}")[-2] for number in range(12)} == {"a", "c"}


def test_a_more_important_pod_preempts_and_keeps_its_room(cluster: Any) -> None:
    cluster.node("node-a1", cpu="1")
    cluster.graceful = {"low"}
    cluster.pod("low", cpu="800m", priority=1)
    cluster.start()
    cluster.pod("high", cpu="800m", priority=10)
    cluster.clock.advance(0)
    assert cluster.get("pods", "shop", "high")["status"]["nominatedNodeName"] == "node-a1"
    assert cluster.condition("low")[0] == "PreemptionByScheduler"
    cluster.pod("sneaky", cpu="800m", priority=5)
    cluster.delete("pods", "shop", "low", grace_period_seconds=0)
    cluster.clock.advance(12)
    assert (cluster.placed("high"), cluster.placed("sneaky")) == ("node-a1", "")


def test_a_gated_pod_waits_for_its_gates(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.start()
    pod = cluster.pod("web", schedulingGates=[{"name": "hold"}])
    cluster.clock.advance(1)
    assert cluster.condition("web") == (
        "SchedulingGated",
        "Scheduling is blocked due to non-empty scheduling gates",
    )
    cluster.put("pods", {**pod, "spec": {**pod["spec"], "schedulingGates": []}})
    cluster.clock.advance(0)
    assert cluster.placed("web") == "node-a1"


def test_pods_of_other_schedulers_are_left_alone(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.start()
    cluster.pod("web", schedulerName="another")
    cluster.clock.advance(5)
    assert cluster.placed("web") == ""


def test_a_stopped_scheduler_places_nothing(cluster: Any) -> None:
    cluster.node("node-a1")
    cluster.start()
    cluster.scheduler.stop()
    cluster.pod("web")
    cluster.clock.advance(5)
    assert cluster.placed("web") == ""


def _claim(cluster: Any) -> dict[str, Any]:
    cluster.put(
        "storageclasses.storage.k8s.io",
        {
            "metadata": {"name": "local"},
            "provisioner": "leeward.dev/local",
            "volumeBindingMode": "WaitForFirstConsumer",
        },
    )
    spec = {
        "storageClassName": "local",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    made: dict[str, Any] = cluster.put(
        "persistentvolumeclaims",
        {"metadata": {"namespace": "shop", "name": "data", "uid": "c"}, "spec": spec},
    )
    return made


def _bind_volume(cluster: Any, zone: str) -> None:
    expression = {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}
    affinity = {"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "nodeAffinity": affinity}
    cluster.put("persistentvolumes", {"metadata": {"name": "v"}, "spec": spec})
    claim = cluster.get("persistentvolumeclaims", "shop", "data")
    metadata = {**claim["metadata"], "annotations": {**annotations_of(claim), BIND_COMPLETED: "yes"}}
    cluster.put(
        "persistentvolumeclaims",
        {**claim, "metadata": metadata, "spec": {**claim["spec"], "volumeName": "v"}},
    )


DATA = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]


def test_a_new_volume_is_asked_for_on_the_chosen_node_and_waited_for(cluster: Any) -> None:
    cluster.node("node-b1", "b")
    _claim(cluster)
    cluster.start()
    cluster.pod("db", volumes=DATA)
    cluster.clock.advance(1)
    claim = cluster.get("persistentvolumeclaims", "shop", "data")
    assert claim["metadata"]["annotations"] == {"volume.kubernetes.io/selected-node": "node-b1"}
    assert cluster.placed("db") == ""
    assert cluster.get("pods", "shop", "db")["status"] == {"nominatedNodeName": "node-b1"}
    _bind_volume(cluster, "b")
    cluster.clock.advance(0)
    assert cluster.placed("db") == "node-b1"


def test_a_pod_whose_volume_never_comes_gives_its_place_back_and_tries_again(cluster: Any) -> None:
    cluster.node("node-b1", "b", cpu="1")
    _claim(cluster)
    cluster.start()
    cluster.pod("db", cpu="800m", volumes=DATA)
    cluster.clock.advance(599)
    assert cluster.recorded == []
    cluster.clock.advance(1)
    ((reason, message),) = cluster.recorded
    assert reason == "FailedScheduling"
    assert message.endswith("context deadline exceeded")
    assert cluster.condition("db") == ("SchedulerError", message)
    _bind_volume(cluster, "b")
    cluster.clock.advance(2)
    assert cluster.placed("db") == "node-b1"


def test_the_place_that_a_pod_gives_back_is_for_others(cluster: Any) -> None:
    cluster.node("node-b1", "b", cpu="1")
    _claim(cluster)
    cluster.start()
    cluster.pod("db", cpu="800m", volumes=DATA)
    cluster.clock.advance(590)
    cluster.pod("web", cpu="800m")
    cluster.clock.advance(10)
    assert cluster.placed("web") == "node-b1"


@pytest.mark.parametrize("zone", ["a", "c"])
def test_a_pod_follows_its_volume_to_the_zone(cluster: Any, zone: str) -> None:
    three_zones(cluster)
    _claim(cluster)
    _bind_volume(cluster, zone)
    cluster.start()
    cluster.pod("db", volumes=DATA)
    cluster.clock.advance(0)
    assert cluster.placed("db")[-2] == zone


def test_a_pod_whose_volume_is_in_a_lost_zone_says_so(cluster: Any) -> None:
    cluster.node("node-a1", "a")
    _claim(cluster)
    _bind_volume(cluster, "b")
    cluster.start()
    cluster.pod("db", volumes=DATA)
    cluster.clock.advance(0)
    assert cluster.condition("db")[1].startswith(
        "0/1 nodes are available: 1 node(s) had volume node affinity conflict."
    )
