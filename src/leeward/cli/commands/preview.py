"""``leeward preview``: the previews of an application, and those whose time is over."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli import options, output


def build_app() -> typer.Typer:
    """Return the ``preview`` verbs."""
    app = typer.Typer(
        help="List the previews of an application, and remove those whose time is over.",
        no_args_is_help=True,
    )
    app.command("list")(list_)
    app.command("prune")(prune)
    return app


def list_(
    files: options.Files = None,
    project_name: options.ProjectName = None,
    cluster: options.AnyCluster = None,
    context: options.PreviewContext = None,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the previews of the application here, with their ends and URLs.

    `leeward up --preview NAME` makes one, `leeward down --preview NAME` removes it.
    """
    from leeward.cli.previewpruning import show_previews
    from leeward.cli.previews import find_home
    from leeward.cli.projects import Source

    show_previews(find_home(Source.of(files, None, None, project_name), cluster, context), form)


def prune(
    files: options.Files = None,
    project_name: options.ProjectName = None,
    cluster: options.AnyCluster = None,
    context: options.PreviewContext = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which, and remove none.")] = False,
) -> None:
    """Remove the previews of the application here whose time is over, with their volumes; nothing else.

    Examples:

      leeward preview prune --dry-run
    """
    from leeward.cli import previewpruning
    from leeward.cli.previews import find_home
    from leeward.cli.projects import Source

    home = find_home(Source.of(files, None, None, project_name), cluster, context)
    previewpruning.prune(home, dry_run=dry_run)
