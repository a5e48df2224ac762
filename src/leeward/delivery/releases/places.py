"""Where the files of a release are: words for paths that are the same on every machine.

A release is loaded as if its project were at :data:`DIRECTORY`, which no machine has; what is read there is
looked up on this machine's disk, or in the release. So every path has one word: ``config/app.json`` and
``../shared.env`` from the project's directory, ``/etc/app.conf`` for what is named from the root, ``~/.app``
for what is named from the home of whoever makes the release.

Invariant: of the same text, the word of a path is the same wherever the project is.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_TOP = "/_"
DIRECTORY = _TOP * 16 + "/project"  # so deep that ".." does not leave it
HOME = "/~"
_TELLING = 4  # levels: what is less deep may be part of any text
OUTSIDE = "_outside"  # what is outside of the project is kept below this name


def word_of(path: str) -> str:
    """Return the word for a path of the imagined file system."""
    if path == HOME or path.startswith(HOME + "/"):
        return path[1:]
    return posixpath.relpath(path, DIRECTORY) if path.startswith(_TOP + "/") else path


def path_of(word: str) -> str:
    """Return the path in the imagined file system that `word` is of."""
    if word == "~" or word.startswith("~/"):
        return "/" + word
    return posixpath.normpath(posixpath.join(DIRECTORY, word))


def readable(text: str) -> str:
    """Return `text` with paths of the imagined file system as a person in the project would write them."""
    directory, up = DIRECTORY, ""
    while len(directory) > len(_TOP) * _TELLING:
        text = text.replace(directory + "/", up or "./").replace(directory, up.rstrip("/") or ".")
        directory, up = posixpath.dirname(directory), f"../{up}"
    return text


@dataclass(frozen=True, slots=True)
class Ground:
    """The machine's own directories that the imagined ones stand for.

    Args:
        directory: of the project, absolute.
        home: absolute; "": there is none.
    """

    directory: str
    home: str

    def real(self, path: str) -> str:
        """Return where on this machine the imagined `path` is."""
        word = word_of(path)
        if word == "~" or word.startswith("~/"):
            return os.path.join(self.home, word[2:])
        return os.path.normpath(os.path.join(self.directory, word))

    def imagined(self, path: str) -> str:
        """Return the imagined path of a file of this machine that belongs to the project."""
        return path_of(os.path.relpath(path, self.directory))

    def followed(self, path: str) -> str:
        """Return the imagined `path` with every symbolic link on it followed.

        What leads out of the directory around the project is of this machine, and has its own path.
        """
        plain, real = self.real(path), os.path.realpath(self.real(path))
        root = os.path.realpath(self.directory)
        if real == plain or real == os.path.normpath(os.path.join(root, word_of(path))):
            return path
        around = os.path.dirname(root)
        inside = real == around or real.startswith(around.rstrip("/") + "/")
        return path_of(os.path.relpath(real, root)) if inside else real


def shelve(words: Iterable[str]) -> dict[str, str]:
    """Return shelf → directory for what is not inside of the project, such as ``_outside/0`` → ``..``."""
    outside = {posixpath.dirname(word) for word in words if _is_outside(word)}
    return {f"{OUTSIDE}/{number}": directory for number, directory in enumerate(sorted(outside))}


def name_of(word: str, shelves: Mapping[str, str]) -> str:
    """Return the name under which a release keeps the file that `word` is for."""
    if not _is_outside(word):
        return word
    shelf = next(shelf for shelf, directory in shelves.items() if directory == posixpath.dirname(word))
    return f"{shelf}/{posixpath.basename(word)}"


def word_for(name: str, shelves: Mapping[str, str]) -> str:
    """Return the word for the file that a release keeps as `name`."""
    directory = shelves.get(posixpath.dirname(name))
    return name if directory is None else posixpath.join(directory, posixpath.basename(name))


def _is_outside(word: str) -> bool:
    return word.startswith(("../", "/", "~/")) or word.split("/", 1)[0] == OUTSIDE
