"""A repository of clusters on disk: reading all specs, and writing what follows from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

from leeward.base.clock import SystemClock
from leeward.base.diagnostics import Diagnostic
from leeward.base.errors import DiagnosticsError, OperationError, UserInputError
from leeward.cli import output
from leeward.infra import lock as locks
from leeward.infra.hclfiles import EXTRA, extra_file
from leeward.infra.places import CLUSTERS, MARK, Places, find_places
from leeward.infra.repository import OF, Member, member, repository_files
from leeward.infra.spec import FILE_NAME, ClusterSpec
from leeward.infra.words import CLUSTER_NAME, CLUSTER_NAME_WANTED, LONGEST_CLUSTER_NAME
from leeward.render.writers.directory import Written, write_directory
from leeward.render.writers.index import read_index

_SHOWN = 12  # files that are named one by one


def today() -> date:
    """Return the day, as this machine has it."""
    return SystemClock().now().date()


def here() -> Places:
    """Return the repository that the working directory is in.

    Raises:
        UserInputError: it is in none.
    """
    return find_places(Path.cwd())


def good_specs(places: Places) -> dict[str, ClusterSpec]:
    """Return the spec of every cluster of a repository.

    Raises:
        DiagnosticsError: everything that is wrong with any of them.
    """
    read = {name: places.read(name, Path.cwd(), today()) for name in places.names}
    found = [told for each in read.values() for told in each.diagnostics]
    if found:
        raise DiagnosticsError(found)
    return {name: each.spec for name, each in read.items() if each.spec is not None}


def read_members(places: Places) -> dict[str, Member]:
    """Return every cluster of a repository.

    Raises:
        DiagnosticsError: everything that is wrong with any spec.
        UserInputError: a lock file is not one.
    """
    found: list[Diagnostic] = []
    members = {}
    for name in places.names:
        read = places.read(name, Path.cwd(), today())
        found += read.diagnostics
        if read.spec is None or read.diagnostics:
            continue
        members[name], problems = member(read.spec, places.lock(name))
        found += [read.problem(each.path, each.code, each.message, each.remedy) for each in problems]
    if found:
        raise DiagnosticsError(found)
    return members


def write(places: Places, members: Mapping[str, Member], *, force: bool) -> Written:
    """Write everything that follows from the specs.

    Raises:
        OperationError: something in the way was edited, or the file system refuses.
    """
    for name in members:
        _once(places.directory(name) / EXTRA, extra_file())
    files = {**repository_files(members), **_kept_locks(places)}
    return write_directory(files, places.root, of=OF, force=force)


def _kept_locks(places: Places) -> dict[str, str]:
    """Return the locks of clusters without a spec: only they know what those have for life."""
    found = {}
    for path in sorted((places.root / CLUSTERS).glob(f"*/{locks.FILE_NAME}")):
        text = _text(path)
        if path.parent.name not in places.names and text is not None:
            found[path.relative_to(places.root).as_posix()] = text
    return found


def _once(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
    except FileExistsError:
        pass
    except OSError as error:
        raise OperationError(f"{path} cannot be written: {error.strerror or error}") from None


def new_repository(directory: Path, *, force: bool) -> Written:
    """Make a repository in a directory that is empty, or is one already.

    Raises:
        UserInputError: something else is there.
        OperationError: it cannot be written.
    """
    if directory.exists() and not directory.is_dir():
        raise UserInputError(f"{directory} is a file", remedy="Name a directory.")
    is_one = (directory / MARK).is_file()
    there = (
        sorted(path.name for path in directory.iterdir() if path.name != ".git") if directory.is_dir() else []
    )
    if there and not is_one and not force:
        raise UserInputError(
            f"{directory} is not empty: it has {', '.join(there[:5])}{' and more' if len(there) > 5 else ''}",
            remedy="Name an empty directory, or add to this one with --force; nothing in it is overwritten.",
        )
    places = Places(directory)
    members = read_members(places)
    written = write_directory({**repository_files(members), **_kept_locks(places)}, directory, of=OF)
    (directory / CLUSTERS).mkdir(exist_ok=True)
    return written


def new_cluster(places: Places, name: str, text: str, *, addons: Mapping[str, str] | None = None) -> Written:
    """Write the spec of a new cluster, and what follows from it.

    Args:
        places: the repository.
        name: of the cluster.
        text: of its spec.
        addons: versions of add-ons that are pinned from the start, such as those of its origin.

    Raises:
        UserInputError: there is one of that name, or it can be none.
        DiagnosticsError: a spec, this or another, is wrong; then nothing is left of this one.
        OperationError: something cannot be written.
    """
    if len(name) > LONGEST_CLUSTER_NAME or not re.fullmatch(CLUSTER_NAME, name):
        raise UserInputError(
            f"{name!r} is no name of a cluster",
            remedy=f"It is {CLUSTER_NAME_WANTED}; its directory has the same.",
        )
    directory = places.directory(name)
    path = directory / FILE_NAME
    if path.exists():
        raise UserInputError(
            f"there is a cluster {name} already: {path}", remedy="Choose another name, or edit that file."
        )
    before = set(directory.iterdir()) if directory.is_dir() else set()
    made = not directory.exists()
    _once(path, text)
    try:
        members = read_members(places)
        if addons:
            members[name] = replace(members[name], lock=replace(members[name].lock, addons=addons))
        return write(places, members, force=False)
    except BaseException:
        path.unlink(missing_ok=True)
        if directory / EXTRA not in before:
            (directory / EXTRA).unlink(missing_ok=True)
        if made:
            _remove_empty(directory)
        raise


def _remove_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def tell(places: Places, written: Written) -> None:
    """Say which files were written."""
    if not written.changed and not written.removed:
        output.say("Everything is as the specs say.")
        return
    for verb, names in (("wrote", written.changed), ("removed", written.removed)):
        if names:
            _tell_names(places, verb, names)
    _tell_gone(places, written)


def _tell_gone(places: Places, written: Written) -> None:
    """Say what remains of clusters whose spec went, and that they may still be at AWS."""
    parts = [Path(name).parts for name in written.removed]
    for name in sorted(
        {each[1] for each in parts if each[0] == CLUSTERS and len(each) > 2} - {*places.names}
    ):
        directory = places.directory(name)
        left = sorted(path.name for path in directory.iterdir()) if directory.is_dir() else []
        stays = f"; what stays: {', '.join(left)}" if left else ""
        output.note(
            f"{CLUSTERS}/{name} has no {FILE_NAME} any more, so its Terraform went{stays}.\n"
            f"  At AWS nothing is destroyed by that: where it still runs, restore the directory from version "
            f"control and run leeward infra destroy {name}."
        )


def _tell_names(places: Places, verb: str, names: Sequence[str]) -> None:
    shown: Iterable[str] = names
    if len(names) > _SHOWN:
        directories = sorted({name.rsplit("/", 1)[0] + "/" if "/" in name else name for name in names})
        shown = directories
    output.say(f"{verb} {output.count(len(names), 'file')} in {places.root}:")
    for each in shown:
        output.say(f"  {each}")


def stale(places: Places, members: Mapping[str, Member]) -> list[str]:
    """Return the generated files, of all clusters named and of the repository, that are not as specs say."""
    files = repository_files(members)
    return [name for name, text in files.items() if _text(places.root / name) != text]


def check_rendered(places: Places, members: Mapping[str, Member]) -> None:
    """Say whether every generated file is as the specs say, and there is none that no spec wants.

    Raises:
        OperationError: one is not.
    """
    found = [*stale(places, members), *(f"{name} (no spec wants it)" for name in _unwanted(places, members))]
    if found:
        more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
        raise OperationError(
            "not as the specs say:\n  " + "\n  ".join([*found[:_SHOWN], *more]),
            remedy="Run leeward infra render.",
        )
    output.say("Everything is as the specs say.")


def _unwanted(places: Places, members: Mapping[str, Member]) -> list[str]:
    """Return what was rendered once and would be removed now, such as that of a cluster without a spec."""
    index, wanted = read_index(places.root), {**repository_files(members), **_kept_locks(places)}
    return [
        name
        for name in (index.files if index else ())
        if name not in wanted and (places.root / name).exists()
    ]


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
