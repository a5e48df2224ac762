"""Builds what a container sees as its file system; runs in the container's own mount namespace.

With root it is an overlay of the container's writable layer over the machine's own root, because the
machine's programs are what a process container runs, and another one over each other disk of the machine;
without, bind mounts put the same together. The image's files are copied into the writable layer: the kernel
refuses lower layers that lie inside one another, and they all lie inside "/". /proc, /sys and /dev are
there, the last, /tmp and /run are the container's own.

Invariant: nothing here lets a container change a file of the machine: what it may write is below its
directory, in memory, or a volume; everything else is mounted read-only.

Source: the default mounts and devices of the OCI runtime specification (config-linux.md) and of Docker.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from leeward.cluster.runtimes.process.launcher import linux, tree

_REAL = frozenset(("ext4", "ext3", "ext2", "xfs", "btrfs", "zfs", "overlay", "nfs", "nfs4", "9p", "virtiofs"))
_OWN = ("/proc", "/sys", "/dev", "/run", "/tmp")
# Where programs expect to be able to write; without root these are directories of the container.
_WRITABLE = ("/root", "/var/cache", "/var/lib", "/var/log", "/var/tmp")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_KERNEL = ("bus", "fs", "irq", "sys", "sysrq-trigger")  # of /proc: they change the machine


def build(spec: dict[str, Any]) -> None:
    """Make the root of `spec` and change into it.

    Args:
        spec: ``directory`` (of this container), ``layers`` (directories, topmost first), ``mounts``
            ([[host path, container path, read only], …]), ``readOnlyRoot``, ``privileged`` (root),
            ``cwd`` and ``env`` of its program.
    """
    base = spec["directory"]
    root = os.path.join(base, "root")
    linux.attach("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    if spec["privileged"]:
        _lay_over(base, root, spec["layers"])
        _make_places(root, spec)
        if spec["readOnlyRoot"]:
            linux.make_read_only(root)
    else:
        _assemble(root, spec)
    _mount_system(root)
    for host, path, read_only in spec["mounts"]:
        target = _make_point(root, path, os.path.isdir(host))
        linux.attach(host, target, flags=linux.MS_BIND | linux.MS_REC)
        if read_only:
            linux.make_read_only(target)
    _make_point(root, spec["cwd"])  # it may be in /tmp or in a volume
    os.chroot(root)
    os.chdir("/")


# With root ------------------------------------------------------------------------------------------


def _lay_over(base: str, root: str, layers: list[str]) -> None:
    """Lay the container's writable layer over the machine's root and over each other disk."""
    upper = os.path.join(base, "upper")
    for path in (root, upper):
        os.makedirs(path, exist_ok=True)
    for layer in reversed(layers):
        tree.lay(layer, upper, merged=True)
    disks = _other_disks()
    uppers = {}
    for number, target in sorted(enumerate(disks), key=lambda each: len(each[1]), reverse=True):
        uppers[target] = _split_off(upper, target, os.path.join(base, f"upper-{number}"))
    _overlay("/", upper, root)
    for target in disks:
        if tree.inside(root, target) == root + target and os.path.isdir(root + target):
            _overlay_disk(target, uppers[target], root + target)


def _other_disks() -> list[str]:
    """Return where other file systems of the machine are (/usr, /home, …): an overlay does not cross them."""
    targets = [each.target for each in linux.mount_points() if each.kind in _REAL]
    return [
        target
        for target in dict.fromkeys(targets)
        if target != "/" and os.path.isdir(target) and not _is_below(target, _OWN)
    ]


def _is_below(path: str, directories: tuple[str, ...]) -> bool:
    return any(path == each or path.startswith(each + "/") for each in directories)


def _split_off(upper: str, target: str, own: str) -> str:
    """Move what the image has on the disk at `target` to `own`, the writable layer of that disk."""
    if tree.inside(upper, target) == upper + target and os.path.isdir(upper + target):
        os.rename(upper + target, own)
        return own
    os.makedirs(own)
    state = os.stat(target)
    os.chown(own, state.st_uid, state.st_gid)
    os.chmod(own, state.st_mode & 0o7777)
    return own


def _overlay_disk(disk: str, upper: str, target: str) -> None:
    """Show a disk; one that the kernel cannot lay a layer over only as far as it stays unchanged."""
    try:
        _overlay(disk, upper, target)
    except OSError:
        if os.listdir(upper):
            linux.attach(upper, target, flags=linux.MS_BIND)
        else:
            linux.attach(disk, target, flags=linux.MS_BIND)
            linux.make_read_only(target)


def _overlay(lower: str, upper: str, target: str) -> None:
    work = f"{upper}-work"
    os.makedirs(work, exist_ok=True)
    names = {"lowerdir": lower, "upperdir": upper, "workdir": work}
    options = ",".join(f"{name}={_escape(path)}" for name, path in names.items())
    linux.attach("overlay", target, "overlay", 0, options)


def _escape(path: str) -> str:
    """Escape what separates overlay options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")


