"""``leeward audit``: who did what, when, and whether anybody changed that afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj

    Trail = tuple[list[Obj], Obj | None]

_COLUMNS = ("number", "time", "by", "action", "environment", "release", "result", "details")
_Env = Annotated[str | None, typer.Option("--env", metavar="NAME", help="Only this environment's.")]


def build_app() -> typer.Typer:
    """Return the ``audit`` verbs."""
    app = typer.Typer(help="Show and check the trail of who did what.", no_args_is_help=True)
    app.command("list")(list_records)
    app.command("verify")(verify)
    return app


def list_records(
    environment: _Env = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="DURATION", help="Only of the last 2h, 30m, …")
    ] = None,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List who did what, oldest first.

    Examples:

      leeward audit list --env production --since 24h

      leeward audit list -o json
    """
    import asyncio

    from leeward.cli.hubaccess import application_of, ask_hubs

    begin = _begin(since)
    application = application_of(files, project_name, context, cluster)
    answers = asyncio.run(ask_hubs(application, environment, _trail_of(application.name)))
    found = [
        _row(obj["spec"], hub.cluster)
        for hub in answers.hubs
        for obj in hub.answer[0]
        if environment in (None, obj["spec"].get("environment")) and obj["spec"]["time"] >= begin
    ]

    columns = _COLUMNS if len(answers.hubs) == 1 else ("cluster", *_COLUMNS)
    if form is output.Format.TABLE:
        found = [{**row, "details": _brief(row["details"])} for row in found]
    output.show_rows(columns, found, form, empty="nothing was done yet")


def verify(
    environment: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Only the cluster of this environment.")
    ] = None,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Check that no record was changed, removed, moved or put in between; exit code 1 when one was."""
    import asyncio

    from leeward.cli.hubaccess import application_of, ask_hubs
    from leeward.delivery.audit.chain import verify as check

    application = application_of(files, project_name, context, cluster)
    answers = asyncio.run(ask_hubs(application, environment, _trail_of(application.name)))
    failed = bool(answers.missing)  # what cannot be read is not whole
    for hub in answers.hubs:
        wrong = check(application.name, *hub.answer)
        for line in wrong:
            output.say(f"{hub.cluster}: {line}")
        number = output.count(len(hub.answer[0]), "record")
        if wrong:
            output.error(f"the audit trail on {hub.cluster} is not whole: {number}, {len(wrong)} wrong")
        else:
            output.say(f"{hub.cluster}: {number}, all good")
        failed = failed or bool(wrong)
    if failed:
        raise typer.Exit(1)


def _trail_of(app: str) -> Callable[[KubeClient, Sequence[str]], Awaitable[Trail]]:
    """Return what reads the records of a hub, in order, and what tells their end."""
    from leeward.delivery.audit.chain import HEAD
    from leeward.delivery.environments.environment import not_applied
    from leeward.delivery.records import AUDIT_RECORDS, hub_of
    from leeward.kube.status import NotFoundError

    async def read(api: KubeClient, names: Sequence[str]) -> Trail:
        place = hub_of(app)
        try:
            head = await api.find("configmaps", place, HEAD)  # first, because it may be behind
            records = await api.list(AUDIT_RECORDS, place)
        except NotFoundError:
            raise not_applied(names[0]) from None
        return sorted(records, key=lambda obj: str(obj["metadata"]["name"])), head

    return read


def _row(spec: dict[str, Any], cluster: str) -> dict[str, Any]:
    return {"cluster": cluster, "number": spec["sequence"], **spec}


def _brief(details: Any) -> str:
    """Return what a record says beside the rest, on one line."""
    parts = []
    for key, value in (details or {}).items():
        text = ", ".join(map(str, value)) if isinstance(value, (list, dict)) else str(value)
        if text:
            parts.append(f"{key}: {text}")
    line = "; ".join(parts)
    return line if len(line) <= 100 else f"{line[:99]}…"


def _begin(since: str | None) -> str:
    """Return the time, as records write it, from which on they count.

    Raises:
        UserInputError: `since` is no duration.
    """
    from datetime import timedelta

    from leeward.base.clock import SystemClock
    from leeward.base.errors import UserInputError
    from leeward.kube.objects import format_time
    from leeward.settings.times import parse_seconds

    if since is None:
        return ""
    try:
        return format_time(SystemClock().now() - timedelta(seconds=parse_seconds(since)))
    except (ValueError, OverflowError):
        raise UserInputError(f"--since {since} is no duration", remedy="Write 30m, 2h or 1h30m.") from None
