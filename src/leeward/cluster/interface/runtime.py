"""What runs containers: two small protocols, as in CRI.

The kubelet is the only user. Methods are coroutines because real runtimes wait; none blocks the
event loop. One runtime instance serves all nodes of the embedded cluster, and every sandbox names
its node, so that a node's power can be cut.

Source: ``k8s.io/cri-api/pkg/apis/runtime/v1`` (the parts used here).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from leeward.cluster.interface.streams import Connection, Streams, StreamsWanted


class RuntimeFailureError(Exception):
    """The runtime could not do it; the message is shown in ``kubectl describe pod``.

    Args:
        message: what is wrong and what to do.
        reason: the waiting reason or Event reason, such as "CreateContainerError".
    """

    def __init__(self, message: str, *, reason: str = "RunContainerError") -> None:
        super().__init__(message)
        self.reason = reason


class ImageFailureError(RuntimeFailureError):
    """An image that is not there or cannot run here (reason "ErrImagePull" and the like)."""

    def __init__(self, message: str, *, reason: str = "ErrImagePull") -> None:
        super().__init__(message, reason=reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """A Pod's shared surroundings."""

    pod_uid: str
    namespace: str
    name: str
    node: str
    hostname: str
    host_network: bool = False
    hosts: Sequence[tuple[str, Sequence[str]]] = ()  # lines of /etc/hosts: (ip, names)
    nameservers: Sequence[str] = ()  # lines of /etc/resolv.conf
    searches: Sequence[str] = ()
    dns_options: Sequence[str] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A running sandbox."""

    id: str
    ip: str  # the Pod's address, reachable from the machine and from every other Pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A directory or file of the machine, seen by a container."""

    host_path: Path
    container_path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerConfig:
    """One container; command, args and the rest are as in the Pod (None: the image's own)."""

    name: str
    image: str  # image id as returned by ImageService.pull
    command: Sequence[str] | None = None  # Kubernetes' command: replaces ENTRYPOINT
    args: Sequence[str] | None = None  # Kubernetes' args: replaces CMD
    working_dir: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    log_path: Path  # lines as CRI writes them: "<RFC 3339 nano> stdout|stderr F|P <text>"
    attempt: int = 0
    shares_with: str = ""  # id of the container whose processes it sees; "": its own alone
    user: int | None = None
    group: int | None = None
    supplemental_groups: Sequence[int] = ()
    read_only_root: bool = False
    stdin: bool = False
    stdin_once: bool = False  # its input ends when the first who attached goes away
    tty: bool = False
    memory_limit_bytes: int | None = None
    cpu_limit_millis: int | None = None
    memory_request_bytes: int = 0
    cpu_request_millis: int = 0
    stop_signal: str | None = None  # "SIGTERM" when None and the image names none


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """A container has ended."""

    container_id: str
    exit_code: int  # 128 + signal number when killed by a signal
    reason: str  # "Completed", "Error", "OOMKilled", "ContainerStatusUnknown"


@dataclass(frozen=True, slots=True)
class ExecResult:
    """What a command inside a container said."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True, slots=True)
class ContainerStats:
    """What a running container uses, measured when it was asked for (CRI: ContainerStats)."""

    cpu_nanoseconds: int  # of a core, since it started: usage_core_nano_seconds
    memory_bytes: int  # that the machine cannot take back: working_set_bytes


class StatsSource(Protocol):
    """Measures containers."""

    def stats(self, container_ids: Collection[str]) -> Mapping[str, ContainerStats]:
        """Measure containers now; those that do not run or cannot be measured here are left out.

        Takes about a millisecond for each of their processes at most, and nothing when nobody asks.
        """
        ...


class StreamService(Protocol):
    """Opens what becomes a conversation with a Pod."""

    async def open_exec(self, container_id: str, command: Sequence[str], wanted: StreamsWanted) -> Streams:
        """Start `command` in the container, with its environment and directory, and talk to it.

        Raises:
            RuntimeFailureError: it cannot be started, or the container does not run.
        """
        ...

    async def open_attach(self, container_id: str, wanted: StreamsWanted) -> Streams:
        """Talk to the container's own program, from now on.

        Raises:
            RuntimeFailureError: the container does not run.
        """
        ...

    async def open_port(self, pod_uid: str, port: int) -> Connection:
        """Connect to a port of "localhost" as the Pod's containers see it.

        Raises:
            RuntimeFailureError: nobody listens there, or there is no such Pod.
        """
        ...


class RuntimeService(StatsSource, StreamService, Protocol):
    """Sandboxes and containers."""

    @property
    def name(self) -> str:
        """Such as "process"; shown by ``leeward cluster status`` and ``kubectl get nodes -o wide``."""
        ...

    @property
    def version(self) -> str:
        """Shown as ``containerRuntimeVersion`` "<name>://<version>"."""
        ...

    @property
    def limits(self) -> Sequence[str]:
        """What this runtime cannot do on this machine, one sentence each, for people."""
        ...

    async def start(self) -> None:
        """Get ready, and clean up whatever an earlier process of this cluster left behind."""
        ...

    async def stop(self) -> None:
        """Kill every container and remove every trace (processes, namespaces, interfaces, mounts)."""
        ...

    async def run_sandbox(self, config: SandboxConfig) -> Sandbox:
        """Create and start a Pod's sandbox with its own address."""
        ...

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Kill what is left in it, remove it, give back its address; harmless when gone."""
        ...

    def is_alive(self, sandbox_id: str) -> bool:
        """Tell whether a sandbox still is there; one may be lost with the runtime's own process."""
        ...

    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str:
        """Prepare a container; returns its id, such as "process://<hex>"."""
        ...

    async def start_container(self, container_id: str) -> None:
        """Start it; its end is told to the exit handler."""
        ...

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """Send the stop signal, kill after `grace_seconds`; returns when it has ended."""
        ...

    async def remove_container(self, container_id: str) -> None:
        """Forget an ended container and its writable layer; the log stays. Harmless when gone."""
        ...

    async def exec(self, container_id: str, command: Sequence[str], timeout: float) -> ExecResult:
        """Run `command` in the container and wait; exit code 124 when `timeout` seconds passed."""
        ...

    def on_exit(self, handler: Callable[[ContainerExit], None]) -> None:
        """Call `handler` on the event loop's thread whenever any container ends."""
        ...

    async def cut_power(self, node: str) -> None:
        """Silence and kill all sandboxes of `node` at once, as a power cut would.

        No packet leaves them any more (peers see silence, not a closed connection) and no exit is
        reported.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A runnable image's identity and configuration (the OCI image config, the parts used)."""

    id: str
    names: Sequence[str]
    size_bytes: int = 0
    entrypoint: Sequence[str] = ()
    cmd: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = "/"
    user: str = ""
    exposed_ports: Sequence[str] = ()  # "8080/tcp"
    stop_signal: str = ""


class ImageService(Protocol):
    """Images that this machine can run."""

    async def pull(self, reference: str) -> Image:
        """Make `reference` runnable and return it.

        Raises:
            ImageFailureError: it cannot be had or cannot run here; the message says what to do.
        """
        ...

    async def find(self, reference: str) -> Image | None:
        """Return an image that is already here, or None."""
        ...
