"""A container runtime for tests: containers are states, and end only when they are stopped."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from leeward.base.clock import Clock
from leeward.base.ids import IdSource
from leeward.cluster.interface.runtime import (
    ContainerConfig,
    ContainerExit,
    ContainerStats,
    ExecResult,
    Image,
    ImageService,
    RuntimeFailureError,
    RuntimeService,
    Sandbox,
    SandboxConfig,
)
from leeward.cluster.kubelet.simulated.streams import NoStreams

_START_SECONDS = 0.05


@dataclass
class _Container:
    config: ContainerConfig
    sandbox: str
    running: bool = False


class StateRuntime(NoStreams):
    """Implements RuntimeService and ImageService.

    Args:
        clock: delays.
        ids: names.
        network: Pod addresses; nothing listens there.
    """

    name, version, limits = "states", "1", ()

    def __init__(self, clock: Clock, ids: IdSource, network: IPv4Network) -> None:
        self._clock = clock
        self._ids = ids
        self._addresses = network.hosts()
        self._sandboxes: dict[str, SandboxConfig] = {}
        self._containers: dict[str, _Container] = {}
        self._handlers: list[Callable[[ContainerExit], None]] = []

    async def start(self) -> None:
        pass

    async def stop(self) -> None:
        pass

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        sandbox_id = self._ids.uid()
        self._sandboxes[sandbox_id] = config
        return Sandbox(sandbox_id, str(next(self._addresses)))

    async def remove_sandbox(self, sandbox_id: str) -> None:
        self._sandboxes.pop(sandbox_id, None)
        for name in [key for key, each in self._containers.items() if each.sandbox == sandbox_id]:
            del self._containers[name]

    def is_alive(self, sandbox_id: str) -> bool:
        return sandbox_id in self._sandboxes

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        if sandbox_id not in self._sandboxes:
            raise RuntimeFailureError("the Pod's sandbox is gone")
        container_id = f"states://{self._ids.uid()}"
        self._containers[container_id] = _Container(config, sandbox_id)
        config.log_path.parent.mkdir(parents=True, exist_ok=True)
        config.log_path.touch()
        return container_id

    async def start_container(self, container_id: str) -> None:
        await self._clock.sleep(_START_SECONDS)
        self._containers[container_id].running = True

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        container = self._containers.get(container_id)
        if container is None or not container.running:
            return
        container.running = False
        code = 0 if grace_seconds > 0 else 137
        for handler in self._handlers:
            handler(ContainerExit(container_id, code, "Completed" if code == 0 else "Error"))

    async def remove_container(self, container_id: str) -> None:
        self._containers.pop(container_id, None)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        container = self._containers.get(container_id)
        running = container is not None and container.running
        return ExecResult(0 if running else 1, b"", b"" if running else b"container is not running")

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        return {}

    def on_exit(self, handler: Callable[[ContainerExit], None]) -> None:
        self._handlers.append(handler)

    async def cut_power(self, node: str) -> None:
        for sandbox_id in [key for key, each in self._sandboxes.items() if each.node == node]:
            await self.remove_sandbox(sandbox_id)

    async def pull(self, reference: str) -> Image:
        return Image(id=reference, names=[reference])

    async def find(self, reference: str) -> Image | None:
        return Image(id=reference, names=[reference])


if TYPE_CHECKING:

    def _conforms(runtime: StateRuntime) -> tuple[RuntimeService, ImageService]:
        return runtime, runtime
