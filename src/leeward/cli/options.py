"""Options that several verbs share, with the same names and help as Docker Compose's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli.output import Format, ReportFormat

Files = Annotated[
    list[Path] | None,
    typer.Option(
        "--file",
        "-f",
        metavar="FILE",
        help="Compose file; may be repeated, later ones override earlier ones.",
    ),
]
Profiles = Annotated[
    list[str] | None, typer.Option("--profile", metavar="NAME", help="Enable a profile; may be repeated.")
]
EnvFiles = Annotated[
    list[Path] | None,
    typer.Option("--env-file", metavar="FILE", help="File with variables, instead of .env; may be repeated."),
]
ProjectName = Annotated[
    str | None,
    typer.Option("--project-name", "-p", metavar="NAME", help="Project name, and namespace on the cluster."),
]
ClusterName = Annotated[
    str, typer.Option("--cluster", "--name", metavar="NAME", help="Name of the embedded cluster.")
]
AnyCluster = Annotated[
    str | None,
    typer.Option(
        *("--cluster", "--name"),
        metavar="NAME",
        help="Name of the embedded cluster; for previews, a cluster of leeward.yaml too.",
    ),
]
Name = Annotated[str, typer.Option("--name", "--cluster", metavar="NAME", help="Name of the cluster.")]
DEFAULT_CLUSTER = "local"
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="Context of your kubeconfig, instead of leeward.yaml's."),
]
Preview = Annotated[
    str | None,
    typer.Option("--preview", metavar="NAME", help="The preview of that name, such as pr-12, instead."),
]
PreviewContext = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Context of your kubeconfig; for previews.")
]
Environment = Annotated[
    str | None,
    typer.Option("--env", metavar="ENV", help="Of an environment of leeward.yaml, instead of the project."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the listing.")]
ReportOutput = Annotated[
    ReportFormat, typer.Option("--output", "-o", help="Form of the report; sarif is for code review.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")]


def need_preview(preview: str | None, given: Mapping[str, object]) -> None:
    """Refuse options that mean something only with ``--preview``.

    Args:
        preview: the value of that.
        given: option → its value.

    Raises:
        UserInputError: one is given without it.
    """
    if preview is None and (alone := [name for name, value in given.items() if value]):
        raise UserInputError(f"{alone[0]} is for previews only", remedy="Add --preview NAME.")
