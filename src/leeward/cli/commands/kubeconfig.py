"""``leeward kubeconfig``: credentials for kubectl and every other client."""

from __future__ import annotations

from typing import Annotated

import typer

from leeward.cli import options


def kubeconfig(
    name: options.Name = options.DEFAULT_CLUSTER,
    path: Annotated[
        bool, typer.Option("--path", help="Print the file's path instead of its content.")
    ] = False,
) -> None:
    """Print the kubeconfig of an embedded cluster.

    Examples:

      export KUBECONFIG=$(leeward kubeconfig --path)

      leeward kubeconfig --name dev > dev.kubeconfig
    """
    from leeward.cli.clusters import require_running

    state = require_running(name, flag="--name")
    print(state.kubeconfig if path else state.kubeconfig.read_text(), end="\n" if path else "")
