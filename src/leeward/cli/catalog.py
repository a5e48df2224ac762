"""Every verb, in the order in which help shows them."""

from __future__ import annotations

import typer

from leeward.cli.commands import (
    cluster,
    down,
    drill,
    kubeconfig,
    logs,
    ps,
    render,
    restart,
    scale,
    up,
)


def add_commands(app: typer.Typer) -> None:
    """Add every verb to `app`."""
    app.command("up")(up.up)
    app.command("down")(down.down)
    app.command("ps")(ps.ps)
    app.command("logs")(logs.logs)
    app.command("restart")(restart.restart)
    app.command("scale")(scale.scale)
    app.command("render")(render.render)
    app.command("kubeconfig")(kubeconfig.kubeconfig)
    app.add_typer(cluster.build_app(), name="cluster")
    app.add_typer(drill.build_app(), name="drill")
