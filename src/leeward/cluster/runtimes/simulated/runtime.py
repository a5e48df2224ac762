"""The simulated runtime: states, addresses and delays, but no processes.

A container is running after `start_seconds` and ready at once; it ends when it is stopped, or by itself
after the seconds its annotation-free command says: ``sleep N`` ends with 0 after N seconds, ``exit N`` with
code N at once. Probes by exec pass while it runs. What it uses is what a function of its configuration says,
half of what it requests unless told otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from leeward import __version__
from leeward.base.clock import Clock, Timer
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
from leeward.cluster.interface.streams import Connection, Streams, StreamsWanted

_NOTHING_RUNS = "rpc error: code = Unimplemented desc = the simulated runtime runs no programs"


class Load(NamedTuple):
    """What a simulated container uses at a time."""

    cpu_millis: float
    memory_bytes: int


LoadOf = Callable[[SandboxConfig, ContainerConfig], Load]


def half_of_requests(sandbox: SandboxConfig, config: ContainerConfig) -> Load:
    """Return a load of half of what a container requests."""
    return Load(config.cpu_request_millis / 2, config.memory_request_bytes // 2)


@dataclass
class _Container:
    config: ContainerConfig
    sandbox: str
    running: bool = False
    timer: Timer | None = None
    counted: float = 0.0  # until when `cpu_nanoseconds` counts, monotonic
    cpu_nanoseconds: int = 0


class SimulatedRuntime:
    """Implements RuntimeService and ImageService without doing anything.

    Args:
        clock: delays.
        ids: names.
        network: Pod addresses; nothing listens there.
        start_seconds: from start to running.
        load: what each container uses; what it says holds since it was asked before.
    """

    def __init__(
        self,
        clock: Clock,
        ids: IdSource,
        network: IPv4Network,
        *,
        start_seconds: float = 0.05,
        load: LoadOf = half_of_requests,
    ) -> None:
        self._clock = clock
        self._ids = ids
        self._network = network
        self._start_seconds = start_seconds
        self._load = load
        self._next = 10
        self._sandboxes: dict[str, SandboxConfig] = {}
        self._containers: dict[str, _Container] = {}
        self._handlers: list[Callable[[ContainerExit], None]] = []

    @property
    def name(self) -> str:
        """Return "simulated"."""
        return "simulated"

    @property
    def version(self) -> str:
        """Return leeward's own version."""
        return __version__

    @property
    def limits(self) -> Sequence[str]:
        """Return what does not work."""
        return ("Containers are simulated: they have states, but run nothing and answer nothing.",)

    async def start(self) -> None:
        """Nothing to prepare."""

    async def stop(self) -> None:
        """Forget everything."""
        for container in self._containers.values():
            if container.timer:
                container.timer.cancel()
        self._containers.clear()
        self._sandboxes.clear()

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        """Give a Pod an address."""
        sandbox_id = self._ids.uid()
        self._sandboxes[sandbox_id] = config
        address = str(self._network[self._next])
        self._next = 10 + (self._next - 9) % (self._network.num_addresses - 12)
        return Sandbox(sandbox_id, address)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Forget a Pod and its containers."""
        self._sandboxes.pop(sandbox_id, None)
        for name in [key for key, each in self._containers.items() if each.sandbox == sandbox_id]:
            self._end(name, 137, silent=True)
            del self._containers[name]

    def is_alive(self, sandbox_id: str) -> bool:
        """Tell whether a sandbox still is there."""
        return sandbox_id in self._sandboxes

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        """Remember a container."""
        if sandbox_id not in self._sandboxes:
            raise RuntimeFailureError("the Pod's sandbox is gone")
        container_id = f"simulated://{self._ids.uid()}"
        self._containers[container_id] = _Container(config, sandbox_id)
        config.log_path.parent.mkdir(parents=True, exist_ok=True)
        config.log_path.touch()
        return container_id

    async def start_container(self, container_id: str) -> None:
        """Start it, after a delay."""
        container = self._containers[container_id]
        await self._clock.sleep(self._start_seconds)
        container.running, container.counted = True, self._clock.monotonic()
        ending = _ending([*(container.config.command or ()), *(container.config.args or ())])
        if ending is not None:
            seconds, code = ending
            container.timer = self._clock.call_later(seconds, lambda: self._end(container_id, code))

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """End it; simulated programs obey at once."""
        self._end(container_id, 0 if grace_seconds > 0 else 137)

    async def remove_container(self, container_id: str) -> None:
        """Forget it."""
        self._containers.pop(container_id, None)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Succeed while the container runs."""
        container = self._containers.get(container_id)
        running = container is not None and container.running
        return ExecResult(0 if running else 1, b"", b"" if running else b"container is not running")

    async def open_exec(self, container_id: str, command: Sequence[str], wanted: StreamsWanted) -> Streams:
        """Refuse: nothing runs."""
        raise RuntimeFailureError(_NOTHING_RUNS)

    async def open_attach(self, container_id: str, wanted: StreamsWanted) -> Streams:
        """Refuse: nothing runs."""
        raise RuntimeFailureError(_NOTHING_RUNS)

    async def open_port(self, pod_uid: str, port: int) -> Connection:
        """Refuse: nothing listens."""
        raise RuntimeFailureError(_NOTHING_RUNS)

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        """Say what containers would use."""
        found: dict[str, ContainerStats] = {}
        now = self._clock.monotonic()
        for name in container_ids:
            container = self._containers.get(name)
            if container is None or not container.running:
                continue
            load = self._load(self._sandboxes[container.sandbox], container.config)
            container.cpu_nanoseconds += round(load.cpu_millis * (now - container.counted) * 1_000_000)
            container.counted = now
            found[name] = ContainerStats(container.cpu_nanoseconds, load.memory_bytes)
        return found

    def on_exit(self, handler: Callable[[ContainerExit], None]) -> None:
        """Call `handler` with every end."""
        self._handlers.append(handler)

    async def cut_power(self, node: str) -> None:
        """Forget everything on `node`; nobody is told."""
        for sandbox_id in [key for key, each in self._sandboxes.items() if each.node == node]:
            await self.remove_sandbox(sandbox_id)

    def _end(self, container_id: str, code: int, *, silent: bool = False) -> None:
        container = self._containers.get(container_id)
        if container is None or not container.running:
            return
        container.running = False
        if container.timer:
            container.timer.cancel()
        for handler in () if silent else self._handlers:
            handler(ContainerExit(container_id, code, "Completed" if code == 0 else "Error"))

    async def pull(self, reference: str) -> Image:
        """Every image is there."""
        return Image(id=reference, names=[reference])

    async def find(self, reference: str) -> Image | None:
        """Every image is there."""
        return Image(id=reference, names=[reference])


def _ending(words: Sequence[str]) -> tuple[float, int] | None:
    """Return (seconds, exit code) of a command that says how it ends; None: it runs until stopped."""
    text = " ".join(words).split()
    for verb, number in pairwise(text):
        if verb in ("sleep", "exit") and number.isdigit():
            return (float(number), 0) if verb == "sleep" else (0.0, int(number))
    return None


if TYPE_CHECKING:

    def _conforms(runtime: SimulatedRuntime) -> tuple[RuntimeService, ImageService]:
        return runtime, runtime
