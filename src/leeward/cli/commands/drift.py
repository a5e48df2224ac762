"""``leeward drift``: what somebody changed behind a promotion's back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from leeward.base.errors import OperationError
from leeward.cli import options, output

if TYPE_CHECKING:
    from leeward.delivery.promotion.standing import Difference


def drift(
    environment: Annotated[str, typer.Argument(metavar="ENV")],
    ignore_added: Annotated[
        bool, typer.Option("--ignore-added", help="Leave out objects that no promotion applied.")
    ] = False,
    files: options.Files = None,
    project_name: options.ProjectName = None,
    context: options.Context = None,
    cluster: options.ClusterName = options.DEFAULT_CLUSTER,
) -> None:
    """Compare what is live in an environment with what was promoted; changes nothing.

    Lists also what others put beside it: objects that no promotion applied. Exit code 1 when there is
    anything of that. Promoting again puts right what was changed, and leaves alone what was added.

    Examples:

      leeward drift production
    """
    import asyncio

    from leeward.cli.hubaccess import application_of

    application = application_of(files, project_name, context, cluster)

    async def work() -> Difference:
        from leeward.cli.promoting import opened
        from leeward.delivery.promotion.manifests import find_manifest
        from leeward.delivery.promotion.standing import difference

        async with opened(application, environment) as place:
            where, runs = place.environment, place.environment.promotion
            applied = await find_manifest(place.api, where.namespace, runs)
            if applied is None:
                raise OperationError(f"what {runs} applied to {where.name} is not known any more")
            if not runs:
                raise OperationError(f"nothing was promoted to {where.name} yet")
            return await difference(place.api, where, applied)

    found = asyncio.run(work())
    if found.hidden:
        output.note(f"note: not looked at, because you may not see them: {', '.join(found.hidden)}")
    lines = [*found.drifted, *(() if ignore_added else found.added)]
    for line in lines:
        output.say(str(line))
    if lines:
        raise typer.Exit(1)
    output.say(f"{environment} is as it was promoted")
