"""``leeward access``: who may do what, as the clusters themselves decide it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.delivery.environments.environment import Environment
    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj

_AT_ONCE = 16  # questions


def build_app() -> typer.Typer:
    """Return the ``access`` verbs."""
    app = typer.Typer(help="Show who may do what in which environment.", no_args_is_help=True)
    app.callback()(lambda: None)  # so that the only verb is one of a group
    app.command("matrix")(matrix)
    return app


def matrix(
    environment: Annotated[
        str | None, typer.Option("--env", metavar="NAME", help="Only this environment.")
    ] = None,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
    form: options.Output = output.Format.TABLE,
) -> None:
    """Ask the clusters what each group of leeward.yaml may do in each environment.

    Examples:

      leeward access matrix --env production
    """
    import asyncio

    from leeward.cli.hubaccess import application_of, ask_environments

    application = application_of(files, project_name, context, cluster)
    groups = sorted({group for each in application.config.environments.values() for group in each.access})

    async def ask(api: KubeClient, each: Environment) -> list[dict[str, Any]]:
        return await _rows(api, each, groups)

    rows = [row for each in asyncio.run(ask_environments(application, environment, ask)) for row in each]
    if form is output.Format.TABLE:
        rows = [{key: {True: "yes", False: "-"}.get(each, each) for key, each in row.items()} for row in rows]
    columns = list(rows[0]) if rows else []
    output.show_rows(columns, rows, form, empty="no environment in leeward.yaml gives access to a group")


async def _rows(api: KubeClient, environment: Environment, groups: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each group, with true for what it may do."""
    import asyncio

    from leeward.delivery.environments.access import ACTIONS, REVIEWS, questions

    turns = asyncio.Semaphore(_AT_ONCE)

    async def may(review: Obj) -> bool:
        async with turns:
            answer = await api.create(REVIEWS, review)
        return bool((answer.get("status") or {}).get("allowed"))

    groups = sorted({*groups, *environment.access})
    asked = list(questions(environment, groups))
    answers = await asyncio.gather(*(may(review) for _, _, review in asked))
    rights = {(group, action.name): yes for (group, action, _), yes in zip(asked, answers, strict=True)}
    return [
        {
            "environment": environment.name,
            "group": group,
            "access": environment.access.get(group, "none"),
            **{action.name: rights[group, action.name] for action in ACTIONS},
        }
        for group in groups
    ]
