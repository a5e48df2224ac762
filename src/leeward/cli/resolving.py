"""Which of the two resolvers of images a release needs: that of its registry, or of an embedded cluster."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.cli import output

if TYPE_CHECKING:
    from leeward.cli.hub import Application
    from leeward.delivery.api import ImageResolver


@asynccontextmanager
async def resolver_of(
    app: Application, environment: str, variables: Mapping[str, str]
) -> AsyncIterator[Callable[[], ImageResolver]]:
    """Yield a function that makes the resolver; it is called when there are images to resolve.

    Args:
        app: whose environment it is.
        environment: that releases start in.
        variables: for arguments of builds.
    """
    place = app.config.cluster_of(app.config.environments[environment])
    if app.reach.context is None and place.embedded is not None:
        yield lambda: _embedded(app)
        return
    from leeward.base.clock import SystemClock
    from leeward.cli.provenance import git_of
    from leeward.delivery.images.credentials import DockerConfig, config_directory
    from leeward.delivery.images.engines import find_engine
    from leeward.delivery.images.pinning import ImagePinner, origin_labels
    from leeward.delivery.images.plan import ImageOptions
    from leeward.delivery.images.registry import Registry

    clock = SystemClock()
    config = DockerConfig(config_directory(os.environ, Path.home()), clock)
    engine = await find_engine(None)
    async with Registry(config, clock) as registry:
        labels = origin_labels(git_of(Path.cwd()).get("commit", ""), "")
        options = ImageOptions(variables=variables, labels=labels)
        yield lambda: ImagePinner(registry, engine, options, output.note)


def _embedded(app: Application) -> ImageResolver:
    from leeward.cli.clusters import require_running
    from leeward.cli.embeddedimages import EmbeddedImages

    return EmbeddedImages(require_running(app.reach.cluster))
