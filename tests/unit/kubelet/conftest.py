"""A node with a scripted runtime, the real registry and virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.config import ClusterConfig, NodeGroup, NodeShape
from leeward.cluster.interface.runtime import (
    ContainerConfig,
    ContainerExit,
    ExecResult,
    RuntimeFailureError,
)
from leeward.cluster.kubelet.fleet import Fleet
from leeward.cluster.kubelet.kubelet import Kubelet
from leeward.cluster.kubelet.podworker import Host
from leeward.cluster.registry.admission.plugin import AdmissionOptions
from leeward.cluster.registry.registry import Registry
from leeward.cluster.store.memory import MemoryStore
from leeward.kube.objects import Obj
from tests.unit.kubelet.stateruntime import StateRuntime


class ScriptedRuntime(StateRuntime):
    """Containers that are states, whose ends and commands the test decides."""

    def __init__(self, clock: VirtualClock, ids: SeededIds) -> None:
        super().__init__(clock, ids, IPv4Network("10.0.0.0/16"))
        self.asked: list[tuple[str, float]] = []  # (container, grace) of every stop
        self.stubborn = False  # containers ignore the stop signal
        self.hold: asyncio.Event | None = None  # commands wait for it
        self.commands: list[Sequence[str]] = []
        self.live: dict[str, str] = {}  # container id → name
        self._exit_handler: Callable[[ContainerExit], None] = lambda exit_: None

    def on_exit(self, handler: Callable[[ContainerExit], None]) -> None:
        self._exit_handler = handler

    async def start_container(self, container_id: str) -> None:
        self.live[container_id] = self._containers[container_id].config.name

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        self.asked.append((self.live.get(container_id, ""), grace_seconds))
        if self.stubborn and grace_seconds > 0:
            await self._clock.sleep(grace_seconds)
        self.end(container_id, 137 if self.stubborn else 0)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        for container_id in list(self.live):
            if self._containers[container_id].sandbox == sandbox_id:
                self.end(container_id, 137)
        await super().remove_sandbox(sandbox_id)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        self.commands.append(command)
        if self.hold is not None:
            await self.hold.wait()
        if container_id not in self.live:
            raise RuntimeFailureError("the container is not running")
        return ExecResult(0, b"", b"")

    def end(self, container_id: str, code: int) -> None:
        """Let a container end."""
        if self.live.pop(container_id, None) is not None:
            self._exit_handler(ContainerExit(container_id, code, "Completed" if code == 0 else "Error"))

    def running(self, name: str) -> str:
        """Return the id of the running container of that name."""
        return next(key for key, each in self.live.items() if each == name)

    def config(self, container_id: str) -> ContainerConfig:
        """Return what the kubelet asked for."""
        return self._containers[container_id].config

    def lose_everything(self) -> None:
        """The runtime's own process is killed: sandboxes and containers are gone."""
        self._sandboxes.clear()
        for container_id in list(self.live):
            self.end(container_id, 137)


class World:
    """One node "n1"."""

    def __init__(self, directory: Path) -> None:
        self.clock = VirtualClock()
        self.ids = SeededIds(3)
        self.directory = directory
        self.registry = Registry(
            MemoryStore(),
            clock=self.clock,
            ids=self.ids,
            options=AdmissionOptions(disabled=("ServiceAccount",)),
        )
        self.client = self.registry.client("system:admin")
        for name in ("default", "kube-node-lease"):
            self.client.create("namespaces", {"metadata": {"name": name}})
        self.runtime = ScriptedRuntime(self.clock, self.ids)
        self.fleet = self.boot()

    def boot(self) -> Fleet:
        """Return a fresh kubelet, as after a restart."""
        config = ClusterConfig(name="test", state_dir=self.directory, api_port=1, ingress_port=2)
        host = Host(
            node="n1",
            client=self.registry.client("system:kubelet"),
            clock=self.clock,
            runtime=self.runtime,
            images=self.runtime,
            pods_dir=self.directory / "pods",
            logs_dir=self.directory / "logs",
            host_ip="127.0.0.1",
            dns="",
            isolated=True,
        )
        shape = NodeShape("n1", "a", NodeGroup())
        return Fleet([Kubelet(host, shape, config)], host.client, self.runtime)

    def run(self, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a test with the node up."""

        async def whole() -> None:
            self.fleet.start()
            try:
                await body()
            finally:
                self.runtime.stubborn = False
                if self.runtime.hold:
                    self.runtime.hold.set()
                await self.fleet.stop()

        asyncio.run(whole())

    async def settle(self, seconds: float = 0.0) -> None:
        """Let everything happen that falls due within `seconds`."""
        for _ in range(60):
            await asyncio.sleep(0)
        left = seconds
        while left > 0:
            step = min(0.5, left)
            self.clock.advance(step)
            left -= step
            for _ in range(60):
                await asyncio.sleep(0)

    async def pod(self, name: str = "web", container: Mapping[str, Any] | None = None, **spec: Any) -> Obj:
        """Create a Pod on the node and wait until it has been taken up."""
        main = {"name": "c", "image": "web:1", **(container or {})}
        whole = {"nodeName": "n1", "containers": [main], **spec}
        made = self.client.create("pods", {"metadata": {"name": name, "namespace": "default"}, "spec": whole})
        await self.settle()
        return made

    def find(self, name: str = "web") -> Obj | None:
        return self.client.find("pods", "default", name)

    def status(self, name: str = "web") -> Obj:
        found: Obj = self.client.get("pods", "default", name)["status"]
        return found

    def state(self, container: str = "c", name: str = "web") -> Obj:
        """Return the status of one container."""
        status = self.status(name)
        every = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
        found: Obj = next(each for each in every if each["name"] == container)
        return found

    def reasons(self) -> list[str]:
        """Return the reasons of all events about Pods, oldest first."""
        events = self.client.list("events", "default")
        return [e["reason"] for e in events if e["involvedObject"].get("kind") == "Pod"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)
