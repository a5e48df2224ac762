"""The state directory of one embedded cluster: what is where, which version it has, who is using it.

A directory is used by one process at a time: the daemon holds an exclusive lock on ``lock`` for as
long as it lives, so the lock, not a recorded pid, tells whether the cluster runs.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import IO, Any

from leeward.base.errors import OperationError, UserInputError
from leeward.cluster.config import STATE_VERSION, ClusterConfig, NodeGroup
from leeward.cluster.interface.network import AddressPlan

_READABLE = (1, STATE_VERSION)


@dataclass(frozen=True, slots=True)
class StateDir:
    """Paths below one state directory."""

    root: Path

    @property
    def config_file(self) -> Path:
        """The cluster's configuration, JSON."""
        return self.root / "cluster.json"

    @property
    def database(self) -> Path:
        """The store."""
        return self.root / "store.db"

    @property
    def kubeconfig(self) -> Path:
        """Credentials of the administrator."""
        return self.root / "kubeconfig"

    @property
    def pki(self) -> Path:
        """CA, certificates, keys, token."""
        return self.root / "pki"

    @property
    def images(self) -> Path:
        """Images that were built for the process runtime."""
        return self.root / "images"

    @property
    def volumes(self) -> Path:
        """Persistent volumes, a directory a zone."""
        return self.root / "volumes"

    @property
    def daemon_log(self) -> Path:
        """What the cluster process says."""
        return self.root / "daemon.log"

    @property
    def lock_file(self) -> Path:
        """Locked while the cluster runs; holds the pid."""
        return self.root / "lock"

    @property
    def runtime(self) -> Path:
        """The runtime's own files, gone when the cluster stops."""
        return self.root / "run"

    @property
    def pods(self) -> Path:
        """Volumes that live as long as their Pod."""
        return self.root / "pods"

    @property
    def logs(self) -> Path:
        """What containers said, a directory a Pod."""
        return self.root / "logs"

    def exists(self) -> bool:
        """Tell whether a cluster was ever started here."""
        return self.config_file.exists()

    def is_foreign(self) -> bool:
        """Tell whether the directory is somebody else's: it holds no cluster, but other things."""
        if not self.root.is_dir() or self.exists():
            return False
        own = {path.name for path in self._own()}
        return any(path.name not in own for path in self.root.iterdir())

    def _own(self) -> tuple[Path, ...]:
        """Everything that a cluster keeps here."""
        return (
            *(self.images, self.volumes, self.pki, self.runtime, self.pods, self.logs),
            *(self.root / (self.database.name + end) for end in ("", "-wal", "-shm")),
            *(self.kubeconfig, self.daemon_log, self.lock_file, self.config_file),
        )

    def remove(self) -> list[Path]:
        """Remove the cluster; returns what is not its own and therefore stays."""
        for path in self._own():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        left = sorted(self.root.iterdir()) if self.root.is_dir() else []
        if not left and self.root.is_dir():
            self.root.rmdir()
        return left

    def running_pid(self) -> int | None:
        """Return the pid of the process that runs this cluster, or None."""
        try:
            with self.lock_file.open("r+") as handle:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return int(handle.read().strip() or "0") or None
        except (FileNotFoundError, ValueError):
            pass
        return None

    def acquire(self) -> IO[str]:
        """Lock the directory for this process; keep the returned file open.

        Raises:
            OperationError: another process has it.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        handle = os.fdopen(os.open(self.lock_file, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.close()
            raise OperationError(
                f"a cluster already runs in {self.root}",
                remedy="Stop it with `leeward cluster stop`, or choose another --name or --state.",
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        return handle

    def load(self) -> dict[str, Any]:
        """Return the recorded configuration.

        Raises:
            OperationError: there is none, or it is of another version of leeward.
        """
        try:
            found = json.loads(self.config_file.read_bytes())
        except FileNotFoundError as error:
            raise OperationError(
                f"there is no cluster in {self.root}", remedy="Start one with `leeward cluster start`."
            ) from error
        except ValueError as error:
            raise UserInputError(
                f"{self.config_file}: is no JSON: {error}",
                remedy=f"Restore it, or start afresh: remove {self.root}.",
            ) from error
        if not isinstance(found, dict) or found.get("stateVersion") not in _READABLE:
            version = found.get("stateVersion") if isinstance(found, dict) else None
            raise OperationError(
                f"{self.config_file}: state version {version}, but this leeward uses {STATE_VERSION}",
                remedy="Use the leeward that wrote it, or another --state; nothing was changed.",
            )
        return found

    def save(self, record: Mapping[str, Any]) -> None:
        """Write the configuration, whole or not at all."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)  # it holds Secrets
        data = json.dumps({"stateVersion": STATE_VERSION, **record}, indent=2, sort_keys=True)
        descriptor, name = tempfile.mkstemp(dir=self.root, prefix=".cluster-")
        with os.fdopen(descriptor, "w") as handle:
            handle.write(data + "\n")
        Path(name).replace(self.config_file)


def config_to_record(config: ClusterConfig, plan: AddressPlan) -> dict[str, Any]:
    """Return what of a cluster is kept between its processes."""
    return {
        "name": config.name,
        "apiPort": config.api_port,
        "ingressPort": config.ingress_port,
        "zones": list(config.zones),
        "region": config.region,
        "nodeGroups": [asdict(group) for group in config.node_groups],
        "simulate": config.simulate,
        "seed": config.seed,
        "schedulerConfiguration": dict(config.scheduler),
        "runtime": config.runtime,
        "podNetwork": str(plan.pod_network),
        "serviceNetwork": str(plan.service_network),
        "isolated": plan.isolated,
        "interface": plan.interface,
    }


def groups_from_record(record: Mapping[str, Any]) -> Sequence[NodeGroup]:
    """Return the groups of nodes; those of an older record are as many in each zone."""
    if "nodeGroups" not in record:
        return (NodeGroup(nodes=record["nodesPerZone"] * len(record["zones"])),)
    return tuple(NodeGroup(**group) for group in record["nodeGroups"])


def config_from_record(root: Path, record: Mapping[str, Any]) -> tuple[ClusterConfig, AddressPlan]:
    """Return the configuration that :func:`config_to_record` recorded."""
    config = ClusterConfig(
        name=record["name"],
        state_dir=root,
        api_port=record["apiPort"],
        ingress_port=record["ingressPort"],
        zones=tuple(record["zones"]),
        region=record["region"],
        node_groups=groups_from_record(record),
        runtime=record["runtime"],
        simulate=record.get("simulate", ""),
        seed=record.get("seed", 0),
        scheduler=record.get("schedulerConfiguration", {}),
    )
    pods, services = IPv4Network(record["podNetwork"]), IPv4Network(record["serviceNetwork"])
    plan = AddressPlan(
        pod_network=pods,
        service_network=services,
        gateway=IPv4Address(int(pods.network_address) + 1),
        dns=IPv4Address(int(services.network_address) + 10),
        isolated=record["isolated"],
        interface=record["interface"],
    )
    return config, plan
