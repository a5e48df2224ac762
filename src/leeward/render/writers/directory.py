"""Writes rendered files into a directory that is rendered into again and again, and people edit.

An index beside the files says which of them leeward wrote, and with which content. Only those are ever
replaced or removed, and only while they are as they were written; anything else in the way stops the run
before a byte is changed, unless it is forced. Nothing is written through a symbolic link below the directory.

Invariants: a file is whole or not there, whenever the run ends; a run that was interrupted is finished by the
next one; an unchanged file keeps its modification time. A file of which only line numbers of origin
comments would change is unchanged, so that a line more in a Compose file is not a change of every manifest.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from leeward.base.errors import OperationError
from leeward.render.writers.yaml import HEADER, ORIGIN_COMMENT

INDEX = ".leeward.json"
_VERSION = 1
_LINE = re.compile(rf"^({re.escape(ORIGIN_COMMENT)}[^\n]*?):\d+(?= |$)", re.MULTILINE)
_SHOWN = 10  # obstacles that are named one by one
_REMEDY = "Move them away, choose another directory, or use --force to overwrite them."


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the files, by their names in the directory."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


def write_directory(
    files: Mapping[str, str], directory: Path, *, force: bool = False, keep: Iterable[str] = ()
) -> Written:
    """Make `directory` hold `files`, and no file more that an earlier run wrote there.

    Args:
        files: path relative to the directory, with ``/`` → content.
        directory: made if it is not there.
        force: overwrite and remove what stands in the way, too.
        keep: prefixes of paths that earlier runs wrote and this one leaves alone.

    Raises:
        OperationError: something in the way was not written by leeward or was edited since, or the file
            system refuses; nothing, or a part that the next run completes, is changed.
    """
    try:
        return _Directory(directory, tuple(keep)).write(files, force=force)
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
    def __init__(self, root: Path, keep: tuple[str, ...]) -> None:
        self._root = root
        self._keep = keep
        self._known = self._read_index()

    def write(self, files: Mapping[str, str], *, force: bool) -> Written:
        gone = [
            name
            for name in self._known or {}
            if name not in files and not any(name.startswith(prefix) for prefix in self._keep)
        ]
        present = {name: self._read(name) for name in (*files, *gone)}
        if not force:
            self._refuse_obstacles(files, present)
        unchanged = [name for name, content in files.items() if _is_same(present[name], content)]
        changed = [name for name in files if name not in unchanged]
        self._root.mkdir(parents=True, exist_ok=True)
        kept = {name: known for name, known in (self._known or {}).items() if name not in gone}
        after = {name: [_digest(files[name])] for name in changed}
        after |= {name: [_digest(present[name] or "")] for name in unchanged}
        self._write_index({**(self._known or {}), **_both(kept, after)})  # both are ours until all is done
        for name in changed:
            self._replace(name, files[name])
        removed = [name for name in gone if present[name] is not None]
        for name in removed:
            self._remove(name)
        self._write_index({**kept, **after})
        return Written(tuple(changed), tuple(unchanged), tuple(removed))

    def _read_index(self) -> dict[str, list[str]] | None:
        """Return name → digests of what leeward may have written; None where there is no index."""
        path = self._root / INDEX
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            return {str(name): list(map(str, digests)) for name, digests in found["files"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OperationError(
                f"{path} is damaged: {error}",
                remedy="Remove it together with the files that leeward rendered, and run again.",
            ) from error

    def _write_index(self, known: Mapping[str, list[str]]) -> None:
        about = "Written by leeward: the files here that it may replace, and their SHA-256."
        text = {"about": about, "version": _VERSION, "files": {name: known[name] for name in sorted(known)}}
        self._replace(INDEX, json.dumps(text, indent=1) + "\n")

    def _read(self, name: str) -> str | None:
        """Return a file's content, None where nothing is, or what no file holds for an obstacle."""
        path = self._root / name
        if self._link(name) is not None or (path.exists() and not path.is_file()):
            return "\0"
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            return "\0"

    def _link(self, name: str) -> Path | None:
        """Return the symbolic link, or the file in place of a directory, on the way to `name`."""
        place = self._root
        for part in Path(name).parts:
            place /= part
            if place.is_symlink() or (place != self._root / name and place.is_file()):
                return place
        return None

    def _refuse_obstacles(self, files: Mapping[str, str], present: Mapping[str, str | None]) -> None:
        found = []
        for name, content in present.items():
            same = name in files and _is_same(content, files[name])
            if content is None or same or self._is_ours(name, content):
                continue
            edited = self._known is not None and name in self._known
            found.append(f"{self._link(name) or self._root / name} {_reason(content, edited=edited)}")
        if found:
            more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
            raise OperationError(
                "nothing was written, because of files that leeward did not write:\n  "
                + "\n  ".join([*found[:_SHOWN], *more]),
                remedy=_REMEDY,
            )

    def _is_ours(self, name: str, content: str) -> bool:
        if self._known is None:
            return content.startswith(HEADER)  # of a version that kept no index
        return _digest(content) in self._known.get(name, ())

    def _replace(self, name: str, content: str) -> None:
        path = self._root / name
        if (link := self._link(name)) is not None:
            link.unlink()
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        draft.write_text(content, encoding="utf-8")
        os.replace(draft, path)

    def _remove(self, name: str) -> None:
        path = self._root / name
        (self._link(name) or path).unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self._root or not parent.is_dir() or any(parent.iterdir()):
                return
            parent.rmdir()


def _both(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {
        name: list(dict.fromkeys([*one.get(name, ()), *other.get(name, ())])) for name in {**one, **other}
    }


def _is_same(present: str | None, content: str) -> bool:
    return present is not None and same_but_for_lines(present, content)


def _reason(content: str, *, edited: bool) -> str:
    if content == "\0":
        return "is a link, a directory or no text"
    return "was edited since it was rendered" if edited else "is not of leeward"
