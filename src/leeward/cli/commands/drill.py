"""``leeward drill``: rehearse a loss before it happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output
from leeward.cli.interrupts import TERMINATED, end_on_sigterm

if TYPE_CHECKING:
    from leeward.cli.target import Running, Target
    from leeward.kube.client import KubeClient


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wish:
    """What was asked for on the command line."""

    zone: str
    mode: str
    rate: float
    duration: float
    url: str | None


def build_app() -> typer.Typer:
    """Return the ``drill`` verbs."""
    app = typer.Typer(help="Rehearse losses on a running cluster.", no_args_is_help=True)
    app.command("zone")(zone)
    app.callback()(lambda: None)
    return app


def zone(
    name: Annotated[str, typer.Argument(metavar="ZONE", help="The zone to lose, such as b or local-b.")],
    mode: Annotated[str, typer.Option("--mode", help="power (abrupt) or drain (orderly).")] = "power",
    rate: Annotated[float, typer.Option("--rate", help="Requests per second.")] = 100.0,
    duration: Annotated[float, typer.Option("--duration", help="Seconds of load.")] = 30.0,
    url: Annotated[
        str | None,
        typer.Option("--url", help="What to GET; the first that answers, Ingress or Service, if not given."),
    ] = None,
    files: options.Files = None,
    env_files: options.EnvFiles = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Cut a zone of the running cluster under load and tell what customers noticed.

    The zone is lost after a quarter of the time and comes back after two thirds of it. The project is
    that of the Compose file here, or the only one on the cluster.

    Examples:

      leeward drill zone b

      leeward drill zone b --mode drain --rate 50 --duration 60 --url http://web.localhost:8080/
    """
    import asyncio

    from leeward.base.errors import UserInputError
    from leeward.cli import clusters

    if mode not in ("power", "drain"):
        raise UserInputError(f"there is no mode {mode!r}", remedy="Use power or drain.")
    if not 0 < rate <= 5000 or not 1 <= duration <= 3600:
        raise UserInputError("--rate is at most 5000 per second, --duration from 1 to 3600 seconds")
    if url is not None:
        from leeward.drill.request import Door

        Door.of(url)  # refuse it before anything is asked of the cluster
    wish = _Wish(zone=name, mode=mode, rate=rate, duration=duration, url=url)
    target = _target(cluster, files, project_name, env_files)
    try:
        report = asyncio.run(_run(clusters.require_running(cluster), target, wish))
    except asyncio.CancelledError:
        raise typer.Exit(TERMINATED) from None
    if form is output.Format.JSON:
        output.say(json.dumps(report.to_json(), indent=2))
    else:
        from leeward.drill.report import to_lines

        for line in to_lines(report):
            output.say(line)
    if not report.passed:
        raise typer.Exit(1)


def _target(
    cluster: str,
    files: Sequence[Path] | None,
    project_name: str | None,
    env_files: Sequence[Path] | None,
) -> Target | None:
    """Return the project that was named or is here; None when neither."""
    from leeward.base.errors import DiagnosticsError
    from leeward.cli.target import find_target

    try:
        return find_target(cluster, files, project_name, env_files)
    except DiagnosticsError as error:
        if any(found.code != "no-compose-file" for found in error.diagnostics):
            raise
        return None


async def _run(state: Any, target: Target | None, wish: _Wish) -> Any:
    from leeward.base.clock import SystemClock
    from leeward.cli.connection import connect
    from leeward.drill.frontdoor import find_front_door
    from leeward.drill.request import Door, RequestKind
    from leeward.drill.zone import ZoneDrill, run_zone_drill

    end_on_sigterm()
    async with connect(state) as api:
        namespace = await _namespace(api, target)
        url = wish.url or await find_front_door(api, namespace, state.load()["ingressPort"])
        plan = ZoneDrill(
            zone=wish.zone,
            namespace=namespace,
            url=url,
            kinds=[RequestKind("GET", Door.of(url).path)],
            mode=wish.mode,
            rate=wish.rate,
            duration=wish.duration,
            cut=wish.duration * 0.25,
            back=wish.duration * 2 / 3,
        )
        return await run_zone_drill(api, plan, SystemClock(), output.note)


async def _namespace(api: KubeClient, target: Target | None) -> str:
    """Return the namespace of the project; one that only kubectl or Helm filled will do.

    Raises:
        UserInputError: there are several projects to choose from.
        OperationError: the project is not on the cluster, or none is.
    """
    from leeward.cli.target import find_running, require_project
    from leeward.drill.services import WORKLOADS
    from leeward.render.naming import dns_label

    running = await find_running(api)
    if target is None:
        return dns_label(only_project(running))
    foreign = [name for name in WORKLOADS if not target.here and await api.list(name, target.namespace)]
    if not foreign:
        require_project(target, running)
    return target.namespace


def only_project(running: Running) -> str:
    """Return the one project on a cluster.

    Raises:
        UserInputError: there are several.
        OperationError: there is none.
    """
    from leeward.base.errors import OperationError, UserInputError

    names = sorted(running)
    if not names:
        raise OperationError("no project is on this cluster", remedy="Start one with `leeward up`.")
    if len(names) > 1:
        raise UserInputError(
            f"several projects are on this cluster: {', '.join(names)}",
            remedy=f"Name one, such as `-p {names[0]}`, or go to the directory of its Compose file.",
        )
    return names[0]
