"""The simulated fleet on the real registry, in virtual time."""

from __future__ import annotations

import asyncio
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.errors import UserInputError
from leeward.base.ids import SeededIds
from leeward.cluster.config import ClusterConfig, NodeGroup
from leeward.cluster.kubelet.simulated.fleet import SimulatedFleet
from leeward.cluster.kubelet.simulated.nodes import fleet_timing
from leeward.cluster.kubelet.simulated.stages import Span, Stages, parse_stages
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj, find_condition
from leeward.kube.pods import is_ready


class Field:
    """A fleet of six nodes and nothing else."""

    def __init__(self, stages: str = "", seed: int = 0) -> None:
        self.clock = VirtualClock()
        options = AdmissionOptions(disabled=("ServiceAccount", "TaintNodesByCondition"))
        registry = Registry(MemoryStore(), clock=self.clock, ids=SeededIds(7), options=options)
        self.client = registry.client("system:admin")
        for name in ("shop", "kube-node-lease"):
            self.client.create("namespaces", {"metadata": {"name": name}})
        self.config = ClusterConfig(name="f", state_dir=Path(), api_port=1, ingress_port=2)
        self.stages, self.seed = parse_stages(stages), seed
        self.fleet = self.boot()

    def boot(self) -> SimulatedFleet:
        fleet = SimulatedFleet(
            self.client,
            self.clock,
            self.config,
            network=IPv4Network("100.64.0.0/10"),
            host_ip="127.0.0.1",
            stages=self.stages,
            seed=self.seed,
        )
        fleet.start()
        return fleet

    def pod(self, name: str = "web", node: str = "node-a1", stages: str = "", **spec: Any) -> None:
        meta: Obj = {"name": name, "namespace": "shop"}
        if stages:
            meta["annotations"] = {"leeward.dev/simulate": stages}
        container = {"name": "c", "image": "web:1", **spec.pop("container", {})}
        full = {"nodeName": node, "containers": [container], **spec}
        self.client.create("pods", {"metadata": meta, "spec": full})

    def get(self, name: str = "web") -> Obj:
        return self.client.get("pods", "shop", name)

    def phase(self, name: str = "web") -> str:
        return str(self.get(name)["status"]["phase"])

    def container(self, name: str = "web") -> Obj:
        found: Obj = self.get(name)["status"]["containerStatuses"][0]
        return found

    def waits_for(self, name: str = "web") -> str:
        return str(self.container(name)["state"]["waiting"]["reason"])

    def power(self, node: str, state: str) -> None:
        patch = {"metadata": {"annotations": {"leeward.dev/power": state}}}
        self.client.patch("nodes", "", node, patch, patch_type="merge")
        self.clock.advance(0)


def test_pods_share_addresses_when_there_are_more_pods_than_addresses() -> None:
    field = Field()
    field.fleet._network = IPv4Network("10.0.0.0/28")
    for number in range(20):
        field.pod(f"p{number}")
    field.clock.advance(1)
    assert all(is_ready(field.get(f"p{number}")) for number in range(20))


def test_nodes_register_with_their_zone_and_size_and_are_ready() -> None:
    field = Field()
    nodes = field.client.list("nodes")
    assert [node["metadata"]["name"] for node in nodes] == [
        "node-a1", "node-a2", "node-b1", "node-b2", "node-c1", "node-c2",
    ]  # fmt: skip
    assert nodes[2]["metadata"]["labels"]["topology.kubernetes.io/zone"] == "local-b"
    assert nodes[0]["status"]["allocatable"]["cpu"] == "4"
    assert all((find_condition(node, "Ready") or {})["status"] == "True" for node in nodes)


def test_the_nodes_of_groups_are_dealt_to_the_zones() -> None:
    groups = (NodeGroup(name="general", nodes=4), NodeGroup(name="batch", nodes=1, cpu_millis=32000))
    config = ClusterConfig(
        name="f", state_dir=Path(), api_port=1, ingress_port=2, node_groups=groups, zones=("a", "b", "c")
    )
    assert [shape.name for shape in config.nodes] == [
        "general-a1", "general-a2", "general-b1", "general-c1", "batch-a1",
    ]  # fmt: skip


def test_a_pod_runs_and_is_ready_after_one_report() -> None:
    field = Field()
    told: list[str] = []
    field.client.watch(["pods"], lambda event: told.append(event.type))
    field.pod()
    field.clock.advance(1)
    pod = field.get()
    assert is_ready(pod)
    assert told == ["ADDED", "MODIFIED"]
    assert pod["status"]["podIP"] == "100.64.0.10"
    assert field.container()["state"]["running"]["startedAt"] == "2030-01-01T00:00:00Z"


