"""``leeward env list`` and ``leeward env history``: the variables of environments, and their versions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.cli.hub import Application
    from leeward.delivery.environments.environment import Environment
    from leeward.delivery.environments.variables import Version
    from leeward.kube.client import KubeClient

_COLUMNS = ("environment", "name", "value", "version", "by", "at")
_VERSION_COLUMNS = ("version", "at", "by", "set", "unset", "reason", "promoted")


def list_values(
    environment: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Only this environment's.")
    ] = None,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the values.")] = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the variables and secrets of environments, with who set them, and whether they are promoted."""
    import asyncio

    from leeward.cli.hubaccess import application_of, ask_environments

    application = application_of(files, project_name, context, cluster)

    async def ask(api: KubeClient, each: Environment) -> dict[str, Any]:
        return await _listing(api, each, reveal=reveal)

    found = asyncio.run(ask_environments(application, environment, ask))
    if form is output.Format.JSON:
        output.say(json.dumps(found, indent=2))
        return
    rows = [
        {"environment": each["environment"], **row, "value": row["value"].replace("\n", "\\n")}
        for each in found
        for row in each["variables"]
    ]
    if rows:
        output.show_rows(_COLUMNS, rows, form)
    for each in found:
        output.note(_state(each))


async def _listing(api: KubeClient, environment: Environment, *, reveal: bool) -> dict[str, Any]:
    from leeward.cli.envvalues import MASK, shown_value
    from leeward.delivery.environments.variables import Version, list_versions
    from leeward.delivery.records import PROMOTIONS
    from leeward.kube.objects import format_time

    versions = await list_versions(api, environment)
    newest = versions[0] if versions else Version()
    last = (
        await api.find(PROMOTIONS, environment.hub, environment.promotion) if environment.promotion else None
    )
    rows = []
    for name, value in sorted(newest.values.items()):
        origin = next((each for each in versions if name in each.set), None)
        rows.append(
            {
                "name": name,
                "value": shown_value(value) if reveal else MASK,
                "version": origin.number if origin else "",
                "by": origin.by if origin else "",
                "at": format_time(origin.at) if origin and origin.at else "",
            }
        )
    return {
        "environment": environment.name,
        "version": newest.number,
        "by": newest.by,
        "at": format_time(newest.at) if newest.at else "",
        "promotion": environment.promotion,
        "promoted": (last or {}).get("spec", {}).get("variablesVersion", 0),
        "variables": rows,
    }


def _state(found: dict[str, Any]) -> str:
    """Return in a sentence which version is the newest, and whether it is promoted."""
    name, number = found["environment"], found["version"]
    if number == 0:
        return f"{name}: nothing is set"
    text = f"{name}: version {number}, by {found['by']} at {found['at']}"
    if not found["promotion"]:
        return f"{text}; nothing is promoted yet"
    if found["promoted"] == number:
        return f"{text}; promoted with {found['promotion']}"
    return f"{text}; {found['promotion']} has version {found['promoted']}: the next promotion takes {number}"


def history(
    environment: Annotated[str, typer.Option("--env", metavar="NAME", help="The environment.")],
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """List the versions of an environment's variables, newest first: who changed which, and why."""
    import asyncio

    from leeward.cli.hubaccess import application_of

    application = application_of(files, project_name, context, cluster)
    versions, taken = asyncio.run(_versions(application, environment))
    rows = [_version_row(version, taken.get(version.number, "")) for version in versions]
    if form is output.Format.TABLE:
        rows = [{**row, "set": ", ".join(row["set"]), "unset": ", ".join(row["unset"])} for row in rows]
    output.show_rows(_VERSION_COLUMNS, rows, form, empty=f"nothing was set in {environment} yet")


async def _versions(application: Application, environment: str) -> tuple[Sequence[Version], dict[int, str]]:
    """Return the versions, and the last promotion that took each."""
    from leeward.cli.hubaccess import open_environment
    from leeward.delivery.environments.variables import list_versions, taken_by
    from leeward.delivery.records import PROMOTIONS

    async with open_environment(application, environment) as (api, found):
        promotions = await api.list(PROMOTIONS, found.hub)
        return await list_versions(api, found), taken_by(promotions, environment)


def _version_row(version: Version, promoted: str) -> dict[str, Any]:
    from leeward.kube.objects import format_time

    return {
        "version": version.number,
        "at": format_time(version.at) if version.at else "",
        "by": version.by,
        "set": list(version.set),
        "unset": list(version.unset),
        "reason": version.reason,
        "promoted": promoted,
    }
