"""Listing previews, taking one down, and removing those whose time is over."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cli import output
from leeward.cli.previews import span, urls_of
from leeward.cli.progress import Steps
from leeward.delivery.clustertime import ClusterClock
from leeward.delivery.previews import (
    Preview,
    find_preview,
    list_previews,
    remove,
    remove_expired,
    wait_until_gone,
)
from leeward.kube.objects import format_time
from leeward.kube.status import StatusError

if TYPE_CHECKING:
    from leeward.cli.previewing import Wish
    from leeward.cli.previews import Home
    from leeward.kube.client import KubeClient


def take_down_preview(wish: Wish) -> None:
    """Delete a preview with its namespace and volumes, and wait until it is gone.

    Raises:
        UserInputError: the namespace is somebody else's.
        OperationError: the cluster does not run, or the namespace does not go.
    """

    async def work(steps: Steps) -> bool:
        async with wish.home.place.connect() as api:
            preview = await find_preview(api, wish.home.app, wish.name)
            if preview is None:
                return False
            steps.show(f"removing namespace {preview.namespace}")
            await remove(api, preview)
            await wait_until_gone(api, SystemClock(), [preview])
            return True

    with Steps() as steps:
        removed = asyncio.run(work(steps))
    name = f"preview {wish.label} of {wish.home.app}"
    output.say(f"{name} is gone, with its volumes" if removed else f"{name} was not up")


def show_previews(home: Home, form: output.Format) -> None:
    """List the previews of an application."""

    async def ask() -> tuple[list[tuple[Preview, list[str]]], datetime]:
        async with home.place.connect() as api:
            found, port = [], home.place.http_port()
            for each in await list_previews(api, home.app):
                ingresses = await api.list("ingresses.networking.k8s.io", each.namespace)
                found.append((each, [url for urls in urls_of(ingresses, port).values() for url in urls]))
            return found, ClusterClock(api, SystemClock()).now()

    found, now = asyncio.run(ask())
    rows = [_row(each, urls, now, form) for each, urls in found]
    columns = ("preview", "ends", "by", "namespace", "urls")
    output.show_rows(columns, rows, form, empty=f"no previews of {home.app}; `leeward up --preview NAME`")


def _row(preview: Preview, urls: Sequence[str], now: datetime, form: output.Format) -> dict[str, object]:
    row: dict[str, object] = {
        "preview": preview.label,
        "namespace": preview.namespace,
        "by": preview.by,
        "made": preview.made,
    }
    if form is output.Format.JSON:
        ends = format_time(preview.expires) if preview.expires else None
        return {**row, "name": preview.name, "ends": ends, "ended": preview.is_over(now), "urls": list(urls)}
    ends = "is being removed" if preview.leaving else span(preview, now)
    return {**row, "ends": ends, "urls": " ".join(urls)}


def prune(home: Home, *, dry_run: bool) -> None:
    """Delete the previews of an application whose time is over, and wait until they are gone.

    Raises:
        OperationError: one cannot be deleted, or does not go; the others are deleted.
    """

    async def work(steps: Steps) -> list[str]:
        async with home.place.connect() as api:
            every = await list_previews(api, home.app)
            now = ClusterClock(api, SystemClock()).now()
            over = [each for each in every if each.is_over(now) and not each.leaving]
            for each in every:
                if each.expires is None:
                    steps.line(
                        f"note: what is written as the end of preview {each.label} is no time; it stays"
                    )
            if dry_run:
                return [f"preview {each.label} ended {span(each, now)}; it would be removed" for each in over]
            return await _remove_all(api, home, over, now, steps)

    with Steps() as steps:
        lines = asyncio.run(work(steps))
    for line in lines or [f"no preview of {home.app} has ended"]:
        output.say(line)


async def _remove_all(
    api: KubeClient, home: Home, over: Sequence[Preview], now: datetime, steps: Steps
) -> list[str]:
    removed: list[Preview] = []
    refused: list[str] = []
    for each in over:
        try:
            if await remove_expired(api, home.app, each, now):
                removed.append(each)
            else:
                steps.line(f"note: preview {each.label} was renewed or removed meanwhile")
        except StatusError as error:
            refused.append(f"{each.label}: {error}")
    if removed:
        steps.show(f"removing {output.count(len(removed), 'namespace')}")
        await wait_until_gone(api, SystemClock(), removed)
    if refused:
        raise OperationError(
            f"{output.count(len(refused), 'preview')} could not be removed: {'; '.join(refused)}",
            remedy=f"Removed: {', '.join(each.label for each in removed) or 'none'}.",
        )
    return [f"preview {each.label} ended {span(each, now)}; it is gone" for each in removed]