def test_the_cluster_says_how_long_stages_take_and_a_pod_says_it_better() -> None:
    field = Field("pull=10s ready=5s")
    field.pod("slow")
    field.pod("quick", stages="pull=0")
    field.clock.advance(4)
    assert (field.waits_for("slow"), field.phase("quick")) == ("ContainerCreating", "Running")
    assert not is_ready(field.get("quick"))
    field.clock.advance(2)
    assert is_ready(field.get("quick"))
    field.clock.advance(9.1)
    assert is_ready(field.get("slow"))


def test_stages_that_a_pod_says_wrongly_are_told_and_do_not_count() -> None:
    field = Field()
    field.pod(stages="redy=1s")
    field.clock.advance(1)
    assert is_ready(field.get())
    (event,) = field.client.list("events")
    assert event["reason"] == "InvalidSimulation"
    assert "annotation leeward.dev/simulate: simulated containers have no 'redy'" in event["message"]


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    def lives(seed: int) -> list[str]:
        field = Field("pull=0s..100s crash=0.5", seed)
        for number in range(20):
            field.pod(f"p{number}")
        field.clock.advance(50)
        return [f"{field.phase(f'p{n}')}/{field.container(f'p{n}')['restartCount']}" for n in range(20)]

    assert lives(1) == lives(1) != lives(2)


def test_a_container_that_crashes_is_started_again_ever_later() -> None:
    field = Field()
    field.pod(stages="exit=1s code=3")
    field.clock.advance(1.5)
    assert field.container()["restartCount"] == 1
    field.clock.advance(1)
    status = field.container()
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=c")
    assert status["lastState"]["terminated"]["exitCode"] == 3
    field.clock.advance(10)
    assert field.container()["restartCount"] == 2


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (7, "Failed")])
def test_a_pod_that_is_not_restarted_ends(code: int, phase: str) -> None:
    field = Field()
    field.pod(restartPolicy="Never", container={"command": ["sh", "-c", f"exit {code}"]})
    field.clock.advance(1)
    assert field.phase() == phase
    assert field.container()["state"]["terminated"]["exitCode"] == code


def test_init_containers_come_one_after_another() -> None:
    field = Field()
    inits = [{"name": n, "image": "i", "command": ["sleep", "5"]} for n in ("one", "two")]
    field.pod(initContainers=inits)
    field.clock.advance(6)
    first, second = field.get()["status"]["initContainerStatuses"]
    assert first["state"]["terminated"]["exitCode"] == 0
    assert "running" in second["state"]
    field.clock.advance(5)
    assert is_ready(field.get())


def test_an_image_that_cannot_be_pulled_is_tried_ever_later() -> None:
    field = Field()
    field.pod(stages="pull=1s pull-fail=1")
    field.clock.advance(1)
    assert field.waits_for() == "ErrImagePull"
    field.clock.advance(11)
    assert field.waits_for() == "ImagePullBackOff"


def test_a_pod_waits_for_what_it_names() -> None:
    field = Field()
    reference = {"configMapKeyRef": {"name": "settings", "key": "mode"}}
    field.pod(container={"env": [{"name": "MODE", "valueFrom": reference}]})
    field.pod("mounts", volumes=[{"name": "v", "secret": {"secretName": "keys"}}])
    field.clock.advance(1)
    assert field.waits_for() == "CreateContainerConfigError"
    assert field.waits_for("mounts") == "ContainerCreating"
    meta = {"namespace": "shop"}
    field.client.create("configmaps", {"metadata": {"name": "settings", **meta}, "data": {"mode": "x"}})
    field.client.create("secrets", {"metadata": {"name": "keys", **meta}})
    field.clock.advance(1)
    assert is_ready(field.get())
    assert is_ready(field.get("mounts"))


def test_a_deleted_pod_goes_when_its_containers_have_stopped_or_its_grace_is_over() -> None:
    field = Field()
    field.pod("quick")
    field.pod("slow", stages="stop=10s")
    field.pod("stubborn", stages="stop=1h", terminationGracePeriodSeconds=20)
    field.clock.advance(1)
    for name in ("quick", "slow", "stubborn"):
        field.client.delete("pods", "shop", name)
    left = []
    for seconds in (1, 10, 10):
        field.clock.advance(seconds)
        left.append([pod["metadata"]["name"] for pod in field.client.list("pods")])
    assert left == [["slow", "stubborn"], ["stubborn"], []]


