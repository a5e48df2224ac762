"""Paths and copies that stay below a directory, whatever links there are in it.

Invariant: nothing outside the directory is written, and no link of it is followed on the machine.
"""

from __future__ import annotations

import errno
import os
import shutil

_MAX_LINKS = 40


def inside(top: str, path: str, *, last: bool = True) -> str:
    """Return where `path` is below `top`, following links as if `top` were the root directory.

    Args:
        top: a directory.
        path: a path in it, absolute or not; ".." ends at `top`.
        last: whether a link at the end of the path is followed too.

    Raises:
        OSError: the links go round in a circle.
    """
    pending = _parts(path)
    done: list[str] = []
    links = 0
    while pending:
        part = pending.pop()
        step = "/".join((top, *done, part))
        if part == "..":
            done = done[:-1]
        elif (pending or last) and os.path.islink(step):
            links += 1
            if links > _MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            link = os.readlink(step)
            done = [] if link.startswith("/") else done
            pending += _parts(link)
        else:
            done.append(part)
    return "/".join((top, *done))


def _parts(path: str) -> list[str]:
    return [part for part in reversed(path.split("/")) if part not in ("", ".")]


def lay(layer: str, top: str, *, merged: bool) -> None:
    """Copy what is in `layer` over what is in `top`; what is in the way of a file or link is replaced.

    Args:
        layer: a directory, as an image has it.
        top: where to.
        merged: whether `top` will be seen together with the machine's root; then what the image has below
            one of the machine's links to directories, such as /bin, goes to where that link leads.
    """
    _lay(layer, top, "/", merged)


def _lay(source: str, top: str, path: str, merged: bool) -> None:
    if merged and os.path.islink(path) and os.path.isdir(path):
        path = os.path.realpath(path)
        target = inside(top, path)
    else:
        target = inside(top, path, last=False)
    if not os.path.isdir(target) or os.path.islink(target):
        remove(target)
        os.makedirs(target)
        shutil.copystat(source, target)
    for entry in sorted(os.scandir(source), key=lambda each: each.name):
        if entry.is_dir(follow_symlinks=False):
            _lay(entry.path, top, os.path.join(path, entry.name), merged)
        else:
            ours = os.path.join(target, entry.name)
            remove(ours)
            shutil.copy2(entry.path, ours, follow_symlinks=False)


def remove(path: str) -> None:
    """Remove a file, link or directory, if there is one."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    elif os.path.lexists(path):
        os.unlink(path)
