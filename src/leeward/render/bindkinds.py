"""What a bind mount is for, which a cluster has to know because it has none: a decision and its reason.

A file is configuration. A directory of the project is source code where the service's own image is built from
it, configuration where it is small, and data where it is empty, not there yet or large. A path outside of the
project belongs to one machine: where its name says that it is data it becomes a volume, else somebody has to
say what it is for. The container engine's socket and what belongs to a machine's system are refused. Symbolic
links count as what they lead to. What ``x-leeward.binds`` says comes before all of that.

Source: the Compose Specification, "volumes" of type "bind".
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath

from leeward.compose.project import Mount, Project, Service
from leeward.render.files import FileKind, Files
from leeward.settings.read import KEY

MAX_BYTES = 1_000_000  # Kubernetes takes 1 MiB with names and encoding
_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "dockerd.sock")
_SYSTEM = tuple(
    map(
        PurePosixPath,
        ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/proc", "/run", "/sbin", "/sys",
         "/usr", "/var/lib/docker", "/var/lib/containers", "/var/lib/kubelet", "/var/log", "/var/run"),
    )
)  # fmt: skip
_HOMES = (PurePosixPath("/home"), PurePosixPath("/Users"))
_CLOCK = ("/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo")
_IMAGE_TARGETS = ("/etc/", "/docker-entrypoint", "/config", "/var/lib/")  # never where source code goes
_DATA_WORDS = frozenset(("backup", "backups", "data", "database", "db", "logs", "storage", "uploads"))
_FILE_ENDINGS = frozenset(
    (".cert", ".cfg", ".cnf", ".conf", ".config", ".crt", ".css", ".csv", ".db", ".env", ".html", ".ini",
     ".js", ".json", ".key", ".lock", ".log", ".lua", ".pem", ".php", ".properties", ".py", ".rb", ".sh",
     ".sql", ".sqlite", ".tmpl", ".toml", ".ts", ".txt", ".xml", ".yaml", ".yml")
)  # fmt: skip
_PLACEHOLDERS = frozenset((".gitkeep", ".keep", ".gitignore"))


class BindKind(StrEnum):
    """What a bind mount is for."""

    ENGINE_SOCKET = "engine-socket"
    SYSTEM = "system"
    CLOCK = "clock"
    OUTSIDE = "outside"
    MISSING = "missing"
    CONFIG_FILE = "config-file"
    CONFIG_DIRECTORY = "config-directory"
    SOURCE = "source"
    DATA = "data"
    HOST = "host"
    IGNORED = "ignored"


_CHOICES = {
    "source": BindKind.SOURCE, "data": BindKind.DATA, "host": BindKind.HOST, "ignore": BindKind.IGNORED,
}  # fmt: skip

_CONFIG = {FileKind.FILE: BindKind.CONFIG_FILE, FileKind.DIRECTORY: BindKind.CONFIG_DIRECTORY}


@dataclass(frozen=True, slots=True)
class Decision:
    """What a bind mount is taken for."""

    kind: BindKind
    why: str  # a clause, such as "it is empty"
    filled: bool = False  # whether a directory taken for data has something in it


def choice_of(service: Service, target: str) -> Mapping[str, object]:
    """Return what ``x-leeward.binds`` says of a mount at `target`, as written, in the long form.

    What is no setting at all is reported by whoever reads the settings.
    """
    written = service.extensions.get(KEY)
    binds = written.get("binds") if isinstance(written, Mapping) else None
    for place, said in binds.items() if isinstance(binds, Mapping) else ():
        if posixpath.normpath(str(place)) == target:
            return said if isinstance(said, Mapping) else {"kind": said}
    return {}


def classify(project: Project, service: Service, mount: Mount, files: Files) -> Decision:
    """Tell what `mount`, of type "bind", is for.

    Args:
        project: whose directory decides what is inside and outside.
        service: whose image and settings count.
        mount: what is mounted, with an absolute source.
        files: what there is.
    """
    text = posixpath.normpath(mount.source or "/")
    choice = choice_of(service, posixpath.normpath(mount.target))
    reason = str(choice.get("reason") or "x-leeward.binds says so")
    kind = _CHOICES.get(str(choice.get("kind")))
    if kind is BindKind.DATA:
        found = files.kind(text) is FileKind.DIRECTORY and not is_empty(files.tree(text, MAX_BYTES))
        return Decision(kind, reason, filled=found)
    if kind is not None:
        return Decision(kind, reason)
    found_at = files.kind(text)
    if choice.get("kind") == "config" and found_at in _CONFIG:
        return Decision(_CONFIG[found_at], reason)
    root, real = str(project.working_dir), files.real(text)
    for path, directory in ((text, root), (real, files.real(root))):
        if (decided := _of_a_machine(PurePosixPath(directory), path, found_at)) is not None:
            return decided
    if not _within(PurePosixPath(real), PurePosixPath(files.real(str(_neighbourhood(project))))):
        return _outside(mount, text, found_at)
    if found_at is FileKind.FILE:
        return Decision(BindKind.CONFIG_FILE, "it is a file")
    return _inside(service, mount, text, files, found_at)


def _of_a_machine(root: PurePosixPath, text: str, found: FileKind) -> Decision | None:
    """Decide about what every machine has."""
    source = PurePosixPath(text)
    if source.name in _SOCKETS:
        return Decision(BindKind.ENGINE_SOCKET, "its name is that of a container engine's socket")
    if text in _CLOCK:
        return Decision(BindKind.CLOCK, "nodes keep UTC")
    inside = _within(source, root)
    if text == "/" or (not inside and any(_within(source, system) for system in _SYSTEM)):
        return Decision(BindKind.SYSTEM, "it belongs to the machine's own system")
    if found is FileKind.OTHER:
        return Decision(BindKind.SYSTEM, "it is a device, a socket or unreadable")
    return None


def _outside(mount: Mount, text: str, found: FileKind) -> Decision:
    """Decide about what is not next to the project's files."""
    if found is FileKind.FILE:
        return Decision(BindKind.OUTSIDE, "it is outside of the project")
    words = {word for path in (text, mount.target) for word in _words(posixpath.basename(path))}
    if not mount.read_only and words & _DATA_WORDS:
        filled = found is FileKind.DIRECTORY
        return Decision(BindKind.DATA, "its name says that it is data", filled=filled)
    return Decision(BindKind.OUTSIDE, "it is outside of the project")


