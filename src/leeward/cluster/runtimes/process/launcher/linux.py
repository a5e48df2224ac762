"""The system calls that Python 3.11 has no name for.

Source: the Linux manual pages of unshare(2), setns(2), mount(2), mount_setattr(2), umount2(2), prctl(2),
netdevice(7), proc_pid_mountinfo(5).
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import signal
import socket
import struct
from dataclasses import dataclass

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_UNBINDABLE = 1 << 17
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

# What a bind mount may be restricted by, as mountinfo spells it. A user namespace must keep all of them.
_MOUNT_OPTIONS = {
    "ro": MS_RDONLY,
    "nosuid": MS_NOSUID,
    "nodev": MS_NODEV,
    "noexec": MS_NOEXEC,
    "nosymfollow": 256,
    "noatime": 1024,
    "nodiratime": 2048,
    "relatime": 1 << 21,
}
_SYS_MOUNT_SETATTR = 442  # on every architecture but Alpha
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_MOUNT_ATTR_RDONLY = 1
_OUT_OF_SIGHT = frozenset((errno.ENOENT, errno.ENOTDIR, errno.EINVAL, errno.EACCES))

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int) -> None:
    """Leave the namespaces of `flags` for new ones."""
    _check(_libc.unshare(flags), "unshare")


def setns(descriptor: int, flags: int) -> None:
    """Enter the namespace behind `descriptor`."""
    _check(_libc.setns(descriptor, flags), "setns")


def enter(pid: int, names: dict[str, int]) -> None:
    """Enter namespaces of process `pid`: {"net": CLONE_NEWNET, …}."""
    opened = [(os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY), flag) for name, flag in names.items()]
    for descriptor, flag in opened:
        setns(descriptor, flag)
        os.close(descriptor)


def attach(source: str, target: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Put a file system or directory in place; arguments as mount(2) takes them."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        os.fsencode(options) or None,
    )
    _check(result, f"mount {source} on {target}")


def detach(target: str) -> None:
    """Detach what is mounted on `target`."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


@dataclass(frozen=True)
class MountPoint:
    """A line of mountinfo: what is mounted where in this mount namespace."""

    target: str
    kind: str
    flags: int  # MS_…: how far this mount is restricted


def mount_points() -> list[MountPoint]:
    """Return what is mounted, in the order of mounting."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split()
            target = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), fields[4])
            flags = sum(_MOUNT_OPTIONS.get(option, 0) for option in fields[5].split(","))
            found.append(MountPoint(target, fields[fields.index("-") + 1], flags))
    return found


def make_read_only(target: str) -> None:
    """Make the mount at `target` and everything mounted below it read-only, keeping other restrictions."""
    try:
        _set_attributes(target, _AT_RECURSIVE, (_MOUNT_ATTR_RDONLY, 0))
    except OSError:  # Linux before 5.12 has no such call, and some sandboxes forbid it
        for each in dict.fromkeys(mount_points()):
            if each.target == target:
                _remount(target, each.flags | MS_RDONLY)
            elif each.target.startswith(target.rstrip("/") + "/"):
                _remount_below(each.target, each.flags | MS_RDONLY)


def make_writable(target: str) -> None:
    """Make the mount at `target`, and nothing below it, writable again."""
    try:
        _set_attributes(target, 0, (0, _MOUNT_ATTR_RDONLY))
    except OSError:
        for each in mount_points():
            if each.target == target:
                _remount(target, each.flags & ~MS_RDONLY)


def _set_attributes(target: str, flags: int, attributes: tuple[int, int]) -> None:
    """Call mount_setattr(2) with the attributes to set and those to clear."""
    request = struct.pack("QQQQ", *attributes, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_SYS_MOUNT_SETATTR),
        ctypes.c_long(_AT_FDCWD),
        os.fsencode(target),
        ctypes.c_long(flags),
        request,
        ctypes.c_long(len(request)),
    )
    _check(result, f"mount_setattr {target}")


def _remount(target: str, flags: int) -> None:
    attach("none", target, flags=MS_REMOUNT | MS_BIND | flags)


def _remount_below(target: str, flags: int) -> None:
    """Remount what is below a mount; what another mount hides cannot be, nor need it."""
    try:
        _remount(target, flags)
    except OSError as error:
        if error.errno not in _OUT_OF_SIGHT:
            raise


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    if hasattr(_libc, "prctl"):
        _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Have the kernel give this process the children that its children leave behind."""
    if hasattr(_libc, "prctl"):
        _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def set_hostname(name: str) -> None:
    """Set the host name of this UTS namespace."""
    socket.sethostname(name)


def loopback_up() -> None:
    """Bring up ``lo`` in this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))
