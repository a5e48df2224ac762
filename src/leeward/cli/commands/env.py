"""``leeward env``: environments on their clusters, and the variables and secrets of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.delivery.environments.variables import Version

_Env = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept with the change.")]


def build_app() -> typer.Typer:
    """Return the ``env`` verbs."""
    from leeward.cli import envlisting

    text = "Write environments to their clusters; set their variables and secrets."
    app = typer.Typer(help=text, no_args_is_help=True)
    app.command("apply")(apply)
    app.command("set")(set_values)
    app.command("unset")(unset)
    app.command("import")(import_file)
    app.command("list")(envlisting.list_values)
    app.command("history")(envlisting.history)
    return app


def apply(
    names: Annotated[list[str] | None, typer.Argument(metavar="[ENV...]")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Write environments of leeward.yaml, and who may do what, to their clusters; all without a name.

    Shows what would change, field by field, and asks. Promotions go by what is written there, not by
    leeward.yaml.

    Examples:

      leeward env apply

      leeward env apply production --yes
    """
    from leeward.cli.envapplying import apply_environments
    from leeward.cli.hub import Reach
    from leeward.cli.projects import Source

    source = Source.of(files, None, None, project_name)
    apply_environments(source, Reach(context, cluster), names or [], yes=yes)


def set_values(
    values: Annotated[
        list[str], typer.Argument(metavar="NAME=VALUE...", help="Or NAME=@FILE, NAME=-, NAME.")
    ],
    environment: _Env,
    reason: _Reason = "",
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Set variables and secrets of an environment; the next promotion takes them.

    NAME=@FILE takes a file, NAME=- standard input, and NAME alone asks without showing what is typed. All of
    one command become one version.

    Examples:

      leeward env set LOG_LEVEL=debug --env qa

      leeward env set DB_PASSWORD --env production --reason "rotated"

      leeward env set api-token=@token.txt --env qa
    """
    from leeward.cli.envchanging import change
    from leeward.cli.envvalues import parse_values
    from leeward.cli.hubaccess import application_of
    from leeward.delivery.environments import variables

    application = application_of(files, project_name, context, cluster)
    application.require(environment)
    wanted = parse_values(values)

    version = change(application, environment, reason, lambda work: variables.set_values(*work.at(wanted)))
    _tell(environment, version)


def unset(
    names: Annotated[list[str], typer.Argument(metavar="NAME...")],
    environment: _Env,
    reason: _Reason = "",
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Remove variables and secrets of an environment; the next promotion is without them."""
    from leeward.cli.envchanging import change
    from leeward.cli.hubaccess import application_of
    from leeward.delivery.environments import variables

    application = application_of(files, project_name, context, cluster)
    version = change(application, environment, reason, lambda work: variables.unset_values(*work.at(names)))
    removed = version.unset if version.is_new else ()
    if absent := [name for name in names if name not in removed]:
        output.note(f"{', '.join(absent)} {'was' if len(absent) == 1 else 'were'} not set")
    if removed:
        output.say(f"{environment}: version {version.number} is without {', '.join(removed)}")


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Lines of NAME=value, as in .env.")],
    environment: _Env,
    reason: _Reason = "",
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Set the variables of a file that an environment has not yet; what it has stays as it is."""
    from leeward.cli.envchanging import change, read_file
    from leeward.cli.hubaccess import application_of
    from leeward.delivery.environments import variables

    application = application_of(files, project_name, context, cluster)
    application.require(environment)
    wanted = read_file(file)
    version, names = change(
        application, environment, reason, lambda work: variables.import_missing(*work.at(wanted))
    )
    kept = len(wanted) - len(names)
    if kept:
        output.note(f"{output.count(kept, 'variable')} of {file} {'is' if kept == 1 else 'are'} set already")
    if names:
        _tell(environment, version)


def _tell(environment: str, version: Version) -> None:
    if not version.is_new:
        output.note(f"nothing changes: version {version.number} of {environment} has that already")
        return
    output.say(f"{environment}: version {version.number} has {', '.join(version.set)}")
    output.note("the next promotion takes it; what runs goes on as it is")
