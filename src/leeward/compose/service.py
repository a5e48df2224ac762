"""One service of a project, with every key of the Compose Specification.

Source: the Compose Specification, section "services".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leeward.compose.parts import (
    Build,
    Dependency,
    Deploy,
    Device,
    DeviceRequest,
    EnvFile,
    FileUse,
    Healthcheck,
    Hook,
    Logging,
    Mount,
    NetworkAttachment,
    Port,
    Ulimit,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as the files describe it after merging, interpolation and expansion."""

    name: str
    image: str | None = None
    build: Build | None = None
    platform: str | None = None
    pull_policy: str | None = None
    pull_refresh_after: str | None = None

    # what runs
    command: tuple[str, ...] | None = None  # None: the image's; () clears it
    entrypoint: tuple[str, ...] | None = None  # None: the image's; () clears it
    environment: Mapping[str, str | None] = field(default_factory=dict)  # with env_file; None: unset
    env_file: tuple[EnvFile, ...] = ()
    working_dir: str | None = None
    user: str | None = None
    group_add: tuple[str, ...] = ()
    init: bool | None = None
    tty: bool = False
    stdin_open: bool = False
    healthcheck: Healthcheck | None = None
    post_start: tuple[Hook, ...] = ()
    pre_stop: tuple[Hook, ...] = ()
    pre_start: tuple[Hook, ...] = ()
    stop_grace_period: float | None = None  # seconds
    stop_signal: str | None = None
    restart: str | None = None  # "no", "always", "on-failure", "on-failure:N" or "unless-stopped"

    # with whom
    depends_on: Mapping[str, Dependency] = field(default_factory=dict)
    links: tuple[str, ...] = ()  # "service" or "service:alias"
    external_links: tuple[str, ...] = ()
    networks: Mapping[str, NetworkAttachment] = field(default_factory=dict)  # "default" when none is named
    network_mode: str | None = None  # then `networks` is empty
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()  # "3000", "3000/udp" or "3000-3005"
    hostname: str | None = None
    domainname: str | None = None
    container_name: str | None = None
    extra_hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # host -> addresses
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_opt: tuple[str, ...] = ()
    mac_address: str | None = None

    # with what
    volumes: tuple[Mount, ...] = ()
    volumes_from: tuple[str, ...] = ()
    tmpfs: tuple[str, ...] = ()  # "/run" or "/run:size=64m"
    configs: tuple[FileUse, ...] = ()
    secrets: tuple[FileUse, ...] = ()
    devices: tuple[Device, ...] = ()
    gpus: tuple[DeviceRequest, ...] = ()
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    storage_opt: Mapping[str, str] = field(default_factory=dict)
    shm_size: int | None = None  # bytes
    models: Mapping[str, Any] = field(default_factory=dict)
    provider: Mapping[str, Any] | None = None
    use_api_socket: bool = False

    # how many, where, how much
    deploy: Deploy | None = None
    scale: int | None = None
    profiles: tuple[str, ...] = ()
    cpus: float | None = None
    cpu_count: int | None = None
    cpu_percent: float | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None  # microseconds, as quota and the two real-time ones
    cpu_quota: int | None = None
    cpu_rt_period: int | None = None
    cpu_rt_runtime: int | None = None
    cpuset: str | None = None
    mem_limit: int | None = None  # bytes
    mem_reservation: int | None = None  # bytes
    mem_swappiness: int | None = None
    memswap_limit: int | None = None  # bytes; -1 is unlimited
    pids_limit: int | None = None
    oom_kill_disable: bool = False
    oom_score_adj: int | None = None
    blkio_config: Mapping[str, Any] | None = None
    ulimits: Mapping[str, Ulimit] = field(default_factory=dict)

    # what it may do
    umask: int | None = None
    privileged: bool = False
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    device_cgroup_rules: tuple[str, ...] = ()
    userns_mode: str | None = None
    ipc: str | None = None
    pid: str | None = None
    uts: str | None = None
    cgroup: str | None = None
    cgroup_parent: str | None = None
    isolation: str | None = None
    runtime: str | None = None
    credential_spec: Mapping[str, Any] | None = None

    # about it
    labels: Mapping[str, str] = field(default_factory=dict)  # with label_file
    label_file: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    logging: Logging | None = None
    attach: bool | None = None
    develop: Mapping[str, Any] | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)  # keys with their "x-" prefix

    @property
    def replicas(self) -> int:
        """How many containers: ``scale``, else ``deploy.replicas``, else 1."""
        if self.scale is not None:
            return self.scale
        if self.deploy is not None and self.deploy.replicas is not None:
            return self.deploy.replicas
        return 1
