"""``leeward run``: a service once, in a Pod of its own, with another command."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.cli.room import Whereabouts
    from leeward.delivery.oneoff import OneOff

CONTEXT_SETTINGS = {"allow_interspersed_args": False}  # what follows the service is the command's


def run(
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[COMMAND]...", help="Instead of the service's own.")
    ] = None,
    environment: options.Environment = None,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Start it, print its name and return.")
    ] = False,
    remove: Annotated[
        bool, typer.Option("--rm/--no-rm", help="Remove it when it has ended; else an hour after that.")
    ] = True,
    no_tty: Annotated[
        bool, typer.Option("--no-tty", "-T", "--no-TTY", help="No terminal, even where there is one.")
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive/--no-interactive", "-i", help="Pass on what is typed or piped.")
    ] = True,
    variables: Annotated[
        list[str] | None, typer.Option("--env-var", "-e", metavar="NAME=VALUE", help="Set a variable.")
    ] = None,
    entrypoint: Annotated[
        str | None, typer.Option("--entrypoint", metavar="COMMAND", help="Instead of the image's.")
    ] = None,
    workdir: Annotated[str, typer.Option("--workdir", "-w", metavar="DIR", help="Where to run it.")] = "",
    user: Annotated[str, typer.Option("--user", "-u", metavar="UID[:GID]", help="As whom.")] = "",
    name: Annotated[str, typer.Option("--run-name", metavar="NAME", help="What the Job is called.")] = "",
    no_deps: Annotated[
        bool,
        typer.Option("--no-deps", help="Do not wait for what the service depends on; nothing is started."),
    ] = False,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Run a service once in a Pod of its own, with another command, and end with its exit code.

    It has the image, variables, secrets, volumes and networks that the service has there, but no ports, and
    no traffic comes to it. It is a Job, and is removed when it has ended or is interrupted. What -e sets can
    be read by whoever may read Jobs.

    Examples:

      leeward run web python manage.py migrate

      leeward run --env qa -e LEVEL=debug api python report.py

      leeward run --env production --no-interactive db psql -c "select 1"
    """
    import asyncio

    from leeward.base.ids import SystemIds
    from leeward.cli import terminal
    from leeward.cli.given import user_of, variables_of
    from leeward.cli.room import Whereabouts
    from leeward.delivery.oneoff import OneOff
    from leeward.render.naming import dns_label, join_label

    where = Whereabouts(
        environment=environment, files=files, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    if name and name != dns_label(name):
        raise UserInputError(f"{name!r} cannot be the name of a Job", remedy=f"Such as {dns_label(name)}.")
    uid, gid = user_of(user)
    reads = interactive and not detach and terminal.has_input()
    wanted = OneOff(
        name=name or join_label(dns_label(service), "run", SystemIds().suffix()),
        command=tuple(command or ()),
        entrypoint=_words(entrypoint),
        variables=variables_of(variables),
        workdir=workdir,
        user=uid,
        group=gid,
        stdin=reads,
        tty=reads and not no_tty and terminal.is_terminal(),
        waits=not no_deps,
    )
    code = asyncio.run(_run(where, service, wanted, detach=detach, keep=not remove))
    raise typer.Exit(code)


def _words(text: str | None) -> tuple[str, ...] | None:
    import shlex

    if text is None:
        return None
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise UserInputError(f"--entrypoint {text!r}: {error}", remedy="Close the quotes.") from None


async def _run(where: Whereabouts, service: str, wanted: OneOff, *, detach: bool, keep: bool) -> int:
    from leeward.cli.onetime import run_once, start
    from leeward.cli.room import entered
    from leeward.cli.terminal import cancelled_when_ended

    async with entered(where) as room:
        found = room.service(service)
        if not detach:
            with cancelled_when_ended():
                return await run_once(room, found, wanted, keep=keep)
        await start(room, found, wanted)
        output.say(wanted.name)
        output.note(f"kubectl logs -f job/{wanted.name} -n {room.namespace}")
        return 0
