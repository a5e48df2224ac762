"""The index of a rendered directory: which files leeward wrote there, with which content, and of what.

Invariant: a name in it is a path below the directory. An index is a file in somebody's repository: one that
names anything else is refused as damaged, so that it cannot be used to replace or remove what is elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from leeward.base.errors import OperationError

INDEX = ".leeward.json"
_VERSION = 1
_ABOUT = "Written by leeward: the files here that it may replace, and their SHA-256."
_MENDING = "After a merge take either side; or remove it, and render again with --force."


@dataclass(frozen=True, slots=True)
class Index:
    """What leeward may have written into a directory.

    Attributes:
        files: path → digests of what the file may hold if nobody else wrote it.
        of: what was rendered, such as {"project": "shop", "environment": "qa"}.
    """

    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the index as it is written."""
        files = {name: list(self.files[name]) for name in sorted(self.files)}
        return json.dumps(
            {"about": _ABOUT, "version": _VERSION, "of": dict(self.of), "files": files}, indent=1
        )


def read_index(directory: Path) -> Index | None:
    """Return the index of a directory, None where there is none.

    Raises:
        OperationError: it cannot be used.
        OSError: it cannot be read.
    """
    path = directory / INDEX
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        index = _index(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise OperationError(f"{path} is damaged: {error}", remedy=_MENDING) from error
    if found.get("version", _VERSION) > _VERSION:
        raise OperationError(f"{path} is of a newer leeward", remedy="Use that version.")
    return index


def _index(found: Any) -> Index:
    files = {str(name): tuple(map(str, digests)) for name, digests in found["files"].items()}
    require_below(files)
    return Index(files, {str(key): str(value) for key, value in found.get("of", {}).items()})


def require_below(names: Iterable[str]) -> None:
    """Check names of files.

    Raises:
        ValueError: one is not below the directory.
    """
    for name in names:
        if not _is_below(name):
            raise ValueError(f"{name!r} is not below the directory")


def _is_below(name: str) -> bool:
    """Tell whether a path stays in the directory, on every system, and is not the index."""
    parts = PureWindowsPath(name).parts
    return (
        bool(parts)
        and not any(part in ("..", "") for part in parts)
        and not (PurePosixPath(name).is_absolute() or PureWindowsPath(name).anchor)
        and "\0" not in name
        and name != INDEX
    )
