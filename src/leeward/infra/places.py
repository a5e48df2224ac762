"""Where the files of a repository of clusters are.

A repository has a directory ``clusters`` with one directory a cluster. It is found from the directory one is
in and those above, so that commands work from everywhere inside, as git's do.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from leeward.base.errors import DiagnosticsError, UserInputError
from leeward.compose.findings import Findings, did_you_mean
from leeward.compose.source import Sources
from leeward.infra import lock as locks
from leeward.infra.lock import Lock, parse_lock
from leeward.infra.spec import FILE_NAME, ClusterSpec
from leeward.infra.specfile import SpecFile, read_spec
from leeward.infra.tfvars import FILE_NAME as VARIABLES

CLUSTERS = "clusters"
MARK = ".leeward.json"  # the index of what leeward generated


@dataclass(frozen=True, slots=True)
class Places:
    """The directories of a repository."""

    root: Path  # absolute

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of its clusters' directories, those with a spec."""
        found = (self.root / CLUSTERS).glob(f"*/{FILE_NAME}")
        return tuple(sorted(path.parent.name for path in found if path.is_file()))

    def directory(self, name: str) -> Path:
        """Return the directory of a cluster, which need not be there."""
        return self.root / CLUSTERS / name

    def spec_path(self, name: str) -> Path:
        """Return the path of a cluster's spec.

        Raises:
            UserInputError: there is none.
        """
        path = self.directory(name) / FILE_NAME
        if not path.is_file():
            names = self.names
            listed = (
                f"There are: {', '.join(names)}."
                if names
                else "Make one: leeward infra add NAME --region REGION."
            )
            remedy = did_you_mean(name, names) or listed
            raise UserInputError(f"there is no cluster {name!r} in {self.root / CLUSTERS}", remedy=remedy)
        return path

    def read(self, name: str, working_dir: Path, today: date) -> SpecFile:
        """Return the spec file of a cluster, with everything that is wrong.

        Args:
            name: of the cluster.
            working_dir: names of files are told relative to it.
            today: decides which versions are retired.

        Raises:
            UserInputError: there is none.
        """
        path, findings = self.spec_path(name), Findings()
        read = read_spec(str(path), Sources(working_dir, findings), findings, today)
        if read.spec is not None and read.spec.name != name:
            wrong = read.problem(
                ("name",), "wrong-name",
                f"The directory of this cluster is {name}, but its name is {read.spec.name}.",
                "Rename the directory, or correct the name.",
            )  # fmt: skip
            return SpecFile(read.path, read.spec, read.tree, (*read.diagnostics, wrong))
        return read

    def lock(self, name: str) -> Lock | None:
        """Return what a cluster keeps for life, or None before it was rendered.

        Raises:
            UserInputError: the file is not one that leeward wrote, or it was lost.
        """
        path = self.directory(name) / locks.FILE_NAME
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            if (path.parent / VARIABLES).exists():
                raise UserInputError(
                    f"{path} is gone, although this cluster was rendered",
                    remedy="Restore it from version control: only it knows the addresses and zones of the "
                    f"cluster. In a directory that was copied, remove {VARIABLES} too.",
                ) from None
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise UserInputError(f"{path} cannot be read: {error}") from None
        return parse_lock(text, str(path))


def find_places(start: Path) -> Places:
    """Return the repository that holds `start`, absolute.

    Raises:
        UserInputError: there is none.
    """
    for directory in (start, *start.parents):
        if _is_repository(directory):
            return Places(directory)
    raise UserInputError(
        f"{start} is in no repository of clusters",
        remedy="Make one in an empty directory: leeward infra init.",
    )


def _is_repository(directory: Path) -> bool:
    """Tell whether `directory` is one; version control does not keep a ``clusters`` that is still empty."""
    if (directory / MARK).is_file():
        return (directory / CLUSTERS).is_dir() or (directory / "modules").is_dir()
    return any((directory / CLUSTERS).glob(f"*/{FILE_NAME}"))


def good_spec(read: SpecFile) -> ClusterSpec:
    """Return the spec of a file with which nothing is wrong.

    Raises:
        DiagnosticsError: everything that is.
    """
    if read.diagnostics or read.spec is None:
        raise DiagnosticsError(read.diagnostics)
    return read.spec
