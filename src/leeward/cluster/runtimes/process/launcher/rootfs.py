"""Builds what a container sees as its file system; runs in the container's own mount namespace.

With root it is an overlay of the container's writable layer over the machine's own root, because the
machine's programs are what a process container runs; without, bind mounts put the same together. The
image's files are copied into the writable layer: the kernel refuses lower layers that lie inside one
another, and they all lie inside "/". /proc, /dev and /sys are there, /tmp and /run are the container's.

Invariant: nothing here changes a file of the machine; what a container may write is below its directory.
"""

from __future__ import annotations

import os
import shutil
from typing import Any

from leeward.cluster.runtimes.process.launcher import linux

_REAL = frozenset(("ext4", "ext3", "ext2", "xfs", "btrfs", "zfs", "overlay", "nfs", "nfs4", "9p", "virtiofs"))
_OWN = ("/proc", "/sys", "/dev", "/run", "/tmp")


def build(spec: dict[str, Any]) -> None:
    """Make the root of `spec` and change into it.

    Args:
        spec: ``directory`` (of this container), ``layers`` (directories, topmost first), ``mounts``
            ([[host path, container path, read only], …]), ``readOnlyRoot``, ``privileged`` (root).
    """
    base = spec["directory"]
    root = os.path.join(base, "root")
    linux.attach("none", "/", flags=linux.MS_REC | linux.MS_PRIVATE)
    if spec["privileged"]:
        _lay_over(base, root, spec["layers"])
    else:
        _assemble(root, spec["layers"], [inside for _, inside, _ in spec["mounts"]])
    _mount_system(root)
    if spec["privileged"]:
        _mount_other_disks(root)
    for host, inside, read_only in spec["mounts"]:
        _bind(host, _inside(root, inside), read_only)
    if spec["readOnlyRoot"]:
        linux.attach("none", root, flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)
    os.chroot(root)
    os.chdir("/")


def _lay_over(base: str, root: str, layers: list[str]) -> None:
    """With root: an overlay of the writable layer over the machine's root."""
    upper, work = (os.path.join(base, name) for name in ("upper", "work"))
    for path in (root, upper, work):
        os.makedirs(path, exist_ok=True)
    for layer in reversed(layers):
        shutil.copytree(layer, upper, symlinks=True, dirs_exist_ok=True)
    linux.attach(
        "overlay", root, "overlay", 0, f"lowerdir=/,upperdir={_escape(upper)},workdir={_escape(work)}"
    )


def _assemble(root: str, layers: list[str], targets: list[str]) -> None:
    """Without root: a directory with the image's files, and the machine's own bound around them.

    The kernel lets no user overlay the root directory, as it would uncover what is mounted below it.
    """
    for name in (*_OWN, *(os.path.dirname(target) for target in targets)):
        os.makedirs(root + name, exist_ok=True)
    for layer in reversed(layers):
        shutil.copytree(layer, root, symlinks=True, dirs_exist_ok=True)
    _bind_missing("/", root, _OWN)


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
                _bind(theirs, ours, read_only=False)
            elif os.path.isdir(theirs) and os.path.isdir(ours):
                _bind_missing(theirs, ours)
        except OSError:
            continue  # this user may not see it, nor need it


def _mount_system(root: str) -> None:
    """Give the container its /proc, /dev, /sys, /tmp and /run."""
    linux.attach("proc", f"{root}/proc", "proc")
    linux.attach("/dev", f"{root}/dev", flags=linux.MS_BIND | linux.MS_REC)
    linux.attach("/sys", f"{root}/sys", flags=linux.MS_BIND | linux.MS_REC)
    linux.attach("tmpfs", f"{root}/tmp", "tmpfs", 0, "mode=1777")
    linux.attach("tmpfs", f"{root}/run", "tmpfs", 0, "mode=755")


def _mount_other_disks(root: str) -> None:
    """Show other file systems of the machine (/usr, /home, /opt, …): an overlay does not cross them."""
    with open("/proc/self/mountinfo") as table:
        lines = [line.split() for line in table]
    for fields in lines:
        kind, target = fields[fields.index("-") + 1], fields[4].encode().decode("unicode_escape")
        ours = target == root or target.startswith(root + "/")
        if kind not in _REAL or target == "/" or ours or target.startswith(_OWN):
            continue
        if os.path.isdir(target) and os.path.isdir(root + target):
            linux.attach(target, root + target, flags=linux.MS_BIND)


def _bind(host: str, target: str, read_only: bool) -> None:
    """Bind a file or directory, making the mount point."""
    if os.path.isdir(host):
        os.makedirs(target, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if os.path.islink(target):
            os.unlink(target)
        if not os.path.exists(target):
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o644))
    linux.attach(host, target, flags=linux.MS_BIND | linux.MS_REC)
    if read_only:
        linux.attach("none", target, flags=linux.MS_REMOUNT | linux.MS_BIND | linux.MS_RDONLY)


def _inside(root: str, path: str) -> str:
    """Return the path below `root`, following the links of directories inside it.

    A link such as /var/run → /run must lead to the container's /run, not to the machine's.
    """
    done = root
    for part in os.path.normpath(path).strip("/").split("/")[:-1]:
        step = os.path.join(done, part)
        for _ in range(8):
            if not os.path.islink(step):
                break
            link = os.readlink(step)
            step = root + link if link.startswith("/") else os.path.join(os.path.dirname(step), link)
        done = step
    return os.path.join(done, os.path.basename(os.path.normpath(path)))


def _escape(path: str) -> str:
    """Escape what separates overlay options."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
