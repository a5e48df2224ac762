"""The process runtime: containers are processes of this machine, kept apart as far as it allows.

With root on Linux each Pod has its own network namespace and address, and each container its own file
system, process table and hostname. Without root Pods share the machine's network (127.0.0.1).

Invariant: every process is a descendant of the launcher and dies with it, and the launcher dies with the
cluster's process; nothing outlives a ``kill -9``.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import uuid
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leeward import __version__
from leeward.base.ids import IdSource
from leeward.cluster.interface.network import PodNetwork
from leeward.cluster.interface.runtime import (
    ContainerConfig,
    ContainerExit,
    ContainerStats,
    ExecResult,
    RuntimeFailureError,
    RuntimeService,
    Sandbox,
    SandboxConfig,
)
from leeward.cluster.interface.streams import Connection, Streams, StreamsWanted
from leeward.cluster.runtimes.process import sessions
from leeward.cluster.runtimes.process.control import LauncherControl
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.runtimes.process.interpreters import make_shims
from leeward.cluster.runtimes.process.isolation import Isolation
from leeward.cluster.runtimes.process.plan import launch_spec, sandbox_files
from leeward.cluster.runtimes.process.usage import Root, measure

logger = logging.getLogger(__name__)
TIMEOUT_EXIT_CODE = 124


@dataclass
class _Sandbox:
    config: SandboxConfig
    pid: int
    ip: str
    directory: Path
    containers: set[str] = field(default_factory=set)


@dataclass
class _Container:
    id: str
    sandbox: _Sandbox
    config: ContainerConfig
    spec: dict[str, Any]
    stop_signal: int
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    started: bool = False
    pid: int = 0
    exit: ContainerExit | None = None


class ProcessRuntime:
    """Implements RuntimeService.

    Args:
        directory: for sandboxes' and containers' files; emptied at start.
        images: what can run.
        network: connects sandboxes; None when Pods share the machine's network.
        isolation: how far containers are kept apart.
        ids: names of sandboxes and containers.
    """

    def __init__(
        self,
        *,
        directory: Path,
        images: ImageStore,
        network: PodNetwork | None,
        isolation: Isolation,
        ids: IdSource,
    ) -> None:
        self._directory = directory
        self._images = images
        self._network = network
        self._isolation = isolation
        self._ids = ids
        self._sandboxes: dict[str, _Sandbox] = {}
        self._containers: dict[str, _Container] = {}
        self._handlers: list[Callable[[ContainerExit], None]] = []
        self._control = LauncherControl(self._exited, self._launcher_lost)
        self._netlink = ThreadPoolExecutor(1, thread_name_prefix="netlink")

    @property
    def name(self) -> str:
        """Return "process"."""
        return "process"

    @property
    def version(self) -> str:
        """Return leeward's own version."""
        return __version__

    @property
    def limits(self) -> Sequence[str]:
        """Return what does not work on this machine."""
        return self._isolation.limits

    async def start(self) -> None:
        """Start the launcher, in place of whatever an earlier process left."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        make_shims(self._directory / "shims")
        if self._network is not None:
            await self._in_netlink(self._network.setup)
        self._control.start()

    async def stop(self) -> None:
        """Kill everything and remove every trace."""
        self._control.stop()
        if self._network is not None:
            await self._in_netlink(self._network.teardown)
        self._netlink.shutdown()
        shutil.rmtree(self._directory, ignore_errors=True)

    async def _in_netlink(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Run blocking network set-up on its own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._netlink, work, *arguments)

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        """Start a sandbox and connect it."""
        sandbox_id = self._new_id()
        directory = self._directory / sandbox_id
        directory.mkdir()
        isolated = self._network is not None and not config.host_network
        answer = await self._control.ask(
            "sandbox", network=isolated, hostname=config.hostname, sysctls=dict(config.sysctls)
        )
        sandbox = _Sandbox(config, answer["pid"], "127.0.0.1", directory)
        self._sandboxes[sandbox_id] = sandbox
        if isolated and self._network is not None:
            try:
                sandbox.ip = await self._in_netlink(self._network.attach, sandbox.pid, config.node)
            except Exception as error:
                await self.remove_sandbox(sandbox_id)
                raise RuntimeFailureError(
                    f"the Pod's network could not be set up: {error}", reason="FailedCreatePodSandBox"
                ) from error
        sandbox_files(directory, config, sandbox.ip)
        return Sandbox(sandbox_id, sandbox.ip)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Kill what is in it and remove it."""
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is None:
            return
        left = [self._containers[name] for name in sandbox.containers if name in self._containers]
        await self._control.ask(
            "kill", containers=[each.id for each in left], sandboxes=[sandbox.pid], silent=False
        )
        for each in left:
            if each.started:
                await each.ended.wait()
            self._containers.pop(each.id, None)
        if self._network is not None and sandbox.ip != "127.0.0.1":
            await self._in_netlink(self._network.detach, sandbox.ip)
        shutil.rmtree(sandbox.directory, ignore_errors=True)

    def is_alive(self, sandbox_id: str) -> bool:
        """Tell whether a sandbox still is there."""
        return sandbox_id in self._sandboxes

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        """Prepare a container."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            raise RuntimeFailureError("the Pod's sandbox is gone", reason="CreateContainerError")
        image = self._images.read(config.image) or await self._images.pull(config.image)
        container_id = f"process://{self._new_id()}{self._new_id()}"
        directory = sandbox.directory / f"{config.name}-{container_id[-12:]}"
        directory.mkdir()
        config.log_path.parent.mkdir(parents=True, exist_ok=True)
        spec = launch_spec(
            config,
            sandbox.config,
            image,
            mode=self._isolation.mode,
            directory=directory,
            sandbox_directory=sandbox.directory,
            sandbox_pid=sandbox.pid if self._isolation.mode == "root" else 0,
            layers=[self._directory / "shims", *self._images.layers(image.id)],
        )
        wanted = config.stop_signal or image.stop_signal or "SIGTERM"
        number = getattr(signal, wanted if wanted.startswith("SIG") else f"SIG{wanted}", signal.SIGTERM)
        self._containers[container_id] = _Container(container_id, sandbox, config, spec, int(number))
        sandbox.containers.add(container_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        """Start it."""
        container = self._find(container_id)
        answer = await self._control.ask("start", container=container_id, spec=container.spec)
        container.started, container.pid = True, answer["pid"]

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """Ask it to end, kill it after the grace period, wait for its end."""
        container = self._containers.get(container_id)
        if container is None or not container.started or container.ended.is_set():
            return
        first = container.stop_signal if grace_seconds > 0 else int(signal.SIGKILL)
        await self._control.ask("signal", container=container_id, number=first)
        try:
            async with asyncio.timeout(max(grace_seconds, 0.001)):
                await container.ended.wait()
        except TimeoutError:
            await self._control.ask("signal", container=container_id, number=int(signal.SIGKILL))
            await container.ended.wait()

    async def remove_container(self, container_id: str) -> None:
        """Forget it and its writable layer."""
        container = self._containers.pop(container_id, None)
        if container is None:
            return
        container.sandbox.containers.discard(container_id)
        shutil.rmtree(container.spec["directory"], ignore_errors=True)

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run a command in the container."""
        container = self._find(container_id)
        answer = await self._control.ask_within(
            timeout,
            "exec",
            container=container_id,
            spec={"argv": list(command), "cwd": container.spec["cwd"]},
        )
        if answer is None:
            message = f"the command did not end within {timeout:g} s"
            return ExecResult(TIMEOUT_EXIT_CODE, b"", message.encode())
        return ExecResult(
            answer["code"], answer["stdout"].encode("latin-1"), answer["stderr"].encode("latin-1")
        )

    async def open_exec(self, container_id: str, command: Sequence[str], wanted: StreamsWanted) -> Streams:
        """Start a command in the container and talk to it."""
        spec = self._find(container_id).spec
        env = {"TERM": "xterm", **spec["env"]} if wanted.tty else spec["env"]
        launched = {"argv": list(command), "cwd": spec["cwd"], "env": env}
        return await sessions.open_command(self._control, container_id, launched, wanted)

    async def open_attach(self, container_id: str, wanted: StreamsWanted) -> Streams:
        """Talk to the container's own program."""
        container = self._find(container_id)
        once = container.config.stdin_once
        return await sessions.open_attach(self._control, container_id, container.spec, wanted, once=once)

    async def open_port(self, pod_uid: str, port: int) -> Connection:
        """Connect to a port of the Pod's "localhost"."""
        found = next((each for each in self._sandboxes.values() if each.config.pod_uid == pod_uid), None)
        if found is None:
            raise RuntimeFailureError("the Pod's sandbox is gone")
        isolated = self._network is not None and not found.config.host_network
        where = f"{found.config.namespace}/{found.config.name}"
        return await sessions.open_port(self._control, found.pid if isolated else 0, where, port)

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        """Measure the processes of containers."""
        found = (self._containers.get(name) for name in container_ids)
        supervised = self._isolation.mode == "userns"
        roots = {
            each.id: Root(each.pid, supervised)
            for each in found
            if each is not None and each.pid and not each.ended.is_set()
        }
        return measure(roots, self._control.pid) if roots else {}

    def on_exit(self, handler: Callable[[ContainerExit], None]) -> None:
        """Call `handler` with every end of a container."""
        self._handlers.append(handler)

    async def cut_power(self, node: str) -> None:
        """Take the node's Pods off the network, then kill them; nobody is told."""
        lost = {key: each for key, each in self._sandboxes.items() if each.config.node == node}
        if self._network is not None:
            for sandbox in lost.values():
                if sandbox.ip != "127.0.0.1":
                    await self._in_netlink(self._network.silence, sandbox.ip)
        names = [name for sandbox in lost.values() for name in sandbox.containers]
        await self._control.ask(
            "kill", containers=names, sandboxes=[each.pid for each in lost.values()], silent=True
        )
        for name in names:
            container = self._containers.pop(name, None)
            if container is not None:
                container.ended.set()
        for sandbox_id, sandbox in lost.items():
            del self._sandboxes[sandbox_id]
            if self._network is not None and sandbox.ip != "127.0.0.1":
                await self._in_netlink(self._network.detach, sandbox.ip)
            shutil.rmtree(sandbox.directory, ignore_errors=True)

    def _find(self, container_id: str) -> _Container:
        container = self._containers.get(container_id)
        if container is None:
            raise RuntimeFailureError(f"there is no container {container_id}")
        return container

    def _exited(self, container_id: str, code: int) -> None:
        container = self._containers.get(container_id)
        if container is None:
            return
        container.exit = ContainerExit(container_id, code, "Completed" if code == 0 else "Error")
        container.ended.set()
        for handler in self._handlers:
            handler(container.exit)

    def _launcher_lost(self) -> None:
        """Every container and sandbox died with the launcher: report them, start another one."""
        lost, self._sandboxes = self._sandboxes, {}
        for container in list(self._containers.values()):
            if container.started and not container.ended.is_set():
                self._exited(container.id, 137)
        if self._network is not None:
            for sandbox in lost.values():
                if sandbox.ip != "127.0.0.1":
                    self._netlink.submit(self._network.detach, sandbox.ip)
        self._control.start()

    def _new_id(self) -> str:
        return uuid.UUID(self._ids.uid()).hex

    @property
    def directory(self) -> Path:
        """Where the runtime keeps its files."""
        return self._directory


if TYPE_CHECKING:

    def _conforms(runtime: ProcessRuntime) -> RuntimeService:
        return runtime
