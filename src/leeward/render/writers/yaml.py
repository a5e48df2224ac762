"""YAML for people: one stream, or a directory that can be rendered again safely.

Invariants: above every document a comment names the Compose file and line it comes from. In a
directory, only files that start with :data:`HEADER` are ever replaced or removed; nothing is touched
unless everything can be written; an unchanged file keeps its modification time; a service that is
gone takes its file with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from leeward.base.errors import OperationError
from leeward.kube.objects import Obj, annotations_of, labels_of
from leeward.kube.wellknown import APP_NAME, ORIGIN
from leeward.render.order import in_order
from leeward.render.writers.emitter import to_yaml

HEADER = "# Rendered by leeward from Compose files; render again instead of editing.\n"
NAMESPACE_FILE = "00-namespace.yaml"
SHARED_FILE = "01-shared.yaml"


def to_text(objects: Iterable[Obj]) -> str:
    """Return `objects` as a YAML stream, each document under a comment naming its origin."""
    documents = []
    for obj in objects:
        origin = annotations_of(obj).get(ORIGIN, "")
        comment = f"# from {origin}\n" if origin else ""
        documents.append(f"---\n{comment}{to_yaml(obj)}")
    return "".join(documents)


def layout(objects: Iterable[Obj]) -> dict[str, str]:
    """Return file name → content: the namespace, what services share, then one file per service."""
    groups: dict[str, list[Obj]] = {}
    for obj in in_order(objects):
        service = labels_of(obj).get(APP_NAME)
        name = f"{service}.yaml" if service else SHARED_FILE
        groups.setdefault(NAMESPACE_FILE if obj["kind"] == "Namespace" else name, []).append(obj)
    return {name: HEADER + to_text(groups[name]) for name in sorted(groups)}


def _is_ours(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(HEADER)) == HEADER.encode()


def write_directory(objects: Iterable[Obj], directory: Path) -> list[Path]:
    """Write `objects` to `directory`, replacing what an earlier rendering wrote there.

    Returns:
        The files that hold the objects, in order, also those that did not change.

    Raises:
        OperationError: a file of that name is there that leeward did not write; nothing is changed.
    """
    files = layout(objects)
    directory.mkdir(parents=True, exist_ok=True)
    for name in files:
        path = directory / name
        if path.exists() and not (path.is_file() and _is_ours(path)):
            raise OperationError(
                f"{path} was not written by leeward and would be overwritten.",
                remedy="Move it away, or choose another directory.",
            )
    for path in sorted(directory.glob("*.yaml")):
        if path.name not in files and path.is_file() and _is_ours(path):
            path.unlink()
    for name, content in files.items():
        path = directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.write_text(content, encoding="utf-8")
    return [directory / name for name in files]
