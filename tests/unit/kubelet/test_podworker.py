"""Pods on a node whose containers do what the test says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.unit.kubelet.conftest import World

HOOK = {"exec": {"command": ["sleep", "600"]}}


def test_containers_start_after_their_init_containers_have_ended_well(world: World) -> None:
    async def body() -> None:
        await world.pod(
            initContainers=[{"name": "first", "image": "i:1"}, {"name": "second", "image": "i:1"}]
        )
        assert list(world.runtime.live.values()) == ["first"]

        world.runtime.end(world.runtime.running("first"), 0)
        await world.settle()
        assert list(world.runtime.live.values()) == ["second"]
        assert world.status()["phase"] == "Pending"

        world.runtime.end(world.runtime.running("second"), 0)
        await world.settle()
        assert list(world.runtime.live.values()) == ["c"]
        assert world.status()["phase"] == "Running"

    world.run(body)


def test_a_crashing_container_waits_longer_each_time(world: World) -> None:
    async def body() -> None:
        await world.pod()
        world.runtime.end(world.runtime.running("c"), 1)
        await world.settle()
        assert world.state()["restartCount"] == 1  # the first restart is at once

        world.runtime.end(world.runtime.running("c"), 3)
        await world.settle()
        state = world.state()
        assert state["state"]["waiting"]["reason"] == "CrashLoopBackOff"
        assert state["lastState"]["terminated"]["exitCode"] == 3
        await world.settle(9.0)
        assert world.state()["restartCount"] == 1
        await world.settle(1.5)
        assert world.state()["restartCount"] == 2

        world.runtime.end(world.runtime.running("c"), 1)
        await world.settle(19.0)
        assert world.state()["restartCount"] == 2
        await world.settle(1.5)
        assert world.state()["restartCount"] == 3

    world.run(body)


@pytest.mark.parametrize(
    ("policy", "code", "phase"),
    [("Never", 0, "Succeeded"), ("Never", 1, "Failed"), ("OnFailure", 0, "Succeeded")],
)
def test_a_pod_that_is_over_has_its_phase_and_starts_nothing_again(
    world: World, policy: str, code: int, phase: str
) -> None:
    async def body() -> None:
        await world.pod(restartPolicy=policy)
        world.runtime.end(world.runtime.running("c"), code)
        await world.settle(20.0)

        assert world.status()["phase"] == phase
        assert world.state()["state"]["terminated"]["exitCode"] == code
        assert world.runtime.live == {}

    world.run(body)


def test_deletion_gives_the_containers_their_grace_period(world: World) -> None:
    async def body() -> None:
        await world.pod(terminationGracePeriodSeconds=7)
        world.client.delete("pods", "default", "web")
        await world.settle()

        assert world.runtime.asked == [("c", 7.0)]
        assert world.find() is None

    world.run(body)


def test_a_shortened_grace_period_holds_at_once(world: World) -> None:
    async def body() -> None:
        world.runtime.stubborn = True
        await world.pod(terminationGracePeriodSeconds=600)
        world.client.delete("pods", "default", "web")
        await world.settle(5.0)
        assert world.runtime.live

        world.client.delete("pods", "default", "web", grace_period_seconds=0)
        await world.settle()

        assert world.runtime.live == {}
        assert world.runtime.asked[-1] == ("c", 0.0)

    world.run(body)


def test_a_pod_deleted_while_its_post_start_hook_runs_ends(world: World) -> None:
    async def body() -> None:
        import asyncio

        world.runtime.hold = asyncio.Event()
        await world.pod(container={"lifecycle": {"postStart": HOOK}}, terminationGracePeriodSeconds=1)
        assert world.runtime.commands == [["sleep", "600"]]

        world.client.delete("pods", "default", "web")
        await world.settle(2.0)

        assert (world.find(), world.runtime.live) == (None, {})

    world.run(body)


def test_a_pre_stop_hook_runs_once_and_counts_against_the_grace_period(world: World) -> None:
    async def body() -> None:
        await world.pod(
            container={"lifecycle": {"preStop": {"sleep": {"seconds": 3}}}}, terminationGracePeriodSeconds=10
        )
        world.client.delete("pods", "default", "web")
        await world.settle(2.0)
        assert world.runtime.asked == []
        await world.settle(2.0)

        assert world.runtime.asked == [("c", 7.0)]
        assert world.find() is None

    world.run(body)


def test_a_write_and_a_forced_deletion_at_once_leave_nothing_running(world: World) -> None:
    async def body() -> None:
        await world.pod()
        pod = world.client.get("pods", "default", "web")
        world.client.update("pods", {**pod, "metadata": {**pod["metadata"], "labels": {"a": "b"}}})
        world.client.delete("pods", "default", "web", grace_period_seconds=0)
        await world.settle(3.0)

        assert (world.find(), world.runtime.live) == (None, {})

    world.run(body)


def test_a_forced_deletion_of_a_pod_that_was_just_made_leaves_nothing_running(world: World) -> None:
    async def body() -> None:
        spec = {"nodeName": "n1", "containers": [{"name": "c", "image": "web:1"}]}
        world.client.create("pods", {"metadata": {"name": "web", "namespace": "default"}, "spec": spec})
        world.client.delete("pods", "default", "web", grace_period_seconds=0)
        await world.settle(3.0)

        assert (world.find(), world.runtime.live) == (None, {})

    world.run(body)


def test_after_the_runtime_was_lost_a_pod_gets_a_new_sandbox_and_runs_its_init_again(world: World) -> None:
    async def body() -> None:
        await world.pod(initContainers=[{"name": "init", "image": "i:1"}])
        world.runtime.end(world.runtime.running("init"), 0)
        await world.settle()
        address = world.status()["podIP"]

        world.runtime.lose_everything()
        await world.settle(1.0)
        assert list(world.runtime.live.values()) == ["init"]
        world.runtime.end(world.runtime.running("init"), 0)
        await world.settle(1.0)

        assert list(world.runtime.live.values()) == ["c"]
        assert world.status()["podIP"] != address
        assert "SandboxChanged" in world.reasons()

    world.run(body)


@pytest.mark.parametrize("path", ["file/below", "link/etc", "../..", "/etc"])
def test_a_mount_that_cannot_be_made_is_told_and_can_be_deleted(world: World, path: str) -> None:
    async def body() -> None:
        volume = world.directory / "volume"
        volume.mkdir()
        (volume / "file").touch()
        (volume / "link").symlink_to("/")
        mount = {"name": "v", "mountPath": "/x", "subPathExpr": "$(WHERE)"}  # which the API cannot check
        await world.pod(
            container={"volumeMounts": [mount], "env": [{"name": "WHERE", "value": path}]},
            volumes=[{"name": "v", "hostPath": {"path": str(volume)}}],
        )
        await world.settle(30.0)
        assert "Failed" in world.reasons()
        assert world.runtime.live == {}

        world.client.delete("pods", "default", "web")
        await world.settle(3.0)
        assert world.find() is None

    world.run(body)


def test_whatever_goes_wrong_the_worker_goes_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        def fail(*arguments: object) -> None:
            raise RuntimeError("unforeseen")

        with monkeypatch.context() as patch:
            patch.setattr("leeward.cluster.kubelet.podworker.container_config", fail)
            await world.pod()
            assert "FailedSync" in world.reasons()
        await world.settle(3.0)

        assert list(world.runtime.live.values()) == ["c"]

    world.run(body)


@pytest.mark.parametrize(
    "volume",
    [
        {"nfs": {"server": "s", "path": "/"}},
        {"projected": {"sources": [{"clusterTrustBundle": {"name": "b", "path": "t"}}]}},
    ],
)
def test_a_volume_that_cannot_be_mounted_holds_the_pod_back(world: World, volume: dict[str, Any]) -> None:
    async def body() -> None:
        await world.pod(volumes=[{"name": "v", **volume}])
        await world.settle(5.0)

        assert world.runtime.live == {}
        assert "FailedMount" in world.reasons()

    world.run(body)


def test_a_pod_past_its_deadline_is_stopped_and_has_failed(world: World) -> None:
    async def body() -> None:
        await world.pod(activeDeadlineSeconds=30)
        await world.settle(29.0)
        assert world.status()["phase"] == "Running"
        await world.settle(2.0)

        status = world.status()
        assert (status["phase"], status["reason"]) == ("Failed", "DeadlineExceeded")
        assert world.runtime.live == {}

    world.run(body)


def test_a_pod_that_the_api_calls_failed_is_stopped(world: World) -> None:
    async def body() -> None:
        await world.pod()
        pod = world.client.get("pods", "default", "web")
        world.client.update_status("pods", {**pod, "status": {**pod["status"], "phase": "Failed"}})
        await world.settle()

        assert world.runtime.live == {}
        assert world.status()["phase"] == "Failed"

    world.run(body)


def test_stopping_the_cluster_ends_containers_in_order_and_they_run_again_afterwards(world: World) -> None:
    async def body() -> None:
        await world.pod(initContainers=[{"name": "init", "image": "i:1"}], terminationGracePeriodSeconds=600)
        world.runtime.end(world.runtime.running("init"), 0)
        await world.settle()

        await world.fleet.stop()
        assert world.runtime.asked == [("c", 10.0)]
        assert world.status()["phase"] == "Running"

        await world.runtime.stop()
        world.fleet = world.boot()
        world.fleet.start()
        await world.settle(1.0)
        assert list(world.runtime.live.values()) == ["init"]
        world.runtime.end(world.runtime.running("init"), 0)
        await world.settle(1.0)
        assert list(world.runtime.live.values()) == ["c"]

    world.run(body)


def test_a_failed_liveness_probe_restarts_the_container(world: World) -> None:
    async def body() -> None:
        probe = {"tcpSocket": {"port": "nowhere"}, "periodSeconds": 5, "failureThreshold": 2}
        await world.pod(container={"livenessProbe": probe})
        await world.settle(12.0)

        assert world.state()["restartCount"] == 1
        assert {"Unhealthy", "Killing"} <= set(world.reasons())

    world.run(body)


def test_a_power_cut_is_silent_and_the_pod_runs_again_when_power_is_back(world: World) -> None:
    async def body() -> None:
        await world.pod()
        node = world.client.get("nodes", "", "n1")
        off = {**node["metadata"], "annotations": {"leeward.dev/power": "off"}}
        world.client.update("nodes", {**node, "metadata": off})
        await world.settle(2.0)
        assert world.status()["phase"] == "Running"  # nobody was told

        node = world.client.get("nodes", "", "n1")
        world.client.update("nodes", {**node, "metadata": {**node["metadata"], "annotations": {}}})
        await world.settle(2.0)
        assert world.state()["restartCount"] == 1
        assert "c" in world.runtime.live.values()

    world.run(body)


def test_a_hook_that_takes_longer_than_the_grace_period_is_cut_short(world: World) -> None:
    async def body() -> None:
        await world.pod(
            container={"lifecycle": {"preStop": {"sleep": {"seconds": 60}}}}, terminationGracePeriodSeconds=90
        )
        world.client.delete("pods", "default", "web", grace_period_seconds=5)
        await world.settle(6.0)

        assert world.runtime.asked == [("c", 2.0)]  # the least that a stop signal gets
        assert world.find() is None

    world.run(body)


def test_an_ephemeral_container_that_is_added_runs_once_and_has_a_status(world: World) -> None:
    async def body() -> None:
        await world.pod()
        added = {
            "name": "look",
            "image": "tools:1",
            "targetContainerName": "c",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
        patch = {"spec": {"ephemeralContainers": [added]}}
        world.client.patch("pods", "default", "web", patch, subresource="ephemeralcontainers")
        await world.settle()
        (status,) = world.status()["ephemeralContainerStatuses"]
        assert (status["name"], status["ready"], status["restartCount"]) == ("look", False, 0)
        assert "running" in status["state"]
        assert "started" not in status
        looking = world.runtime.running("look")
        assert world.runtime.config(looking).shares_with == world.runtime.running("c")

        world.runtime.end(looking, 3)
        await world.settle(700)
        (status,) = world.status()["ephemeralContainerStatuses"]
        assert status["state"]["terminated"]["exitCode"] == 3
        assert list(world.runtime.live.values()) == ["c"]
        assert world.status()["phase"] == "Running"

    world.run(body)
