"""Options that several verbs share, with the same names and help as Docker Compose's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
Name = Annotated[str, typer.Option("--name", "--cluster", metavar="NAME", help="Name of the cluster.")]
DEFAULT_CLUSTER = "local"
Context = Annotated[
    str | None,
    typer.Option("--context", metavar="NAME", help="Context of your kubeconfig, instead of leeward.yaml's."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Form of the listing.")]
ReportOutput = Annotated[
    ReportFormat, typer.Option("--output", "-o", help="Form of the report; sarif is for code review.")
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat warnings as errors.")]