def test_a_pod_past_its_deadline_fails() -> None:
    field = Field()
    field.pod(activeDeadlineSeconds=5)
    field.clock.advance(6)
    assert field.get()["status"]["reason"] == "DeadlineExceeded"


def test_a_node_without_power_is_silent_and_its_pods_start_again_when_it_is_back() -> None:
    field = Field()
    field.pod()
    field.clock.advance(1)
    field.power("node-a1", "off")
    before = field.client.get("leases.coordination.k8s.io", "kube-node-lease", "node-a1")
    field.client.delete("pods", "shop", "web")
    field.pod("later")
    field.clock.advance(60)
    after = field.client.get("leases.coordination.k8s.io", "kube-node-lease", "node-a1")
    assert before == after
    assert field.phase() == "Running"
    assert field.phase("later") == "Pending"
    field.power("node-a1", "on")
    field.clock.advance(1)
    assert [pod["metadata"]["name"] for pod in field.client.list("pods")] == ["later"]
    assert is_ready(field.get("later"))


def test_containers_go_on_when_the_fleet_is_restarted() -> None:
    field = Field("ready=10s")
    field.pod()
    field.clock.advance(5)
    asyncio.run(field.fleet.stop())
    field.boot()
    field.clock.advance(6)
    assert is_ready(field.get())
    assert field.container()["restartCount"] == 0


def test_what_others_say_of_a_pod_is_put_right() -> None:
    field = Field()
    field.pod()
    field.clock.advance(1)
    pod = field.get()
    conditions = [
        {**each, "status": "False"} if each["type"] == "Ready" else each
        for each in pod["status"]["conditions"]
    ]
    field.client.update_status("pods", {**pod, "status": {**pod["status"], "conditions": conditions}})
    field.clock.advance(1)
    assert is_ready(field.get())


def test_containers_use_half_of_what_they_request() -> None:
    field = Field()
    field.pod(container={"resources": {"requests": {"cpu": "200m", "memory": "64Mi"}}})
    field.clock.advance(11)
    container_id = field.container()["containerID"]
    found = field.fleet.stats([container_id, "simulated://other/c/0"])
    assert set(found) == {container_id}
    assert found[container_id].memory_bytes == 32 * 2**20
    assert found[container_id].cpu_nanoseconds == pytest.approx(0.1 * 10.95 * 1e9, rel=0.01)


def test_a_pod_that_ended_before_its_deadline_is_looked_at_no_more() -> None:
    field = Field()
    field.pod(activeDeadlineSeconds=4, restartPolicy="Never", container={"command": ["sleep", "1"]})
    field.pod("late", activeDeadlineSeconds=4)
    field.clock.advance(60)
    assert (field.phase(), field.phase("late")) == ("Succeeded", "Failed")
    asyncio.run(field.fleet.stop())
    field.boot()
    field.clock.advance(60)
    assert field.get("late")["status"]["reason"] == "DeadlineExceeded"


def test_a_deadline_counts_while_a_volume_is_missing() -> None:
    field = Field()
    field.pod(activeDeadlineSeconds=5, volumes=[{"name": "v", "configMap": {"name": "missing"}}])
    field.clock.advance(6)
    assert field.get()["status"]["reason"] == "DeadlineExceeded"


def test_an_odd_pod_does_not_stop_the_others() -> None:
    field = Field()
    field.pod("odd", container={"command": ["sh", "-c", "exit 99999999999999999999"]}, restartPolicy="Never")
    field.pod("digits", stages="code=²")
    field.pod("more", container={"command": ["exit", "²"]})
    field.pod("sound")
    field.clock.advance(5)
    assert is_ready(field.get("sound"))
    assert is_ready(field.get("digits"))


@pytest.mark.parametrize(("stages", "code"), [("stop=2s", 143), ("stop=1h", 137)])
def test_a_pod_that_was_stopped_has_failed(stages: str, code: int) -> None:
    field = Field()
    field.pod(stages=stages, restartPolicy="OnFailure", terminationGracePeriodSeconds=10)
    pod = field.get()
    field.client.update("pods", {**pod, "metadata": {**pod["metadata"], "finalizers": ["example.com/held"]}})
    field.clock.advance(1)
    field.client.delete("pods", "shop", "web")
    field.clock.advance(15)
    assert field.phase() == "Failed"
    assert field.container()["state"]["terminated"]["exitCode"] == code