def _inside(service: Service, mount: Mount, text: str, files: Files, found: FileKind) -> Decision:
    """Decide about what is, or would be, a directory of the project."""
    if found is FileKind.MISSING:
        if mount.read_only or _looks_like_file(text) or _looks_like_file(mount.target):
            return Decision(BindKind.MISSING, "it does not exist")
        return Decision(BindKind.DATA, "it does not exist yet")
    if _is_source(service, PurePosixPath(text), mount.target):
        return Decision(BindKind.SOURCE, "the image is built from it")
    content = files.tree(text, MAX_BYTES)
    if is_empty(content):
        return Decision(BindKind.DATA, "it is empty")
    if content is not None or mount.read_only:
        return Decision(BindKind.CONFIG_DIRECTORY, "it is a small directory of the project")
    return Decision(
        BindKind.DATA, "it is too large for configuration, or has links that lead out of it", filled=True
    )


def is_empty(content: Mapping[str, bytes] | None) -> bool:
    """Tell whether a directory has nothing but what keeps it in Git; None: it has too much."""
    return content is not None and all(posixpath.basename(path) in _PLACEHOLDERS for path in content)


def _within(path: PurePosixPath, parent: PurePosixPath) -> bool:
    return path == parent or parent in path.parents


def _neighbourhood(project: Project) -> PurePosixPath:
    """Return the directory whose content counts as the project's: the one around it, unless it is a home."""
    place = PurePosixPath(project.working_dir)
    above = place.parent
    if str(above) in ("/", "/root", *map(str, _HOMES)) or above.parent in _HOMES:
        return place
    return above


def _is_source(service: Service, source: PurePosixPath, target: str) -> bool:
    """Tell whether `source` is (part of) what the service's own image is built from."""
    build = service.build
    if build is None or "://" in build.context or target.startswith(_IMAGE_TARGETS):
        return False
    root = PurePosixPath(build.context)
    return _within(source, root) or _within(root, source)


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())


def _looks_like_file(path: str) -> bool:
    return posixpath.splitext(path)[1].lower() in _FILE_ENDINGS
