"""``leeward render --diff DIR``: what rendered files or objects would change in a directory."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from leeward.base.errors import UserInputError
from leeward.cli import output
from leeward.cli.projects import Rendered
from leeward.kube.objects import Obj
from leeward.render.writers.difference import differences
from leeward.render.writers.index import Index, read_index

_COLOURS = {"-": "31", "+": "32", "@": "36"}


def show_diff(rendered: Rendered, directory: Path) -> bool:
    """Print what is otherwise in a directory that was rendered into; tell whether anything is.

    Raises:
        UserInputError: there is no such directory, or something in it is no manifest.
        OperationError: its index is damaged.
    """
    names = (directory.as_posix(), "rendered")
    return show(differences(read_manifests(directory), rendered.objects, names=names))


def show_tree_diff(files: Mapping[str, str], directory: Path) -> bool:
    """Print what would be otherwise in a directory of Kustomize or Helm; tell whether anything would.

    Args:
        files: path relative to the directory → content.
        directory: where earlier ones may be.

    Raises:
        UserInputError: there is no such directory, or something in it cannot be read.
        OperationError: its index is damaged.
    """
    from leeward.render.writers.treediff import tree_differences

    index = _require(directory)
    before = {}
    for name in {*files, *(index.files if index else ())}:
        with contextlib.suppress(FileNotFoundError):
            before[name] = _text(directory / name)
    return show(tree_differences(before, files, names=(directory.as_posix(), "rendered")))


def show(lines: Iterable[str]) -> bool:
    """Print the lines of a diff; tell whether there are any."""
    found = False
    for line in lines:
        found = True
        colour = _COLOURS.get(line[:1])
        output.say(output.paint(line, colour) if colour else line)
    return found


def _require(directory: Path) -> Index | None:
    """Return the index of a directory, which has to be there itself."""
    if not directory.is_dir():
        raise UserInputError(
            f"there is no directory {directory}",
            remedy=f"Write it with --output-dir {directory}, or say --diff cluster.",
        )
    return read_index(directory)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise UserInputError(f"{path} cannot be read: {error}", remedy="Render it again.") from error


def read_manifests(directory: Path) -> list[Obj]:
    """Return the objects in the YAML files of a directory: those that leeward wrote, if its index tells.

    Raises:
        UserInputError: it is no directory of manifests.
        OperationError: its index is damaged.
    """
    import yaml

    index = _require(directory)
    form = index.of.get("format", "yaml") if index else "yaml"
    if form != "yaml":
        raise UserInputError(
            f"{directory} is written for {form}",
            remedy=f"Compare it with --format {form} --diff {directory}.",
        )
    paths = [directory / name for name in index.files] if index else directory.glob("*.yaml")
    found: list[Obj] = []
    for path in sorted(paths):
        try:
            text = _text(path)
            documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
        except FileNotFoundError:
            continue
        except yaml.YAMLError as error:
            raise UserInputError(f"{path} cannot be read: {error}", remedy="Render it again.") from error
        for document in filter(None, documents):
            if not isinstance(document, dict) or "name" not in (document.get("metadata") or {}):
                raise UserInputError(f"{path} holds something that is no manifest", remedy="Render it again.")
            found.append(document)
    return found
