"""Loads a project as releases have it, and takes down every file that was read on the way.

The project is loaded as if it were at ``places.DIRECTORY``, so that nothing in a release depends on the
directory of whoever makes it. Services of all profiles are loaded: which of them run is up to an environment.

Invariant: files of Compose secrets are never taken down, nor are build contexts.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.compose.load import LoadOptions, LoadResult, find_project_name, load_project
from leeward.compose.project import Mount, Project, Service
from leeward.compose.source import STANDARD_INPUT, DiskReader
from leeward.delivery.releases.places import DIRECTORY, HOME, Ground, path_of, word_of
from leeward.delivery.releases.standins import stand_in
from leeward.delivery.releases.unset import load_unset
from leeward.render.bindkinds import MAX_BYTES as BINDS_BYTES
from leeward.render.bindkinds import BindKind, classify, is_empty
from leeward.render.files import DiskFiles, FileKind
from leeward.render.naming import data_key
from leeward.render.render import RenderOptions, render
from leeward.render.renderers.binds import is_secret_file

NO_VARIABLES = "/dev/null"  # instead of a .env file
STANDING = {"HOME": HOME, "PWD": DIRECTORY}  # variables that would tell one machine from another
ENVIRONMENT = "release"  # what a release is rendered for, before it is for an environment
EMPTY, FILLED = "empty", "filled"  # directories whose content is no part of a release
_OWN = "COMPOSE_"  # variables that are for Docker Compose itself


@dataclass(slots=True)
class Notes:
    """What was read; by word (``leeward.delivery.releases.places``)."""

    files: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, set[str]] = field(default_factory=dict)  # what the loader took a file for
    executable: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)  # what is there, of what is not in `files`
    links: dict[str, str] = field(default_factory=dict)  # where symbolic links lead
    keys: dict[str, str] = field(default_factory=dict)  # secret → word of the mounted file that is one


@dataclass(frozen=True, slots=True)
class Recorded:
    """A project and all that it was made of."""

    project: Project  # at the imagined directory, with services of all profiles
    compose: tuple[str, ...]  # words of its files
    environment: Mapping[str, str]  # what variables were here, with those of .env
    notes: Notes
    secret_files: Mapping[str, str]  # secret → the file that has it on this machine
    loaded: LoadResult
    unset: frozenset[str] = frozenset()  # variables that are required and have no value here


def record_project(options: LoadOptions, *, decides: bool = True) -> Recorded:
    """Load a project from disk and take down what it is made of.

    Args:
        options: files are named, profiles do not count; the project is where its first file is.
        decides: whether it is for a release, which decides what images are.

    Raises:
        DiagnosticsError: the files cannot be used, or a variable is missing that decides what the release is.
        UserInputError: a file has no name.
    """
    if not options.files or STANDARD_INPUT in map(str, options.files):
        raise UserInputError("a release needs Compose files with names", remedy="Name a file with -f.")
    files = [os.path.normpath(os.path.join(options.working_dir, file)) for file in options.files]
    ground = Ground(os.path.dirname(files[0]), options.environment.get("HOME", ""))
    notes = Notes()
    imagined = replace(
        options,
        project_name=options.project_name or find_project_name(options),
        working_dir=Path(DIRECTORY),
        files=[ground.imagined(file) for file in files],
        profiles=("*",),
        environment={**options.environment, **STANDING},
        reader=_Reader(ground, Notes()),
    )
    known, unset = load_unset(imagined, decides=decides)  # with .env, which is no file of a release
    variables = {
        name: value
        for name, value in known.environment.items()
        if not name.startswith(_OWN) and name not in unset
    }
    given = {**variables, **{name: stand_in(name) for name in unset}}
    again = replace(imagined, environment=given, env_files=(NO_VARIABLES,), reader=_Reader(ground, notes))
    loaded = load_project(again)
    secret = {
        key: each.file for key, each in loaded.project.secrets.items() if each.file and not each.external
    }
    finder = RecordingFiles(ground, notes, frozenset(secret.values()))
    render(loaded.project, RenderOptions(environment=ENVIRONMENT, files=finder))
    finder.keep_directories(loaded.project)
    return Recorded(
        project=loaded.project,
        compose=tuple(word_of(str(file)) for file in imagined.files),
        environment=variables,
        notes=notes,
        secret_files={
            **{key: ground.real(path) for key, path in secret.items()},
            **{key: ground.real(path_of(word)) for key, word in notes.keys.items()},
        },
        loaded=loaded,
        unset=unset,
    )


class _Reader:
    """Reads imagined files from disk."""

    def __init__(self, ground: Ground, notes: Notes) -> None:
        self._ground = ground
        self._notes = notes
        self._disk = DiskReader()

    def read(self, path: str, what: str) -> bytes:
        """Read the file and take it down."""
        if path == NO_VARIABLES:
            return b""
        content = self._disk.read(self._ground.real(path), what)
        word = word_of(path)
        self._notes.files[word] = content
        self._notes.kinds.setdefault(word, set()).add(what)
        return content

    def is_file(self, path: str) -> bool:
        """Ask the file system."""
        return self._disk.is_file(self._ground.real(path))

    def exists(self, path: str) -> bool:
        """Ask the file system."""
        return self._disk.exists(self._ground.real(path))


class RecordingFiles:
    """Answers a rendering's questions from disk, and takes the answers down; fulfils ``Files``.

    Args:
        ground: of the project.
        notes: takes the answers.
        secret: imagined paths whose content is not taken down.
    """

    def __init__(self, ground: Ground, notes: Notes, secret: frozenset[str]) -> None:
        self._ground = ground
        self._notes = notes
        self._secret = secret
        self._disk = DiskFiles()

    def kind(self, path: str) -> FileKind:
        """Tell what is at `path`."""
        found = self._disk.kind(self._ground.real(path))
        if found is not FileKind.MISSING and path not in self._secret:
            self._notes.places.setdefault(word_of(path), found.value)
        return found

    def real(self, path: str) -> str:
        """Follow symbolic links."""
        followed = self._ground.followed(path)
        if followed != path:
            self._notes.links[word_of(path)] = word_of(followed)
        return followed

    def read(self, path: str, limit: int) -> bytes | None:
        """Read a file."""
        content = self._disk.read(self._ground.real(path), limit)
        if content is not None:
            self._keep(path, content)
        return content

    def tree(self, path: str, limit: int) -> Mapping[str, bytes] | None:
        """Read a directory; what is in it is only taken down when it becomes part of an object."""
        return self._disk.tree(self._ground.real(path), limit)

    def is_executable(self, path: str) -> bool:
        """Ask the file system."""
        return self._disk.is_executable(self._ground.real(path))

    def keep_directories(self, project: Project) -> None:
        """Take down directories that are mounted as configuration, and of others that they are there."""
        for service, mount in _binds(project):
            source = posixpath.normpath(mount.source or "/")
            kind = classify(project, service, mount, self).kind
            if kind not in (BindKind.CONFIG_DIRECTORY, BindKind.DATA):
                continue
            content = self.tree(source, BINDS_BYTES)
            if kind is BindKind.CONFIG_DIRECTORY:
                for path, data in (content or {}).items():
                    self._keep(f"{source}/{path}", data)
            elif self._disk.kind(self._ground.real(source)) is FileKind.DIRECTORY:
                self._notes.places[word_of(source)] = EMPTY if is_empty(content) else FILLED
        for name in [*self._notes.places]:
            if name in self._notes.files:
                del self._notes.places[name]

    def _keep(self, path: str, content: bytes) -> None:
        word = word_of(path)
        if path in self._secret:
            return
        if is_secret_file(path):
            self._notes.keys[data_key(word.replace("/", "__"))] = word
        else:
            self._notes.files.setdefault(word, content)
        if self.is_executable(path):
            self._notes.executable.add(word)


def _binds(project: Project) -> Iterator[tuple[Service, Mount]]:
    """Yield every bind mount with the services that have it."""
    for service in project.services.values():
        others = [project.services.get(each.partition(":")[0]) for each in service.volumes_from]
        for owner in (service, *others):
            for mount in owner.volumes if owner is not None else ():
                if mount.type == "bind" and mount.source is not None:
                    yield service, mount
