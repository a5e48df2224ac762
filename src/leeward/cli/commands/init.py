"""``leeward init``: a first ``leeward.yaml`` for an existing Compose project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.settings.proposal import Suggestion


def init(
    files: options.Files = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing leeward.yaml.")] = False,
    show: Annotated[bool, typer.Option("--print", help="Print it instead of writing it.")] = False,
) -> None:
    """Write a commented leeward.yaml for the Compose project here: its environments and clusters.

    Finds the project's name, its Compose files, and files that are named after environments, such as
    compose.qa.yaml or .env.prod.

    Examples:

      leeward init

      leeward init --print
    """
    from leeward.base.errors import UserInputError
    from leeward.settings.config import FILE_NAME
    from leeward.settings.proposal import ENVIRONMENTS, propose

    directory, found = _look(files or [])
    text = propose(found)
    if show:
        print(text, end="")
        return
    path = directory / FILE_NAME
    if path.exists() and not force:
        raise UserInputError(
            f"{FILE_NAME} exists already",
            remedy="Use --force to overwrite it, or --print to see what would be written.",
        )
    path.write_text(text, encoding="utf-8")
    output.say(f"{path.name} has the environments {' → '.join(ENVIRONMENTS)}")
    output.note("Read it, name your clusters, then try: leeward render --env production")


def _look(files: list[Path]) -> tuple[Path, Suggestion]:
    """Return the directory of the project and what its files suggest.

    Raises:
        DiagnosticsError: there is no Compose file, or it cannot be parsed.
        UserInputError: the Compose file is not a file, or that of another tool.
    """
    import os

    from leeward.base.errors import UserInputError
    from leeward.compose.findings import Findings
    from leeward.compose.load import LoadOptions, find_project_name
    from leeward.compose.source import STANDARD_INPUT, Sources, find_files
    from leeward.settings.proposal import suggest

    here, findings, environment = Path.cwd(), Findings(), dict(os.environ)
    found = find_files([str(file) for file in files], None, environment, Sources(here, findings), findings)
    if not found.files and (here / "convox.yml").is_file():
        raise UserInputError(
            "there is no Compose file here, but a convox.yml",
            remedy="Make one of it with `leeward import convox convox.yml`.",
        )
    findings.raise_errors()
    if STANDARD_INPUT in found.files:
        raise UserInputError("leeward.yaml needs Compose files with names", remedy="Name a file with -f.")
    name = find_project_name(LoadOptions(working_dir=here, files=found.files, environment=environment))
    directory = Path(found.directory)
    relative = [os.path.relpath(file, directory) for file in found.files]
    return directory, suggest(
        name, relative, [entry.name for entry in directory.iterdir() if entry.is_file()]
    )