def test_sidecars_end_with_their_pod() -> None:
    field = Field()
    sidecar = {"name": "s", "image": "i", "restartPolicy": "Always"}
    field.pod(restartPolicy="Never", initContainers=[sidecar], container={"command": ["sleep", "3"]})
    field.clock.advance(10)
    assert field.phase() == "Succeeded"
    assert "terminated" in field.get()["status"]["initContainerStatuses"][0]["state"]


def test_pulls_that_fail_are_no_restarts() -> None:
    field = Field()
    field.pod(stages="pull-fail=0.5 exit=1h", container={})
    field.clock.advance(3000)
    assert field.container()["restartCount"] == 0


def test_a_node_that_is_deleted_without_power_registers_again() -> None:
    field = Field()
    field.power("node-a1", "off")
    field.client.delete("nodes", "", "node-a1")
    field.clock.advance(5)
    assert field.client.find("nodes", "", "node-a1") is not None


def test_power_that_was_gone_for_a_moment_restarts_containers() -> None:
    field = Field()
    field.pod()
    field.clock.advance(1)
    for state in ("off", "on"):
        patch = {"metadata": {"annotations": {"leeward.dev/power": state}}}
        field.client.patch("nodes", "", "node-a1", patch, patch_type="merge")
    field.clock.advance(1)
    assert field.container()["restartCount"] == 1


def test_what_waits_is_noted_once() -> None:
    field = Field()
    field.pod(stages="exit=24h")
    for number in range(50):
        patch = {"metadata": {"annotations": {"n": str(number)}}}
        field.client.patch("pods", "shop", "web", patch, patch_type="merge")
        field.clock.advance(1)
    assert len(field.fleet._later) <= 2


@pytest.mark.parametrize(
    ("nodes", "period", "grace"), [(6, 1.0, 4.0), (100, 1.0, 4.0), (500, 5.0, 25.0), (5000, 10.0, 50.0)]
)
def test_a_large_fleet_renews_its_leases_less_often(nodes: int, period: float, grace: float) -> None:
    timing = fleet_timing(ClusterConfig(name="f", state_dir=Path(), api_port=1, ingress_port=2).timing, nodes)
    assert (timing.lease_renew_seconds, timing.node_monitor_grace_seconds) == (period, grace)


def test_stages_are_read_from_words() -> None:
    stages = parse_stages("pull=1s..1m, start=200ms ready=2 exit=1h code=3 crash=0.05")
    assert stages == Stages(
        pull=Span(1, 60), start=Span(0.2, 0.2), ready=Span(2, 2), exit=Span(3600, 3600), code=3, crash=0.05
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("pul=1s", "simulated containers have no 'pul'"),
        ("pull=soon", "pull=soon is no time until its image is there"),
        ("pull=5s..1s", "ends before it begins"),
        ("crash=2", "the share of runs that end badly, from 0 to 1"),
        ("code=300", "an exit code from 0 to 255"),
        ("ready", "ready= is no time"),
    ],
)
def test_stages_that_are_written_wrongly_are_refused(text: str, words: str) -> None:
    with pytest.raises(UserInputError, match=words):
        parse_stages(text)


def test_a_pod_keeps_its_address_over_restarts_also_when_one_that_ended_had_it_before() -> None:
    field = Field()
    field.pod("job", restartPolicy="Never", container={"command": ["exit", "0"]})
    field.clock.advance(1)
    asyncio.run(field.fleet.stop())
    field.fleet = field.boot()
    field.clock.advance(1)
    field.pod("web")
    field.clock.advance(1)
    address = field.get()["status"]["podIP"]
    assert address == field.get("job")["status"]["podIP"]
    asyncio.run(field.fleet.stop())
    field.fleet = field.boot()
    field.clock.advance(1)
    assert field.get()["status"]["podIP"] == address


def test_the_address_of_a_pod_that_goes_before_it_is_taken_up_is_free() -> None:
    field = Field()
    field.pod("one")
    field.pod("two", node="node-b1")
    field.clock.advance(1)
    asyncio.run(field.fleet.stop())
    field.fleet = field.boot()
    field.client.delete("pods", "shop", "one", grace_period_seconds=0)
    field.power("node-b1", "off")
    assert field.fleet._addresses == {}
