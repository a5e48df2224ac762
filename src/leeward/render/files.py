"""The few questions a rendering asks of the file system, so that the rendering itself stays pure.

Bind mounts, configs and secrets need the bytes of files; a test or a release answers from memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class FileKind(StrEnum):
    """What is at a path."""

    MISSING = "missing"
    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"  # socket, device, unreadable


class Files(Protocol):
    """Reads what Compose files refer to. Paths are absolute."""

    def kind(self, path: str) -> FileKind:
        """Tell what is at `path`, following links."""
        ...

    def real(self, path: str) -> str:
        """Return `path` with every symbolic link on it followed."""
        ...

    def read(self, path: str, limit: int) -> bytes | None:
        """Return the content of a file; None when it has more than `limit` bytes or is unreadable."""
        ...

    def tree(self, path: str, limit: int) -> Mapping[str, bytes] | None:
        """Return relative path → content of every file below `path`, sorted.

        None when together they have more than `limit` bytes, are more than 100, are unreadable, or a
        symbolic link leads out of `path`.
        """
        ...

    def is_executable(self, path: str) -> bool:
        """Tell whether its owner may execute a file: all that Git keeps of a mode."""
        ...


MAX_FILES = 100


class DiskFiles:
    """The real file system."""

    def kind(self, path: str) -> FileKind:
        """Ask the file system."""
        place = Path(path)
        if place.is_dir():
            return FileKind.DIRECTORY
        if place.is_file():
            return FileKind.FILE
        return FileKind.OTHER if place.exists() else FileKind.MISSING

    def real(self, path: str) -> str:
        """Ask the file system."""
        return os.path.realpath(path)

    def read(self, path: str, limit: int) -> bytes | None:
        """Read at most `limit` bytes."""
        try:
            with Path(path).open("rb") as stream:
                content = stream.read(limit + 1)
        except OSError:
            return None
        return content if len(content) <= limit else None

    def tree(self, path: str, limit: int) -> Mapping[str, bytes] | None:
        """Walk, stopping as soon as it is too much."""
        root, found, left = Path(path), dict[str, bytes](), limit
        inside = Path(self.real(path))
        pending = [root]
        while pending:
            try:
                entries = sorted(pending.pop().iterdir())
            except OSError:
                return None
            for entry in entries:
                if entry.is_symlink() and not Path(self.real(str(entry))).is_relative_to(inside):
                    return None
                if entry.is_dir():
                    pending.append(entry)
                    continue
                content = self.read(str(entry), left) if entry.is_file() else None
                if content is None or len(found) >= MAX_FILES:
                    return None
                left -= len(content)
                found[entry.relative_to(root).as_posix()] = content
            if len(pending) > MAX_FILES:
                return None
        return dict(sorted(found.items()))

    def is_executable(self, path: str) -> bool:
        """Ask the file system."""
        try:
            return bool(Path(path).stat().st_mode & stat.S_IXUSR)
        except OSError:
            return False


class MemoryFiles:
    """Files that exist only in memory.

    Args:
        files: absolute path → content; directories follow from the paths.
        executable: paths of those that are programs.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None, executable: Collection[str] = ()) -> None:
        self._files = dict(files or {})
        self._executable = frozenset(executable)

    def kind(self, path: str) -> FileKind:
        """Look `path` up."""
        if path in self._files:
            return FileKind.FILE
        inside = path.rstrip("/") + "/"
        return (
            FileKind.DIRECTORY if any(name.startswith(inside) for name in self._files) else FileKind.MISSING
        )

    def real(self, path: str) -> str:
        """Return `path`: there are no links in memory."""
        return path

    def read(self, path: str, limit: int) -> bytes | None:
        """Look `path` up."""
        content = self._files.get(path)
        return content if content is not None and len(content) <= limit else None

    def tree(self, path: str, limit: int) -> Mapping[str, bytes] | None:
        """Collect what is below `path`."""
        inside = path.rstrip("/") + "/"
        found = {
            name[len(inside) :]: content
            for name, content in sorted(self._files.items())
            if name.startswith(inside)
        }
        total = sum(map(len, found.values()))
        return None if total > limit or len(found) > MAX_FILES else found

    def is_executable(self, path: str) -> bool:
        """Look `path` up."""
        return path in self._executable
