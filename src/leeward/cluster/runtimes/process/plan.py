"""What exactly is launched for a container: argv, environment, mounts. Pure, but for a Pod's small files.

Source: Kubernetes' command and args over an image's ENTRYPOINT and CMD; Docker's default environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leeward.cluster.interface.runtime import (
    ContainerConfig,
    Image,
    Mount,
    RuntimeFailureError,
    SandboxConfig,
)
from leeward.cluster.runtimes.process.images import PATH
from leeward.cluster.runtimes.process.isolation import Mode
from leeward.cluster.runtimes.process.launcher import tree


def launch_spec(
    config: ContainerConfig,
    sandbox: SandboxConfig,
    image: Image,
    *,
    mode: Mode,
    directory: Path,
    sandbox_directory: Path,
    sandbox_pid: int,
    layers: Sequence[Path],
) -> dict[str, Any]:
    """Return what the launcher needs to start a container.

    Raises:
        RuntimeFailureError: there is nothing to run, or it cannot be done here.
    """
    argv = full_command(config, image)
    if not argv:
        raise RuntimeFailureError(
            f"container {config.name}: no command: the image has neither ENTRYPOINT nor CMD",
            reason="CreateContainerError",
        )
    terminal = {"TERM": "xterm"} if config.tty else {}
    own = {"PATH": PATH, "HOME": "/root", **terminal}
    env = {**own, **image.env, "HOSTNAME": sandbox.hostname, **config.env}
    mounts = [*config.mounts, *_network_files(config, sandbox_directory)]
    spec: dict[str, Any] = {
        "mode": mode,
        "argv": argv,
        "env": env,
        "cwd": config.working_dir or image.working_dir or "/",
        "directory": str(directory),
        "layers": [str(layer) for layer in reversed(layers)],
        "mounts": [
            [str(mount.host_path), mount.container_path, mount.read_only]
            for mount in sorted(mounts, key=lambda each: each.container_path)
        ],
        "readOnlyRoot": config.read_only_root,
        "privileged": mode == "root",
        "sandboxPid": 0 if sandbox.host_network else sandbox_pid,
        "sharesWith": config.shares_with,
        "uid": config.user or 0,
        "gid": config.group or 0,
        "groups": list(config.supplemental_groups),
        "log": str(config.log_path),
        "stdin": config.stdin,
        "tty": config.tty,
    }
    if mode == "plain":
        _lay_out(spec, config, directory, layers)
    return spec


def full_command(config: ContainerConfig, image: Image) -> list[str]:
    """Return the argument vector: command replaces ENTRYPOINT and CMD, args replace CMD."""
    if config.command:
        return [*config.command, *(config.args or ())]
    return [*image.entrypoint, *(image.cmd if config.args is None else config.args)]


def sandbox_files(directory: Path, config: SandboxConfig, ip: str) -> None:
    """Write a Pod's hosts, hostname and resolv.conf."""
    hosts = ["# made by leeward", "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    hosts.append(f"{ip}\t{config.hostname}")
    hosts += [f"{address}\t{' '.join(names)}" for address, names in config.hosts]
    (directory / "hosts").write_text("\n".join(hosts) + "\n")
    (directory / "hostname").write_text(config.hostname + "\n")
    resolv = [f"search {' '.join(config.searches)}"] if config.searches else []
    resolv += [f"nameserver {server}" for server in config.nameservers]
    resolv += [f"options {' '.join(config.dns_options)}"] if config.dns_options else []
    (directory / "resolv.conf").write_text("\n".join(resolv) + "\n")


def _network_files(config: ContainerConfig, directory: Path) -> list[Mount]:
    """Return the mounts of the Pod's own /etc files, unless the container mounts something there."""
    taken = {mount.container_path for mount in config.mounts}
    files = {"/etc/hosts": "hosts", "/etc/hostname": "hostname", "/etc/resolv.conf": "resolv.conf"}
    return [
        Mount(host_path=directory / name, container_path=path)
        for path, name in files.items()
        if path not in taken
    ]


def _lay_out(spec: dict[str, Any], config: ContainerConfig, directory: Path, layers: Sequence[Path]) -> None:
    """Without namespaces: copy the image, and link volumes into the working directory."""
    root = directory / "root"
    root.mkdir()
    for layer in layers:
        tree.lay(str(layer), str(root), merged=False)
    inside = Path(tree.inside(str(root), spec["cwd"]))
    inside.mkdir(parents=True, exist_ok=True)
    for mount in config.mounts:
        if not mount.container_path.startswith(spec["cwd"].rstrip("/") + "/"):
            raise RuntimeFailureError(
                f"container {config.name}: {mount.container_path} cannot be mounted without namespaces; "
                f"mount it below {spec['cwd']}, or run as root on Linux",
                reason="CreateContainerError",
            )
        link = Path(tree.inside(str(root), mount.container_path, last=False))
        link.parent.mkdir(parents=True, exist_ok=True)
        tree.remove(str(link))
        link.symlink_to(mount.host_path)
    spec["cwd"] = str(inside)
    spec["env"]["PATH"] = f"{root}/usr/local/bin:{spec['env']['PATH']}"
