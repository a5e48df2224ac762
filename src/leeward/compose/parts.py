"""The values inside a service, as frozen dataclasses: builds, ports, mounts, health checks, deployment.

Every short form is already expanded, every variable substituted, every unit converted: durations are
float seconds, sizes are int bytes, cpus are float cores. ``None`` means that the file does not say.

Source: the Compose Specification (compose-spec.io), sections "services", "build" and "deploy".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """How to build the service's image."""

    context: str  # absolute directory, or a URL
    dockerfile: str | None = None  # absolute, or relative to `context` when a URL; None: "Dockerfile"
    dockerfile_inline: str | None = None
    args: Mapping[str, str | None] = field(default_factory=dict)
    target: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    no_cache: bool = False
    no_cache_filter: tuple[str, ...] = ()
    pull: bool = False
    network: str | None = None
    platforms: tuple[str, ...] = ()
    privileged: bool = False
    shm_size: int | None = None  # bytes
    ssh: Mapping[str, str | None] = field(default_factory=dict)  # id -> path
    secrets: tuple[FileUse, ...] = ()
    tags: tuple[str, ...] = ()
    additional_contexts: Mapping[str, str] = field(default_factory=dict)
    entitlements: tuple[str, ...] = ()
    extra_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    isolation: str | None = None
    provenance: str | None = None
    sbom: str | None = None
    ulimits: Mapping[str, Ulimit] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One container port and where it is published. A range has become one Port a port."""

    target: int
    published: str | None = None  # "8080", or "8000-9000" for any of these; None: an ephemeral one
    host_ip: str | None = None
    protocol: str = "tcp"  # "tcp", "udp" or "sctp"
    name: str | None = None
    app_protocol: str | None = None
    mode: str = "ingress"  # or "host"
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BindOptions:
    """Options of a mount of type "bind"."""

    propagation: str | None = None
    create_host_path: bool = True
    selinux: str | None = None
    recursive: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeOptions:
    """Options of a mount of type "volume"."""

    nocopy: bool = False
    subpath: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TmpfsOptions:
    """Options of a mount of type "tmpfs"."""

    size: int | None = None  # bytes
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One entry of ``volumes``."""

    type: str  # "bind", "volume", "tmpfs", "image", "cluster" or "npipe"
    target: str
    source: str | None = None  # bind: absolute path; volume: key of Project.volumes; None: anonymous
    read_only: bool = False
    consistency: str | None = None
    bind: BindOptions | None = None
    volume: VolumeOptions | None = None
    tmpfs: TmpfsOptions | None = None
    image_subpath: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subpath(self) -> str | None:
        """The directory inside the volume or image that is mounted; None: its root."""
        return self.volume.subpath if self.volume else self.image_subpath


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAttachment:
    """How a service sits on one network."""

    aliases: tuple[str, ...] = ()
    ipv4_address: str | None = None
    ipv6_address: str | None = None
    link_local_ips: tuple[str, ...] = ()
    mac_address: str | None = None
    interface_name: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    priority: float = 0
    gw_priority: float = 0
    use_service_name_alias: bool = True
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """What must be true of another service before this one starts."""

    condition: str = "service_started"  # or "service_healthy", "service_completed_successfully"
    required: bool = True
    restart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """How to tell that the container works."""

    test: tuple[str, ...] = ()  # ("CMD", …), ("CMD-SHELL", "…") or ("NONE",); () when only timings are given
    interval: float | None = None  # seconds, as all four
    timeout: float | None = None
    start_period: float | None = None
    start_interval: float | None = None
    retries: int | None = None
    disable: bool = False  # true also for test: ["NONE"]
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileUse:
    """A config or secret as one service uses it."""

    source: str  # key of Project.configs or Project.secrets
    target: str | None = None  # None: "/<source>" for configs, "/run/secrets/<source>" for secrets
    uid: str | None = None
    gid: str | None = None
    mode: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """One entry of ``env_file``. Its values are already part of Service.environment."""

    path: str  # absolute
    required: bool = True
    format: str | None = None  # None (dotenv) or "raw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ulimit:
    """Soft and hard limit; -1 is unlimited."""

    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A command run around the container's life: ``post_start``, ``pre_stop``, ``pre_start``."""

    command: tuple[str, ...] = ()
    image: str | None = None
    user: str | None = None
    privileged: bool = False
    working_dir: str | None = None
    environment: Mapping[str, str | None] = field(default_factory=dict)
    per_replica: bool = False
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Logging:
    """Where the container's output goes."""

    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A host device, or a CDI device name as `source`."""

    source: str
    target: str | None = None
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """A reservation of devices such as GPUs."""

    capabilities: tuple[str, ...] = ()
    driver: str | None = None
    count: int | None = None  # -1 is all
    device_ids: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Amounts of a limit or a reservation."""

    cpus: float | None = None
    memory: int | None = None  # bytes
    pids: int | None = None
    devices: tuple[DeviceRequest, ...] = ()
    generic_resources: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateConfig:
    """How replicas are replaced: ``update_config`` and ``rollback_config``."""

    parallelism: int | None = None
    delay: float | None = None  # seconds
    failure_action: str | None = None  # "continue", "rollback" or "pause"
    monitor: float | None = None  # seconds
    max_failure_ratio: float | None = None
    order: str | None = None  # "stop-first" or "start-first"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """``deploy.restart_policy``."""

    condition: str | None = None  # "none", "on-failure" or "any"
    delay: float | None = None  # seconds
    max_attempts: int | None = None
    window: float | None = None  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where replicas may run."""

    constraints: tuple[str, ...] = ()  # such as "node.labels.disktype==ssd"
    spread: tuple[str, ...] = ()  # such as "node.labels.zone"
    max_replicas_per_node: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Deploy:
    """How the service is to run on a cluster."""

    mode: str = "replicated"  # or "global", "replicated-job", "global-job"
    replicas: int | None = None
    endpoint_mode: str | None = None  # "vip" or "dnsrr"
    labels: Mapping[str, str] = field(default_factory=dict)
    limits: Resources | None = None
    reservations: Resources | None = None
    update_config: UpdateConfig | None = None
    rollback_config: UpdateConfig | None = None
    restart_policy: RestartPolicy | None = None
    placement: Placement | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
