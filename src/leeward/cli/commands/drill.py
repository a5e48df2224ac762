"""``leeward drill``: rehearse a loss before it happens."""

from __future__ import annotations

import asyncio
import json
from typing import Annotated, Any

import typer

from leeward.cli import clusters, options, output


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
        str | None, typer.Option("--url", help="What to request; the first Ingress if not given.")
    ] = None,
    project_name: options.ProjectName = None,
    cluster: options.ClusterName = clusters.DEFAULT_NAME,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Cut a zone of the running cluster under load and tell what customers noticed.

    The zone is lost after a quarter of the time and comes back after two thirds of it.

    Examples:

      leeward drill zone b

      leeward drill zone b --mode drain --rate 50 --duration 60 --url http://web.localhost:8080/
    """
    from leeward.base.errors import UserInputError

    if mode not in ("power", "drain"):
        raise UserInputError(f"there is no mode {mode!r}", remedy="Use power or drain.")
    if not 0 < rate <= 5000 or not 1 <= duration <= 3600:
        raise UserInputError("--rate is from 1 to 5000 per second, --duration from 1 to 3600 seconds")
    state = clusters.require_running(cluster)
    report = asyncio.run(_run(state, name, mode, rate, duration, url, project_name))
    if form is output.Format.JSON:
        output.say(json.dumps(report.to_json(), indent=2))
    else:
        from leeward.drill.report import to_lines

        for line in to_lines(report):
            output.say(line)
    if not report.passed:
        raise typer.Exit(1)


async def _run(
    state: Any, zone: str, mode: str, rate: float, duration: float, url: str | None, project: str | None
) -> Any:
    from leeward.base.clock import SystemClock
    from leeward.cli.connection import connect
    from leeward.drill.load import RequestKind
    from leeward.drill.zone import ZoneDrill, run_zone_drill

    async with connect(state) as api:
        found_url, namespace = await _front_door(api, state, project)
        plan = ZoneDrill(
            zone=zone,
            namespace=namespace,
            url=url or found_url,
            kinds=[RequestKind("GET", "/")],
            mode=mode,
            rate=rate,
            duration=duration,
            cut=duration * 0.25,
            back=duration * 2 / 3,
        )
        return await run_zone_drill(api, plan, SystemClock(), output.note)


async def _front_door(api: Any, state: Any, project: str | None) -> tuple[str, str]:
    """Return the URL of the first Ingress and its namespace."""
    from leeward.base.errors import OperationError

    port = state.load()["ingressPort"]
    ingresses = await api.list("ingresses.networking.k8s.io", project or "")
    for ingress in ingresses:
        for rule in (ingress.get("spec") or {}).get("rules") or ():
            if rule.get("host"):
                return f"http://{rule['host']}:{port}/", ingress["metadata"]["namespace"]
    if project:
        return f"http://127.0.0.1:{port}/", project
    raise OperationError(
        "nothing is published on this cluster", remedy="Run `leeward up` first, or name a --url."
    )
