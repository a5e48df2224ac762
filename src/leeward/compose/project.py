"""The result of loading Compose files: what every later step reads instead of YAML.

Invariants: frozen; variables substituted, files merged, short forms expanded, host paths absolute,
references resolved (a name used by an enabled service exists in the table it names). ``extensions`` keep
plain YAML values under their ``x-`` keys. Mapping order is the order of the files.

Source: the Compose Specification (compose-spec.io).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leeward.base.diagnostics import Location
from leeward.compose.node import Node
from leeward.compose.parts import (
    BindOptions,
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
    Placement,
    Port,
    Resources,
    RestartPolicy,
    TmpfsOptions,
    Ulimit,
    UpdateConfig,
    VolumeOptions,
)
from leeward.compose.service import Service

__all__ = [
    "BindOptions",
    "Build",
    "Config",
    "Dependency",
    "Deploy",
    "Device",
    "DeviceRequest",
    "EnvFile",
    "FileUse",
    "Healthcheck",
    "Hook",
    "Ipam",
    "IpamPool",
    "Locations",
    "Logging",
    "Mount",
    "Network",
    "NetworkAttachment",
    "Placement",
    "Port",
    "Project",
    "Resources",
    "RestartPolicy",
    "Secret",
    "Service",
    "TmpfsOptions",
    "Ulimit",
    "UpdateConfig",
    "ValuePath",
    "Volume",
    "VolumeOptions",
]

ValuePath = tuple[str | int, ...]  # where a value is: ("services", "web", "ports", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class IpamPool:
    """One address pool of a network."""

    subnet: str | None = None
    ip_range: str | None = None
    gateway: str | None = None
    aux_addresses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ipam:
    """Address management of a network."""

    driver: str | None = None
    config: tuple[IpamPool, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A network. `key` is what services write, `name` what the platform would call it."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: Ipam | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume. `key` is what services write, `name` what the platform would call it."""

    key: str
    name: str
    external: bool = False
    driver: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileSource:
    """Where the bytes of a config or secret come from; exactly one source unless external."""

    key: str
    name: str
    external: bool = False
    file: str | None = None  # absolute path
    environment: str | None = None  # name of the variable it is read from
    content: str | None = None  # inline, or the value of `environment` where that is set
    driver: str | None = None
    driver_opts: Mapping[str, str] = field(default_factory=dict)
    template_driver: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(_FileSource):
    """A file of configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret(_FileSource):
    """A file whose content must not be shown."""


class Locations:
    """Which line of which file each value comes from.

    Args:
        tree: what the project was made of; it is walked when a place is asked for, so that a project of
            which nothing is reported costs no table.
    """

    __slots__ = ("_tree",)

    def __init__(self, tree: Node | None = None) -> None:
        self._tree = tree

    @property
    def tree(self) -> Node | None:
        """Everything that the files say, in long form."""
        return self._tree

    def find(self, *path: str | int) -> Location | None:
        """Return the place of the value at `path`, else of its nearest ancestor, else None."""
        node = self._tree
        if node is None:
            return None
        for step in path:
            below = _below(node, step)
            if below is None:
                break
            node = below
        return node.location


def _below(node: Node, step: str | int) -> Node | None:
    if isinstance(step, str):
        return node.get(step)
    elements = node.elements()
    return elements[step] if step < len(elements) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """Everything the Compose files say."""

    name: str
    working_dir: Path  # absolute; relative paths in the files were resolved against it
    invoked_in: Path = Path()  # absolute; what Location.file is relative to
    files: tuple[str, ...] = ()  # as Location.file shows them, in order of merging
    services: Mapping[str, Service] = field(default_factory=dict)  # enabled ones only
    networks: Mapping[str, Network] = field(default_factory=dict)
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    configs: Mapping[str, Config] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    models: Mapping[str, Any] = field(default_factory=dict)
    jobs: Mapping[str, Any] = field(default_factory=dict)  # as written; experimental in Docker
    extensions: Mapping[str, Any] = field(default_factory=dict)  # top-level x-*
    disabled: tuple[str, ...] = ()  # services left out because no profile of theirs is active
    locations: Locations = field(default_factory=Locations)
