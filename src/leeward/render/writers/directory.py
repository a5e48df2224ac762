"""Writes rendered files into a directory that is rendered into again and again, and people edit.

An index beside the files says which of them leeward wrote, and with which content. Only those are ever
replaced or removed, and only while they are as they were written; anything else in the way stops the run
before a byte is changed, unless it is forced. Nothing is written through a symbolic link below the directory.

Invariants: a file is whole or not there, whenever the run ends; a run that was interrupted is finished by the
next one; an unchanged file keeps its modification time. A file of which only line numbers of origin
comments would change is unchanged, so that a line more in a Compose file is not a change of every manifest.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import OperationError
from leeward.render.writers.index import INDEX, Index, read_index, require_below
from leeward.render.writers.yaml import HEADER, ORIGIN_COMMENT

_LINE = re.compile(rf"^({re.escape(ORIGIN_COMMENT)}[^\n]*?):\d+(?= |$)", re.MULTILINE)
_SHOWN = 10  # obstacles that are named one by one
_DIRECTORY = "is a directory"  # the one thing in the way that is never removed
_Digests = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files, by their names in the directory."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    """What is in a file's place."""

    content: str | None = None  # None: nothing, or an obstacle
    obstacle: str = ""  # why it is no file to compare with: "is a symbolic link"
    place: Path | None = None  # of the obstacle

    @property
    def is_there(self) -> bool:
        return self.content is not None or bool(self.obstacle)


def write_directory(
    files: Mapping[str, str], directory: Path, *, of: Mapping[str, str] | None = None, force: bool = False
) -> Written:
    """Make `directory` hold `files`, and no file more that an earlier run wrote there.

    Args:
        files: path relative to the directory, with ``/`` → content.
        directory: made if it is not there.
        of: what is rendered, such as {"project": "shop"}; a directory of something else is left alone.
        force: overwrite and remove what stands in the way, too.

    Raises:
        OperationError: something in the way was not written by leeward or was edited since, or the file
            system refuses; nothing, or a part that the next run completes, is changed.
        ValueError: a path does not stay in the directory.
    """
    require_below(files)
    try:
        if directory.exists() and not directory.is_dir():
            raise OperationError(f"{directory} is a file, not a directory", remedy="Choose another name.")
        return _Directory(directory).write(files, dict(of or {}), force=force)
    except OSError as error:
        place = error.filename or directory
        raise OperationError(
            f"{place} cannot be written: {error.strerror or error}",
            remedy="Choose another directory with --output-dir, or repair this one and run again.",
        ) from error


def same_but_for_lines(one: str, other: str) -> bool:
    """Tell whether two renderings differ in line numbers of origin comments at most."""
    return one == other or _LINE.sub(r"\1", one) == _LINE.sub(r"\1", other)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


class _Directory:
    def __init__(self, root: Path) -> None:
        self._root = root
        self._index = read_index(root)

    def write(self, files: Mapping[str, str], of: Mapping[str, str], *, force: bool) -> Written:
        known = self._index.files if self._index else {}
        gone = [name for name in known if name not in files]
        found = {name: self._look(name) for name in (*files, *gone)}
        if not force:
            self._refuse_something_else(of)
        self._refuse_obstacles(files, found, force=force)
        unchanged = [name for name, content in files.items() if _is_same(found[name], content)]
        changed = [name for name in files if not _is_same(found[name], files[name])]
        self._root.mkdir(parents=True, exist_ok=True)
        after = {name: (_digest(files[name]),) for name in changed}
        after |= {name: (_digest(found[name].content or ""),) for name in unchanged}
        self._write_index(Index(_both(known, after), of))  # both are ours until all is done
        for name in changed:
            self._replace(name, files[name])
        removed = [name for name in gone if found[name].is_there]
        for name in removed:
            self._remove(name)
        self._write_index(Index(after, of))
        return Written(tuple(changed), tuple(unchanged), tuple(removed))

    def _write_index(self, index: Index) -> None:
        if index != self._index:
            self._replace(INDEX, index.text() + "\n")
            self._index = index

    def _obstacle(self, name: str) -> _Found | None:
        path = self._root / name
        place = self._root
        for part in Path(name).parts:
            place /= part
            if place.is_symlink():
                return _Found(obstacle="is a symbolic link", place=place)
            if place != path and place.is_file():
                return _Found(obstacle="is a file, where a directory is needed", place=place)
        return _Found(obstacle=_DIRECTORY, place=path) if path.is_dir() else None

    def _look(self, name: str) -> _Found:
        if (obstacle := self._obstacle(name)) is not None:
            return obstacle
        path = self._root / name
        try:
            return _Found(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return _Found()
        except UnicodeDecodeError:
            return _Found(obstacle="is no text", place=path)

    def _refuse_something_else(self, of: Mapping[str, str]) -> None:
        had = self._index.of if self._index else {}
        for what, value in of.items():
            if had.get(what, value) != value:
                raise OperationError(
                    f"{self._root} holds {what} {had[what]}, not {value}",
                    remedy="Name another directory, or use --force to replace what is in this one.",
                )

    def _refuse_obstacles(
        self, files: Mapping[str, str], found: Mapping[str, _Found], *, force: bool
    ) -> None:
        told = []
        for name, there in found.items():
            if force and there.obstacle != _DIRECTORY:
                continue
            reason = self._reason(name, there, files.get(name))
            if reason:
                told.append(f"{there.place or self._root / name} {reason}")
        told = list(dict.fromkeys(told))  # a link in place of a directory is in the way of many files
        if told:
            more = [f"and {len(told) - _SHOWN} more"] if len(told) > _SHOWN else []
            raise OperationError(
                "nothing was written, because leeward did not write what is in the way:\n  "
                + "\n  ".join([*told[:_SHOWN], *more]),
                remedy="Move it away or choose another directory."
                if force
                else "Move it away, choose another directory, or use --force to overwrite it.",
            )

    def _reason(self, name: str, found: _Found, content: str | None) -> str:
        """Return why what is there must not be replaced or removed, "" where it may be."""
        if found.obstacle or found.content is None:
            return found.obstacle
        if content is not None and _is_same(found, content):
            return ""
        if self._index is None:  # of a version that kept no index, or one that was lost
            return "" if found.content.startswith(HEADER) else "is not of leeward"
        if name not in self._index.files:
            return "is not of leeward"
        ours = _digest(found.content) in self._index.files[name]
        return "" if ours else "was edited since it was rendered"

    def _replace(self, name: str, content: str) -> None:
        path = self._root / name
        draft = path.with_name(f".{path.name}.new")
        try:
            self._clear(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            draft.unlink(missing_ok=True)
            with draft.open("x", encoding="utf-8", newline="\n") as file:
                file.write(content)
            os.replace(draft, path)
        except BaseException as error:
            if isinstance(error, OSError):
                error.filename = str(path)  # not the draft, which nobody knows
            with contextlib.suppress(OSError):
                draft.unlink()
            raise

    def _remove(self, name: str) -> None:
        self._clear(name)
        path = self._root / name
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._root or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()

    def _clear(self, name: str) -> None:
        """Remove the link, or the file in place of a directory, that is on the way to a file."""
        there = self._obstacle(name)
        if there is not None and there.place is not None and there.obstacle != _DIRECTORY:
            there.place.unlink()


def _both(one: _Digests, other: _Digests) -> _Digests:
    return {
        name: tuple(dict.fromkeys([*one.get(name, ()), *other.get(name, ())])) for name in {**one, **other}
    }


def _is_same(found: _Found, content: str) -> bool:
    return found.content is not None and same_but_for_lines(found.content, content)
