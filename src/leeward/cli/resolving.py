"""Which of the two resolvers of images a release needs: that of its registry, or of an embedded cluster."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leeward.cli import output

if TYPE_CHECKING:
    from leeward.cli.hub import Application
    from leeward.delivery.api import ImageResolver
    from leeward.delivery.images.plan import ImageOptions


@asynccontextmanager
async def resolver_of(
    app: Application, environment: str, variables: Mapping[str, str], registry: str = ""
) -> AsyncIterator[Callable[[], ImageResolver]]:
    """Yield a function that makes the resolver; it is called when there are images to resolve.

    Args:
        app: whose environment it is.
        environment: that releases start in.
        variables: for arguments of builds.
        registry: where what is built is pushed, instead of that of ``leeward.yaml``.

    Raises:
        UserInputError: that is no registry.
    """
    place = app.config.cluster_of(app.config.environments[environment])
    if app.reach.context is None and place.embedded is not None:
        if registry:
            output.note(f"note: nothing is pushed to {registry}: {environment} is on an embedded cluster")
        yield lambda: _embedded(app.place_of(environment))
        return
    async with registry_resolver(variables, registry or app.config.registry or "") as resolver:
        yield resolver


@asynccontextmanager
async def registry_resolver(
    variables: Mapping[str, str], registry: str = ""
) -> AsyncIterator[Callable[[], ImageResolver]]:
    """Yield a function that makes the resolver that asks registries, builds and pushes.

    Args:
        variables: for arguments of builds.
        registry: where images are pushed that name none, as in ``leeward.yaml``.

    Raises:
        UserInputError: that is no registry.
    """
    from leeward.base.clock import SystemClock
    from leeward.cli.ecrlogins import EcrLogins
    from leeward.cli.provenance import git_of
    from leeward.delivery.images.credentials import DockerConfig, config_directory
    from leeward.delivery.images.engines import find_engine
    from leeward.delivery.images.pinning import ImagePinner, origin_labels
    from leeward.delivery.images.registry import Registry

    clock = SystemClock()
    config = EcrLogins(DockerConfig(config_directory(os.environ, Path.home()), clock))
    options = image_options(variables, registry)
    engine = await find_engine(None)
    async with Registry(config, clock, insecure=options.insecure) as asked:
        labels = origin_labels(git_of(Path.cwd()).get("commit", ""), "")
        yield lambda: ImagePinner(asked, engine, replace(options, labels=labels), output.note)


def image_options(variables: Mapping[str, str], registry: str) -> ImageOptions:
    """Return how images are pinned; see :func:`registry_resolver`."""
    from leeward.delivery.images.plan import ImageOptions
    from leeward.delivery.images.references import parse_registry

    if not registry:
        return ImageOptions(variables=variables)
    place, plain = parse_registry(registry)
    insecure = (place.partition("/")[0],) if plain else ()
    return ImageOptions(variables=variables, registry=place, insecure=insecure)


def _embedded(cluster: str) -> ImageResolver:
    from leeward.cli.clusters import require_running
    from leeward.cli.embeddedimages import EmbeddedImages

    return EmbeddedImages(require_running(cluster))
