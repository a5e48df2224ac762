"""Watches whose objects take time: what comes meanwhile waits, and what cannot be had ends the watch."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from leeward.base.clock import VirtualClock
from leeward.cluster.apiserver.watches import Prepare, Watch, event_line
from leeward.cluster.interface.store import Event, Handler
from leeward.kube.objects import Obj
from leeward.kube.status import StatusError


def _obj(name: str, version: str = "v1") -> Obj:
    return {"apiVersion": version, "metadata": {"name": name, "resourceVersion": "1"}}


class World:
    """A watch, and who notes events for it."""

    def __init__(self, prepare: Prepare) -> None:
        self.note: Handler = lambda event: None
        self.watch = Watch(
            self._subscribe,
            VirtualClock(),
            matches=lambda obj: True,
            line=event_line,
            bookmark=lambda revision, annotations: {"metadata": {"resourceVersion": str(revision)}},
            revision=lambda: 1,
            bookmarks=True,
            timeout_seconds=None,
            prepare=prepare,
        )

    def _subscribe(self, handler: Handler) -> Callable[[], None]:
        self.note = handler
        return lambda: None

    async def lines(self) -> list[Any]:
        found = []
        async for batch in self.watch.lines():
            found += [json.loads(line) for line in batch.splitlines()]
        return found


def test_objects_are_prepared_in_their_order_and_what_comes_meanwhile_is_prepared_next() -> None:
    asked: list[list[str]] = []

    async def run() -> list[Any]:
        async def prepare(items: Sequence[Obj]) -> Sequence[Obj]:
            asked.append([item["metadata"]["name"] for item in items])
            if len(asked) == 1:
                world.note(Event("ADDED", "gates.example.com", _obj("c"), None, 2))
            else:
                world.watch.end()
            return [{**item, "apiVersion": "v2"} for item in items]

        world = World(prepare)
        world.watch.initial([_obj("a"), _obj("b")], mark_end=True)
        return await world.lines()

    lines = asyncio.run(run())

    assert asked == [["a", "b"], ["c"]]
    assert [line["type"] for line in lines] == ["ADDED", "ADDED", "BOOKMARK", "ADDED"]
    assert [line["object"].get("apiVersion") for line in lines] == ["v2", "v2", None, "v2"]


def test_an_object_that_cannot_be_had_ends_the_watch_with_the_reason() -> None:
    async def run() -> list[Any]:
        async def prepare(items: Sequence[Obj]) -> Sequence[Obj]:
            raise StatusError("no way")

        world = World(prepare)
        world.watch.initial([_obj("a")], mark_end=False)
        return await world.lines()

    (line,) = asyncio.run(run())

    assert (line["type"], line["object"]["message"]) == ("ERROR", "no way")
