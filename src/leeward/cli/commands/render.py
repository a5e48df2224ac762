"""``leeward render``: the Kubernetes objects of a Compose project, for reading or for a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leeward.cli import options, output


def render(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    environment: Annotated[
        str, typer.Option("--env", help="Environment to render for, such as local or production.")
    ] = "local",
    output_dir: Annotated[
        Path | None, typer.Option("--output-dir", help="Write one file a service here instead of printing.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="yaml or json.")] = "yaml",
    notes: Annotated[bool, typer.Option("--notes", help="Print notes too, not only warnings.")] = False,
    strict: options.Strict = False,
) -> None:
    """Print the Kubernetes objects of a Compose project.

    Needs no cluster. The same input gives the same bytes.

    Examples:

      leeward render

      leeward render --env production --output-dir manifests/

      leeward render -f compose.yaml -f compose.qa.yaml | kubectl diff -f -
    """
    from leeward.base.errors import UserInputError
    from leeward.cli.projects import Source, render_project
    from leeward.render.writers import json as json_writer
    from leeward.render.writers import yaml as yaml_writer

    if form not in ("yaml", "json"):
        raise UserInputError(f"there is no format {form!r}", remedy="Use yaml or json.")
    source = Source.of(files, profiles, env_files, project_name)
    objects = render_project(source, strict=strict, environment=environment, notes=notes).objects
    if output_dir is not None:
        written = yaml_writer.write_directory(objects, output_dir)
        output.note(f"{output.count(len(written), 'file')} in {output_dir}")
        return
    text = json_writer.to_text(objects) if form == "json" else yaml_writer.to_text(objects)
    print(text, end="")
