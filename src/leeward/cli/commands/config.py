"""``leeward config``: what the Compose files of a project come to, as `docker compose config` prints it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated

import typer

from leeward.cli import options


def config(
    files: options.Files = None,
    profiles: options.Profiles = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    form: Annotated[str, typer.Option("--format", help="yaml or json.")] = "yaml",
    services: Annotated[bool, typer.Option("--services", help="Print the names of services.")] = False,
    volumes: Annotated[bool, typer.Option("--volumes", help="Print the names of volumes.")] = False,
    images: Annotated[bool, typer.Option("--images", help="Print the images of services.")] = False,
    show_profiles: Annotated[
        bool, typer.Option("--profiles", help="Print the profiles that the files mention.")
    ] = False,
    hashed: Annotated[
        str | None,
        typer.Option("--hash", metavar="NAMES", help='Print a hash of services: "*", or names with commas.'),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Check the files and print nothing.")] = False,
    strict: options.Strict = False,
) -> None:
    """Print the Compose project that the files come to.

    Files are merged, variables substituted, short forms written out.

    The output is a Compose file again, and loads to the same project. Values that environment files bring
    are in it, so treat it as you treat them.

    Examples:

      leeward config

      leeward config --env-file qa.env --profile debug --format json

      leeward config --images
    """
    from leeward.base.collector import collection_paused
    from leeward.base.errors import UserInputError
    from leeward.cli.projects import Source, load_options, show_findings, stop_at_errors
    from leeward.compose.dump import hashes, image_names, profile_names, to_text
    from leeward.compose.load import load_project

    if form not in ("yaml", "json"):
        raise UserInputError(f"there is no format {form!r}", remedy="Use yaml or json.")
    with collection_paused():
        loaded = load_project(load_options(Source.of(files, profiles, env_files, project_name)))
    stop_at_errors(loaded.diagnostics, strict=strict)
    show_findings(loaded.diagnostics)
    project = loaded.project
    if quiet:
        return
    listings: tuple[tuple[bool, Callable[[], Iterable[str]]], ...] = (
        (services, lambda: project.services),
        (volumes, lambda: project.volumes),
        (images, lambda: image_names(project)),
        (show_profiles, lambda: profile_names(project)),
        (hashed is not None, lambda: hashes(project, hashed or "*")),
    )
    for asked, lines in listings:
        if asked:
            print("".join(f"{line}\n" for line in lines()), end="")
            return
    print(to_text(project, form), end="")
