"""Gives volumes to the group of a Pod (``fsGroup``), so that a user other than root can use them.

A volume whose root is the group's already is left alone, whatever ``fsGroupChangePolicy`` says: nothing but
Pods of the same group has written to it. Where this process may not change owners, its Pods run as its own
user, who owns everything.

Source: pkg/volume/volume_linux.go, SetVolumeOwnership.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_READ_WRITE, _READ_ONLY, _DIRECTORY = 0o660, 0o440, stat.S_ISGID | 0o110


def give_to_group(root: Path, group: int, *, read_only: bool = False) -> None:
    """Make everything in `root` the group's, readable and, unless `read_only`, writable for it."""
    try:
        found = root.stat()
        wanted = _mode(found, read_only=read_only)
        if found.st_gid == group and stat.S_IMODE(found.st_mode) == wanted:
            return
        for path in _below(root):  # the root last: it tells whether all is done
            _give(path, group, read_only=read_only)
    except PermissionError:
        return


def _below(root: Path) -> Iterator[Path]:
    for place, _, names in os.walk(root, topdown=False):
        yield from (Path(place, name) for name in names)
        yield Path(place)


def _mode(found: os.stat_result, *, read_only: bool) -> int:
    mask = _READ_ONLY if read_only else _READ_WRITE
    if stat.S_ISDIR(found.st_mode):
        mask |= _DIRECTORY
    return stat.S_IMODE(found.st_mode) | mask


def _give(path: Path, group: int, *, read_only: bool) -> None:
    if path.is_symlink():
        os.chown(path, -1, group, follow_symlinks=False)
        return
    os.chown(path, -1, group)
    path.chmod(_mode(path.stat(), read_only=read_only))
