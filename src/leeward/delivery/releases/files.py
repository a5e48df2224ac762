"""The files of a release, in memory: what the loader reads, and what a rendering asks for."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Mapping

from leeward.delivery.releases.bundle import Bundle
from leeward.delivery.releases.inputs import EMPTY, FILLED, NO_VARIABLES
from leeward.delivery.releases.places import path_of, word_for
from leeward.render.files import FileKind, MemoryFiles


class ReleaseReader:
    """Answers the loader; fulfils ``leeward.compose.source.Reader``.

    Args:
        files: path → content.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def read(self, path: str, what: str) -> bytes:
        """Look the file up."""
        if path == NO_VARIABLES:
            return b""
        if path not in self._files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return self._files[path]

    def is_file(self, path: str) -> bool:
        """Look the file up."""
        return path in self._files

    def exists(self, path: str) -> bool:
        """Tell whether there is a file, or one below."""
        return path in self._files or any(name.startswith(path + "/") for name in self._files)


class ReleaseFiles(MemoryFiles):
    """Answers a rendering as the disk did when the release was made; fulfils ``leeward.render.files.Files``.

    Args:
        files: path → content, with that of secrets.
        executable: paths of those that are programs.
        places: path → what is there beside.
        links: path → what it leads to.
    """

    def __init__(
        self,
        files: Mapping[str, bytes],
        executable: Collection[str],
        places: Mapping[str, str],
        links: Mapping[str, str],
    ) -> None:
        super().__init__(files, executable)
        self._places = places
        self._links = links

    def kind(self, path: str) -> FileKind:
        """Look `path` up."""
        found = super().kind(path)
        if found is not FileKind.MISSING or path not in self._places:
            return found
        place = self._places[path]
        return FileKind.DIRECTORY if place in (EMPTY, FILLED) else FileKind(place)

    def real(self, path: str) -> str:
        """Look `path` up."""
        return self._links.get(path, path)

    def tree(self, path: str, limit: int) -> Mapping[str, bytes] | None:
        """Collect what is below `path`; None for a directory that is not in the release."""
        place = self._places.get(path)
        if place == FILLED:
            return None
        return {} if place == EMPTY else super().tree(path, limit)


def paths_of(bundle: Bundle) -> dict[str, bytes]:
    """Return path → content of the files of a release."""
    return {path_of(word_for(name, bundle.shelves)): data for name, data in bundle.files.items()}


def files_for(bundle: Bundle, more: Mapping[str, bytes], secret: Mapping[str, bytes]) -> ReleaseFiles:
    """Return what a rendering of a release asks.

    Args:
        bundle: of the release.
        more: path → content of files that it does not have.
        secret: the same of files that are secret.
    """
    return ReleaseFiles(
        {**more, **paths_of(bundle), **secret},
        frozenset(path_of(word_for(name, bundle.shelves)) for name in bundle.executable),
        {path_of(word): place for word, place in bundle.places.items()},
        {path_of(word): path_of(to) for word, to in bundle.links.items()},
    )
