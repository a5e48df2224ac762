"""The system calls that Python 3.11 has no name for.

Source: the Linux manual pages of unshare(2), setns(2), mount(2), umount2(2), prctl(2), netdevice(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_REMOUNT = 32
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

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
        source.encode(),
        target.encode(),
        kind.encode() or None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _check(result, f"mount {source} on {target}")


def detach(target: str) -> None:
    """Detach what is mounted on `target`."""
    _check(_libc.umount2(target.encode(), MNT_DETACH), f"umount {target}")


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