# Without root ---------------------------------------------------------------------------------------


def _assemble(root: str, spec: dict[str, Any]) -> None:
    """Put the image's files into a directory, and bind the machine's own around them, read-only.

    The kernel lets no user overlay the root directory, as it would uncover what is mounted below it.
    """
    os.makedirs(root, exist_ok=True)
    for directory in ("/", "/var"):
        _copy_links(directory, root)
    for layer in reversed(spec["layers"]):
        tree.lay(layer, root, merged=True)
    for path in (*_OWN, *_WRITABLE, spec["env"].get("HOME", "/")):
        _make_point(root, path)
    _make_places(root, spec)
    linux.attach(root, root, flags=linux.MS_BIND)
    linux.attach("none", root, flags=linux.MS_UNBINDABLE)  # its mounts are not bound a second time below it
    _bind_missing("/", root, _OWN)
    linux.attach("none", root, flags=linux.MS_PRIVATE)
    linux.make_read_only(root)
    if not spec["readOnlyRoot"]:
        linux.make_writable(root)


def _copy_links(directory: str, root: str) -> None:
    """Take over the machine's links in a directory, such as /bin and /var/run."""
    target = tree.inside(root, directory)
    os.makedirs(target, exist_ok=True)
    for entry in os.scandir(directory):
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), os.path.join(target, entry.name))


def _bind_missing(host: str, root: str, skipped: tuple[str, ...] = ()) -> None:
    """Bind what `host` has and `root` has not, one level at a time where both have a directory."""
    for name in sorted(os.listdir(host)):
        theirs, ours = os.path.join(host, name), os.path.join(root, name)
        try:
            if theirs in skipped:
                continue
            if os.path.islink(theirs):
                if not os.path.lexists(ours):
                    os.symlink(os.readlink(theirs), ours)
            elif not os.path.lexists(ours):
                _make_point(root, name, os.path.isdir(theirs))
                linux.attach(theirs, ours, flags=linux.MS_BIND | linux.MS_REC)
            elif os.path.isdir(theirs) and os.path.isdir(ours) and not os.path.islink(ours):
                _bind_missing(theirs, ours)
        except OSError:
            continue  # this user may not see it, nor need it


# Both -----------------------------------------------------------------------------------------------


def _make_places(root: str, spec: dict[str, Any]) -> None:
    """Make the working directory and the mount points, while the root can be written."""
    _make_point(root, spec["cwd"])
    for host, path, _ in spec["mounts"]:
        _make_point(root, path, os.path.isdir(host))


def _make_point(root: str, path: str, is_directory: bool = True) -> str:
    """Make what something can be mounted on; returns where that is below `root`.

    A link such as /var/run → /run leads to the container's /run, not to the machine's.
    """
    target = tree.inside(root, os.path.normpath(path), last=is_directory)
    if is_directory:
        with contextlib.suppress(FileExistsError, NotADirectoryError):  # mounting or starting will tell
            os.makedirs(target, exist_ok=True)
        return target
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(target):
        os.unlink(target)
    if not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    return target


def _mount_system(root: str) -> None:
    """Give the container its /proc, /sys, /dev, /tmp and /run."""
    linux.attach("proc", f"{root}/proc", "proc")
    for name in _KERNEL:
        path = f"{root}/proc/{name}"
        if os.path.exists(path):
            linux.attach(path, path, flags=linux.MS_BIND)
            linux.make_read_only(path)
    linux.attach("/sys", f"{root}/sys", flags=linux.MS_BIND | linux.MS_REC)
    linux.make_read_only(f"{root}/sys")
    _mount_devices(f"{root}/dev")
    linux.attach("tmpfs", f"{root}/tmp", "tmpfs", 0, "mode=1777")
    linux.attach("tmpfs", f"{root}/run", "tmpfs", 0, "mode=755")


def _mount_devices(directory: str) -> None:
    """Make a /dev with what every container has: no disks, and nobody else's shared memory."""
    linux.attach("tmpfs", directory, "tmpfs", linux.MS_NOSUID, "mode=755")
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            point = _make_point(directory, name, is_directory=False)
            linux.attach(f"/dev/{name}", point, flags=linux.MS_BIND)
            linux.make_read_only(point)  # the node, which all share; the device can be written
    for name in ("pts", "shm"):
        os.mkdir(f"{directory}/{name}")
    linux.attach("tmpfs", f"{directory}/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    flags = linux.MS_NOSUID | linux.MS_NOEXEC
    with contextlib.suppress(OSError):  # few programs need a terminal
        linux.attach("devpts", f"{directory}/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")
    links = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}
    for name, rest in links.items():
        os.symlink(f"/proc/self/fd{rest}", f"{directory}/{name}")
    os.symlink("pts/ptmx", f"{directory}/ptmx")
