"""``leeward kubeconfig``: credentials for kubectl and every other client."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import UserInputError
from leeward.cli import options

if TYPE_CHECKING:
    from leeward.cluster.statedir import StateDir


def kubeconfig(
    name: options.Name = options.DEFAULT_CLUSTER,
    path: Annotated[
        bool, typer.Option("--path", help="Print the file's path instead of its content.")
    ] = False,
    user: Annotated[
        str | None, typer.Option("--user", metavar="NAME", help="Of somebody else than the administrator.")
    ] = None,
    group: Annotated[
        list[str] | None, typer.Option("--group", metavar="NAME", help="That the user is in; several times.")
    ] = None,
) -> None:
    """Print the kubeconfig of an embedded cluster.

    With --user that of somebody in the groups named, who may do what they are given: to try what `access` in
    leeward.yaml comes to.

    Examples:

      export KUBECONFIG=$(leeward kubeconfig --path)

      leeward kubeconfig --name dev > dev.kubeconfig

      leeward kubeconfig --user jane --group developers > jane.kubeconfig
    """
    from leeward.cli.clusters import require_running

    state = require_running(name, flag="--name")
    if user is not None:
        print(_of_person(state, user, group or []), end="")
        return
    if group:
        raise UserInputError("--group is about a --user", remedy="Add --user NAME.")
    print(state.kubeconfig if path else state.kubeconfig.read_text(), end="\n" if path else "")


def _of_person(state: StateDir, user: str, groups: Sequence[str]) -> str:
    import asyncio

    import yaml

    from leeward.cli.connection import connect
    from leeward.cli.people import certified
    from leeward.kube.kubeconfig import contexts_of

    async def ask() -> str:
        async with connect(state) as api:
            found = contexts_of({user: await certified(api, user, groups)})
        return yaml.safe_dump(found, sort_keys=False)

    return asyncio.run(ask())
