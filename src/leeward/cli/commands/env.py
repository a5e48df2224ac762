"""``leeward env``: environments on their clusters, and the variables and secrets of each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.cli.envchanging import Work
    from leeward.delivery.environments.variables import Version

_Env = Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Kept with the change.")]


def build_app() -> typer.Typer:
    """Return the ``env`` verbs."""
    from leeward.cli import envlisting

    text = "Write environments to their clusters; set their variables and secrets."
    app = typer.Typer(help=text, no_args_is_help=True)
    app.command("apply")(apply)
    app.command("remove")(remove)
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


def remove(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    delete_namespace: Annotated[
        bool, typer.Option("--delete-namespace", help="Also what runs there, with its volumes and variables.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Although something runs there, is locked, or needs it.")
    ] = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Take an environment off its cluster, such as one that left leeward.yaml; asks first.

    Removes the environment and who may do what there; the history stays. What runs in its namespace is kept
    unless --delete-namespace is given; without that, an environment where something runs needs --force.

    Examples:

      leeward env remove demo

      leeward env remove demo --delete-namespace --yes
    """
    import asyncio

    from leeward.cli.envremoving import remove as take_away
    from leeward.cli.hubaccess import application_of

    application = application_of(files, project_name, context, cluster)
    asyncio.run(take_away(application, environment, yes=yes, force=force, with_namespace=delete_namespace))


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
    one command become one version. NAME=@secretsmanager:ID, with #KEY one key of it, and NAME=@ssm:/PATH take
    what AWS has now. A name that no Compose file uses is set all the same, with a warning.

    Examples:

      leeward env set LOG_LEVEL=debug --env qa

      leeward env set DB_PASSWORD --env production --reason "rotated"

      leeward env set api-token=@token.txt --env qa

      leeward env set DB_PASSWORD=@secretsmanager:shop/db#password --env production
    """
    from leeward.cli.awsvalues import AwsValues
    from leeward.cli.envchanging import change, warn_of_idle
    from leeward.cli.envvalues import parse_values
    from leeward.cli.hubaccess import application_of
    from leeward.cli.projects import Source
    from leeward.delivery.environments import variables

    application = application_of(files, project_name, context, cluster)
    application.require(environment)
    wanted = parse_values(values, AwsValues(application, environment).one)
    source = Source.of(files, None, None, project_name)

    async def write(work: Work) -> Version:
        await warn_of_idle(source, work, wanted)
        return await variables.set_values(*work.at(wanted))

    _tell(environment, change(application, environment, reason, write))


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
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Lines of NAME=value, as in .env; or a place in AWS.")
    ],
    environment: _Env,
    reason: _Reason = "",
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Set the variables of a file that an environment has not yet; what it has stays as it is.

    A place in AWS is `secretsmanager:ID`, whose keys are variables, or all below `secretsmanager:PREFIX/` or
    `ssm:/PATH/`.

    Examples:

      leeward env import qa.env --env qa

      leeward env import secretsmanager:shop/production/ --env production
    """
    from leeward.cli.awsvalues import AwsValues
    from leeward.cli.envchanging import change, read_file, warn_of_idle
    from leeward.cli.hubaccess import application_of
    from leeward.cli.projects import Source
    from leeward.delivery.environments import variables

    application = application_of(files, project_name, context, cluster)
    application.require(environment)
    wanted = AwsValues(application, environment).several(file) or read_file(Path(file))
    source = Source.of(files, None, None, project_name)

    async def write(work: Work) -> tuple[Version, list[str]]:
        await warn_of_idle(source, work, wanted)
        return await variables.import_missing(*work.at(wanted))

    version, names = change(application, environment, reason, write)
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
