"""``leeward diff``: two environments, or two releases, in Compose's words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError
from leeward.cli import options, output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leeward.cli.hub import Application
    from leeward.delivery.wording.differences import Side
    from leeward.kube.client import KubeClient


def diff(
    one: Annotated[str, typer.Argument(metavar="ENV|RELEASE")],
    other: Annotated[str, typer.Argument(metavar="ENV|RELEASE")],
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Show what is different between what two environments run, or between two releases.

    Exit code 1 when something is.

    Examples:

      leeward diff qa production

      leeward diff 1.1 1.2
    """
    import asyncio

    from leeward.cli.hubaccess import application_of
    from leeward.delivery.wording.differences import differences

    application = application_of(files, project_name, context, cluster)

    async def work() -> list[Side]:
        return [await _side(application, each) for each in (one, other)]

    lines = differences(*asyncio.run(work()))
    for line in lines:
        output.say(str(line))
    if lines:
        raise typer.Exit(1)
    output.say(f"{one} and {other} are the same")


async def _side(application: Application, name: str) -> Side:
    """Return what an environment runs, or what a release renders to without one."""
    from leeward.cli.hubaccess import ask_hubs
    from leeward.cli.promoting import opened
    from leeward.delivery.promotion.manifests import find_manifest
    from leeward.delivery.promotion.planning import side_of
    from leeward.delivery.records import RELEASES
    from leeward.delivery.releases.bundle import bundle_of
    from leeward.delivery.releases.kept import find_release

    if name in application.config.environments:
        async with opened(application, name) as place:
            objects = (
                await find_manifest(place.api, place.environment.namespace, place.environment.promotion) or []
            )
            runs = place.environment.release
            release = await place.api.find(RELEASES, place.environment.hub, runs) if runs else None
            return side_of(objects, release)

    async def find(api: KubeClient, names: Sequence[str]) -> Side | None:
        try:
            release = await find_release(api, application.name, name)
            return side_of(bundle_of(release).rendered, release)
        except OperationError:
            return None

    found = [
        each.answer for each in (await ask_hubs(application, None, find)).hubs if each.answer is not None
    ]
    if not found:
        raise OperationError(
            f"{name} is neither an environment nor a release",
            remedy="`leeward release list` has the releases.",
        )
    return found[0]
