"""Which files make up a project, and what they contain.

The only module of this package that touches the file system, through a :class:`Reader` that others may give:
a release answers from memory. Names shown to people are relative to the working directory where that is
shorter to read.

Source: Docker Compose documentation, "Compose file" and "COMPOSE_FILE".
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from leeward.base.diagnostics import Location
from leeward.compose.findings import Findings, ValuePath

FILE_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
OVERRIDE_NAMES = (
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
)
STANDARD_INPUT = "-"
MAX_BYTES = 8 * 1024 * 1024  # of one file; what people write is a thousand times smaller


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """What to load, in order of merging, and where relative paths start."""

    files: tuple[str, ...]  # absolute paths, or STANDARD_INPUT
    directory: str  # absolute


class Reader(Protocol):
    """Where files are. Paths are absolute."""

    def read(self, path: str, what: str) -> bytes:
        """Return the content of a file, at most one byte more than :data:`MAX_BYTES`.

        Args:
            path: of the file.
            what: it is taken for, such as "Compose file".

        Raises:
            OSError: it cannot be read.
        """
        ...

    def is_file(self, path: str) -> bool:
        """Tell whether there is a file."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is anything."""
        ...


class DiskReader:
    """The real file system."""

    def read(self, path: str, what: str) -> bytes:
        """Read the file."""
        with Path(path).open("rb") as stream:
            return stream.read(MAX_BYTES + 1)

    def is_file(self, path: str) -> bool:
        """Ask the file system."""
        return os.path.isfile(path)

    def exists(self, path: str) -> bool:
        """Ask the file system."""
        return os.path.exists(path)


class Sources:
    """Reads files.

    Args:
        working_dir: absolute; where relative names given by the user start.
        findings: takes what cannot be read.
        stdin: what the file ``-`` contains.
        reader: where files are; None: on disk.
    """

    def __init__(
        self, working_dir: Path, findings: Findings, stdin: str | None = None, reader: Reader | None = None
    ) -> None:
        self.working_dir = str(working_dir)
        self._findings = findings
        self._stdin = stdin
        self._reader: Reader = reader or DiskReader()
        self.is_file = self._reader.is_file
        self.exists = self._reader.exists

    def shown(self, path: str) -> str:
        """Return `path` as a person in the working directory would write it."""
        if path == STANDARD_INPUT:
            return "<stdin>"
        relative = os.path.relpath(path, self.working_dir)
        return path if relative.startswith(os.path.join("..", "..", "..")) else relative

    def absolute(self, path: str, directory: str | None = None) -> str:
        """Return `path` relative to `directory` (else the working directory) as an absolute path."""
        return os.path.normpath(os.path.join(directory or self.working_dir, path))

    def read(
        self,
        path: str,
        what: str,
        *,
        at: Location | None = None,
        within: ValuePath = (),
        remedy: str = "",
    ) -> str | None:
        """Return the text of `path`; on failure report it and return None.

        Args:
            path: absolute, or ``-``.
            what: for messages, such as "Compose file".
            at: the line that names the file.
            within: path of the value that names the file.
            remedy: what to do when the file does not exist.
        """
        if path == STANDARD_INPUT:
            return self._stdin or ""
        try:
            return _text(self._reader.read(path, what))
        except FileNotFoundError:
            message, remedy = "does not exist", remedy or "Create it, or correct its name."
        except IsADirectoryError:
            message, remedy = "is a directory", "Name a file."
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            message, remedy = f"is not UTF-8 text from line {line} on", "Save it as UTF-8."
            at = Location(self.shown(path), line) if at is None else at
        except OSError as error:
            message, remedy = f"cannot be read: {error.strerror}", "Check its permissions."
        except _TooLargeError:
            message = f"has more than {MAX_BYTES // 1024 // 1024} MB"
            remedy = "Name the right file, or split it with include."
        self._findings.error(
            "file-not-found" if message == "does not exist" else "file-unreadable",
            f'The {what} "{self.shown(path)}" {message}.',
            path=within,
            at=at,
            remedy=remedy,
            damages=True,
        )
        return None


class _TooLargeError(Exception):
    """A file that nobody has written by hand."""


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise _TooLargeError
    return data.decode("utf-8-sig")


def find_files(
    files: Sequence[str],
    project_directory: str | None,
    environment: Mapping[str, str],
    sources: Sources,
    findings: Findings,
) -> ProjectFiles:
    """Return the files to load.

    Args:
        files: named by the user; else ``COMPOSE_FILE``; else the default names are searched for, here and
            in the directories above, with an override file next to the one found.
        project_directory: named by the user, or None.
        environment: for ``COMPOSE_FILE`` and ``COMPOSE_PATH_SEPARATOR``.
        sources: resolves names.
        findings: takes the error when there is nothing to load, and warnings when there is a choice.
    """
    named = list(files)
    if not named and environment.get("COMPOSE_FILE"):
        separator = environment.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
        named = [name for name in environment["COMPOSE_FILE"].split(separator) if name]
    start = sources.absolute(project_directory or ".")
    if named:
        found = [name if name == STANDARD_INPUT else sources.absolute(name) for name in named]
    else:
        found = _search(start, sources, findings)
    if not found:
        findings.error(
            "no-compose-file",
            f"There is no Compose file in {start} or any directory above it.",
            remedy=f"Go to the project's directory, name a file with -f, or create {FILE_NAMES[0]}.",
            damages=True,
        )
    if project_directory is not None or not found or found[0] == STANDARD_INPUT:
        return ProjectFiles(tuple(found), start)
    return ProjectFiles(tuple(found), os.path.dirname(found[0]))


def _search(start: str, sources: Sources, findings: Findings) -> list[str]:
    directory = start
    while True:
        present = [name for name in FILE_NAMES if sources.is_file(os.path.join(directory, name))]
        if present:
            overrides = [n for n in OVERRIDE_NAMES if sources.is_file(os.path.join(directory, n))]
            for choice in (present, overrides):
                if len(choice) > 1:
                    findings.warning(
                        "several-files",
                        f"There are {' and '.join(choice)}; {choice[0]} is used.",
                        at=Location(sources.shown(os.path.join(directory, choice[0])), 0),
                        remedy="Remove the others, or name files with -f.",
                    )
            return [os.path.join(directory, name) for name in (present[0], *overrides[:1])]
        parent = os.path.dirname(directory)
        if parent == directory:
            return []
        directory = parent
