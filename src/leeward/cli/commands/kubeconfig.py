"""``leeward kubeconfig``: credentials for kubectl and every other client."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli.clusters import DEFAULT_NAME, require_running


def kubeconfig(
    name: Annotated[str, typer.Option("--name", help="Name of the cluster.")] = DEFAULT_NAME,
    path: Annotated[
        bool, typer.Option("--path", help="Print the file's path instead of its content.")
    ] = False,
) -> None:
    """Print the kubeconfig of an embedded cluster.

    Examples:

      export KUBECONFIG=$(leeward kubeconfig --path)

      leeward kubeconfig --name dev > dev.kubeconfig
    """
    state = require_running(name)
    print(state.kubeconfig if path else state.kubeconfig.read_text(), end="\n" if path else "")
