"""``leeward import``: Compose files from what other platforms read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli import output


def build_app() -> typer.Typer:
    """Return the ``import`` verbs."""
    app = typer.Typer(help="Make a Compose file from the file of another platform.", no_args_is_help=True)
    app.callback()(_group)
    app.command("convox")(convox)
    return app


def _group() -> None:
    """Make a Compose file from the file of another platform."""


def convox(
    file: Annotated[Path, typer.Argument(metavar="CONVOX.YML", help="The file to translate.")] = Path(
        "convox.yml"
    ),
    target: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; - prints.  [default: compose.yaml beside it]",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    env_file: Annotated[
        Path | None, typer.Option("--env-file", metavar="FILE", help="Environment of a release; only read.")
    ] = None,
) -> None:
    """Translate a convox.yml to a Compose file with x-leeward, and tell what changed.

    Examples:

      leeward import convox

      leeward import convox --env-file release.env --output -
    """
    import re

    from leeward.base.errors import UserInputError
    from leeward.convox.importer import convert

    content = _read(file)
    variables = _read(env_file).decode("utf-8", "replace") if env_file else ""
    name = re.sub(r"[^a-z0-9_-]", "", file.absolute().parent.name.lower()).lstrip("_-") or "app"
    made = convert(content, str(file), name, variables, str(env_file or ".env"))
    where = target or file.parent / "compose.yaml"
    if str(where) == "-":
        print(made.text, end="")
    elif where.exists() and not force:
        raise UserInputError(f"{where} exists", remedy="Add --force to write over it, or use --output.")
    else:
        try:
            where.write_text(made.text, encoding="utf-8")
        except OSError as error:
            raise UserInputError(f"{where} cannot be written: {error.strerror}") from error
        output.note(f"{where} is written")
    output.show_diagnostics(made.report)


def _read(path: Path) -> bytes:
    """Return the content of a file.

    Raises:
        UserInputError: it cannot be read.
    """
    from leeward.base.errors import UserInputError

    try:
        return path.read_bytes()
    except OSError as error:
        raise UserInputError(
            f"{path} cannot be read: {error.strerror}", remedy="Give the right name."
        ) from error
