"""COPY and ADD of local files: from a directory into a layer.

As in BuildKit, a source that is a link is followed, as if its directory were the root; links inside a
directory that is copied stay links; links on the way to the target are followed as if the layer were the
root.

Invariant: nothing outside the directory is read, nothing outside the layer is written.

Source: moby/buildkit solver/llbsolver/file/backend.go and tonistiigi/fsutil copy/copy.go.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from leeward.cluster.runtimes.process.ignore import Ignore, translate
from leeward.cluster.runtimes.process.launcher import tree

_WILD = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where files are copied from. Paths are relative to the directory, "" is the directory itself."""

    directory: str
    ignore: Ignore

    def find(self, source: str) -> list[str]:
        """Return the paths that a source names, with or without wildcards; none that is left out.

        Raises:
            ValueError: it makes no sense as a pattern.
        """
        found = [""]
        for part in os.path.normpath(source).strip("/").split("/"):
            found = self._step(found, part)
        return [path for path in found if self._has(path)]

    def _step(self, paths: Sequence[str], part: str) -> list[str]:
        """Go down by one name or one pattern."""
        if part in ("", "."):
            return list(paths)
        if not _WILD.search(part):
            return [os.path.join(path, part) for path in paths]
        matches = re.compile(translate(re.sub(r"\*+", "*", part)), re.DOTALL).fullmatch
        found = []
        for path in paths:
            directory = tree.inside(self.directory, path)
            names = sorted(os.listdir(directory)) if os.path.isdir(directory) else []
            found += [os.path.join(path, name) for name in names if matches(name)]
        return found

    def _has(self, path: str) -> bool:
        real = self.resolve(path)
        if not os.path.lexists(self.place(real)):
            return False
        if not any(name and self.ignore.leaves_out(name) for name in (path, real)):
            return True
        return self.is_directory(real) and next(self.walk(real), None) is not None

    def resolve(self, path: str) -> str:
        """Return the path that links lead to."""
        found = os.path.relpath(tree.inside(self.directory, path), self.directory)
        return "" if found == "." else found

    def place(self, path: str) -> str:
        """Return where a path is on this machine."""
        return os.path.join(self.directory, path)

    def is_directory(self, path: str) -> bool:
        """Tell whether a path is a directory, and no link to one."""
        return os.path.isdir(self.place(path)) and not os.path.islink(self.place(path))

    def walk(self, directory: str) -> Iterator[str]:
        """Yield what is below a directory and not left out, parents first."""
        for name in sorted(os.listdir(self.place(directory))):
            path = os.path.join(directory, name)
            left_out = self.ignore.leaves_out(path)
            if not left_out:
                yield path
            if self.is_directory(path) and (not left_out or self.ignore.may_keep_below(path)):
                yield from self.walk(path)


def copy(origin: Origin, path: str, layer: str, place: str, *, into: bool) -> None:
    """Copy a file, or what is in a directory, to `place` in the layer.

    Args:
        origin: where from.
        path: what `Origin.find` returned.
        layer: the directory of the layer.
        place: absolute, in the image.
        into: whether `place` is a directory that a file keeps its name in.

    Raises:
        OSError: it cannot be read, or something is in its way.
    """
    real = origin.resolve(path)
    if not origin.is_directory(real):
        target = tree.inside(layer, place)
        if into or os.path.isdir(target):
            target = os.path.join(target, os.path.basename(path))
        _put(origin.place(real), target)
        return
    os.makedirs(tree.inside(layer, place), exist_ok=True)
    for each in origin.walk(real):
        target = os.path.join(place, os.path.relpath(each, real or "."))
        if origin.is_directory(each):
            os.makedirs(tree.inside(layer, target), exist_ok=True)
        else:
            _put(origin.place(each), tree.inside(layer, target, last=False))


def _put(source: str, target: str) -> None:
    """Copy a file or link in the place of another one; sockets and the like are no part of an image."""
    if not os.path.islink(source) and not os.path.isfile(source):
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.isdir(target) and not os.path.islink(target):
        raise IsADirectoryError(errno.EISDIR, "the image has a directory of that name")
    if os.path.lexists(target):
        os.unlink(target)
    shutil.copy2(source, target, follow_symlinks=False)
