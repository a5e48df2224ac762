"""``leeward exec``: a command in a Pod of a service that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError, UserInputError
from leeward.cli import options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from leeward.cli.room import Whereabouts
    from leeward.delivery.services import Service
    from leeward.kube.objects import Obj
    from leeward.kube.remote import Wanted

CONTEXT_SETTINGS = {"allow_interspersed_args": False}  # what follows the service is the command's
_CHANGE_DIRECTORY = 'cd "$1" && shift && exec "$@"'


def exec(  # noqa: A001 - the name of the verb
    service: Annotated[str, typer.Argument(metavar="SERVICE")],
    command: Annotated[list[str], typer.Argument(metavar="COMMAND...", help="Options of it may follow.")],
    environment: options.Environment = None,
    no_tty: Annotated[
        bool, typer.Option("--no-tty", "-T", "--no-TTY", help="No terminal, even where there is one.")
    ] = False,
    interactive: Annotated[
        bool, typer.Option("--interactive/--no-interactive", "-i", help="Pass on what is typed or piped.")
    ] = True,
    index: Annotated[
        int | None,
        typer.Option(
            "--index", min=1, help="Which of its Pods, in order of names; else the first that is ready."
        ),
    ] = None,
    variables: Annotated[
        list[str] | None, typer.Option("--env-var", "-e", metavar="NAME=VALUE", help="Set a variable.")
    ] = None,
    workdir: Annotated[str, typer.Option("--workdir", "-w", metavar="DIR", help="Where to run it.")] = "",
    user: Annotated[str, typer.Option("--user", "-u", hidden=True)] = "",
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Run a command in a Pod of a service that runs, with its exit code.

    With a terminal here the command gets one. -e needs `env` in the image, -w needs `sh`.

    Examples:

      leeward exec web sh

      leeward exec --env qa api python manage.py showmigrations

      cat dump.sql | leeward exec --env ci db psql
    """
    import asyncio

    from leeward.cli import terminal
    from leeward.cli.given import variables_of
    from leeward.cli.room import Whereabouts
    from leeward.kube.remote import Wanted

    if user:
        raise UserInputError(
            "Kubernetes runs commands as the user of the container only",
            remedy=f"To have another one: leeward run --user {user} {service} …",
        )
    where = Whereabouts(
        environment=environment, files=files, env_files=env_files, project_name=project_name,
        context=context, cluster=cluster,
    )  # fmt: skip
    tty = interactive and not no_tty and terminal.is_terminal()
    wanted = Wanted(stdin=interactive and terminal.has_input(), tty=tty)
    words = wrapped(command, variables_of(variables), workdir)
    code = asyncio.run(_run(where, service, index, wanted, words, command[0]))
    raise typer.Exit(code)


def wrapped(command: Sequence[str], variables: Mapping[str, str], workdir: str) -> list[str]:
    """Return the words that run a command with variables and in a directory, which exec itself cannot."""
    words = list(command)
    if variables:
        words = ["env", *(f"{name}={value}" for name, value in variables.items()), *words]
    if workdir:
        words = ["sh", "-c", _CHANGE_DIRECTORY, "sh", workdir, *words]
    return words


def choose_pod(service: Service, pods: Sequence[Obj], index: int | None) -> Obj:
    """Return the Pod that is meant: of all that run the one with the number, else the first that is ready.

    Raises:
        UserInputError: there is no such number.
        OperationError: none runs.
    """
    from leeward.kube.pods import is_active

    running = [pod for pod in service.pods(pods) if is_active(pod) and pod["spec"].get("nodeName")]
    if not running:
        raise OperationError(
            f"no Pod of {service.name} runs",
            remedy=f"To run a command in a Pod of its own: leeward run {service.name} COMMAND",
        )
    if index is None:
        return running[0]
    by_name = sorted(running, key=lambda pod: str(pod["metadata"]["name"]))
    if index > len(by_name):
        raise UserInputError(
            f"{service.name} has no Pod number {index}",
            remedy=f"It has {len(by_name)}: leeward ps shows them.",
        )
    return by_name[index - 1]


async def _run(
    where: Whereabouts, name: str, index: int | None, wanted: Wanted, words: Sequence[str], program: str
) -> int:
    from leeward.cli.room import entered
    from leeward.cli.talking import talk

    async with entered(where) as room:
        service = room.service(name)
        pod = choose_pod(service, await room.api.list("pods", room.namespace), index)

        async def opened() -> None:
            await room.record(
                "exec", "started", service=service.name, pod=pod["metadata"]["name"], program=program
            )

        return await talk(room.api, pod, service.container, wanted, words, opened)
