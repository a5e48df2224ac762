"""Watches: the events of one resource as a stream of JSON lines.

Invariants: events come in revision order, each at most once; an object that starts to match a selector
is ADDED, one that stops is DELETED with its last matching state; a reader who is slower than
``_BACKLOG`` events is told 410 and must list again, so memory stays bounded.

Source: ``k8s.io/apiserver/pkg/storage/cacher`` (event conversion, bookmarks, initial events; 1.36).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import orjson

from leeward.base.clock import Clock, Timer
from leeward.cluster.interface.store import Event, Handler, Unsubscribe
from leeward.kube.objects import Obj
from leeward.kube.status import ExpiredError, StatusError

_BACKLOG = 20_000
_BOOKMARK_SECONDS = 60.0
_BATCH = 1 << 16  # bytes that are made at a time
_PREPARED = 256  # objects at a time
_KEPT = 1 << 22  # bytes of lines that are kept for other watches
INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Line = Callable[[str, Obj], bytes]  # of an event's type and object, in the representation asked for
Prepare = Callable[[Sequence[Obj]], Awaitable[Sequence[Obj]]]
Match = Callable[[Obj], bool]


def visible(event: Event, matches: Match) -> tuple[str, Obj] | None:
    """Return what a watcher with `matches` sees of `event`, or None."""
    before = event.previous if event.type != "DELETED" else (event.previous or event.object)
    was = before is not None and matches(before)
    if event.type == "DELETED":
        return ("DELETED", event.object) if was or matches(event.object) else None
    if matches(event.object):
        return ("MODIFIED" if was else "ADDED", event.object)
    if not was or before is None:
        return None
    version = event.object["metadata"]["resourceVersion"]
    return "DELETED", {**before, "metadata": {**before["metadata"], "resourceVersion": version}}


class Watch:
    """One open watch. Subscribes when made; :meth:`lines` must be consumed or :meth:`close` called.

    Args:
        subscribe: registers a handler for the resource's events.
        clock: for bookmarks and the time limit.
        matches: which objects the client wants.
        line: how they are represented.
        bookmark: makes the object of a bookmark from (revision, annotations).
        revision: tells the current revision.
        bookmarks: whether the client takes bookmarks.
        timeout_seconds: when to end, or None.
        prepare: makes of objects what `emit` takes, where that takes time.
    """

    def __init__(
        self,
        subscribe: Callable[[Handler], Unsubscribe],
        clock: Clock,
        *,
        matches: Match,
        line: Line,
        bookmark: Callable[[int, dict[str, str]], Any],
        revision: Callable[[], int],
        bookmarks: bool,
        timeout_seconds: float | None,
        prepare: Prepare | None = None,
    ) -> None:
        self._prepare = prepare
        self._clock = clock
        self._matches = matches
        self._line = line
        self._bookmark = bookmark
        self._revision = revision
        self._bookmarks = bookmarks
        self._pending: deque[tuple[str, Obj]] = deque()
        self._wake = asyncio.Event()
        self._overrun = False
        self._ended = False
        self._bookmark_due = False
        self._initial_revision = 0
        self._timers: list[Timer] = []
        self._limited = int(timeout_seconds is not None)  # timers before the bookmark's
        self._unsubscribe = subscribe(self._note)
        if timeout_seconds is not None:
            self._timers.append(clock.call_later(timeout_seconds, self._end))
        if bookmarks:
            self._arm_bookmark()

    def replay(self, events: Iterable[Event]) -> None:
        """Queue the events since the client's resourceVersion."""
        for event in events:
            self._note(event)

    def initial(self, items: Sequence[Obj], *, mark_end: bool) -> None:
        """Queue the present state as ADDED events, and a bookmark that says it is complete."""
        self._pending.extend(("ADDED", item) for item in items)
        self._initial_revision = self._revision()
        if mark_end:
            self._pending.append(("BOOKMARK", {INITIAL_EVENTS_END: "true"}))
        self._wake.set()

    def end(self) -> None:
        """End the stream after what is queued (the server stops)."""
        self._end()

    def close(self) -> None:
        """Unsubscribe; idempotent."""
        self._unsubscribe()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield batches of JSON lines until the time is up or the client is too slow."""
        try:
            while True:
                while self._pending:
                    count = len(self._pending)
                    if self._prepare is not None:
                        count = await self._make_ready(self._prepare)
                    yield self._batch(count)
                if self._overrun:
                    error = ExpiredError("too old resource version: the watch fell behind")
                    yield event_line("ERROR", error.to_status())
                    return
                if self._bookmark_due:
                    self._bookmark_due = False
                    self._arm_bookmark()
                    yield event_line("BOOKMARK", self._bookmark(self._revision(), {}))
                if self._ended:
                    return
                self._wake.clear()
                await self._wake.wait()
        except StatusError as error:  # an object cannot be had in this version
            yield event_line("ERROR", error.to_status())
        finally:
            self.close()

    async def _make_ready(self, prepare: Prepare) -> int:
        """Prepare what the next batch tells, and return how much; more may come meanwhile."""
        taken = [self._pending.popleft() for _ in range(min(len(self._pending), _PREPARED))]
        ready = iter(await prepare([obj for kind, obj in taken if kind != "BOOKMARK"]))
        taken = [(kind, obj if kind == "BOOKMARK" else next(ready)) for kind, obj in taken]
        self._pending.extendleft(reversed(taken))
        return len(taken)

    def _batch(self, count: int) -> bytes:
        """Return lines, up to `count` and about as many bytes as a batch has."""
        parts, size = [], 0
        for _ in range(min(len(self._pending), count)):
            kind, obj = self._pending.popleft()
            if kind == "BOOKMARK":
                parts.append(event_line(kind, self._bookmark(self._initial_revision, obj)))
            else:
                parts.append(self._line(kind, obj))
            size += len(parts[-1])
            if size >= _BATCH and self._prepare is None:
                break
        return b"".join(parts)

    def _note(self, event: Event) -> None:
        if self._overrun:
            return
        seen = visible(event, self._matches)
        if seen is None:
            return
        if len(self._pending) >= _BACKLOG:
            self._overrun = True
            self._pending.clear()
        else:
            self._pending.append(seen)
        self._wake.set()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()

    def _arm_bookmark(self) -> None:
        self._timers = [*self._timers[: self._limited], self._clock.call_later(_BOOKMARK_SECONDS, self._due)]

    def _due(self) -> None:
        self._bookmark_due = True
        self._wake.set()


class SharedLines:
    """Lines that were made for one watch and are the same for others."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, int, int], tuple[Obj, object, bytes]] = {}
        self._size = 0

    def maker(self, served: object, shown: Callable[[Obj], Any]) -> Line:
        """Return what makes the lines of watches that see whole objects.

        Args:
            served: what they watch; another one after a definition has changed.
            shown: what they see of an object.
        """

        def line(kind: str, obj: Obj) -> bytes:
            key = (kind, id(obj), id(served))  # what is kept here keeps its id
            found = self._lines.get(key)
            if found is not None:
                return found[2]
            made = event_line(kind, shown(obj))
            self._size += len(made)
            if self._size > _KEPT:
                self._lines.clear()
                self._size = len(made)
            self._lines[key] = obj, served, made
            return made

        return line


def event_line(kind: str, obj: Any) -> bytes:
    """Return an event as watches tell it."""
    return orjson.dumps({"type": kind, "object": obj}, option=orjson.OPT_APPEND_NEWLINE)


async def error_line(error: StatusError) -> AsyncIterator[bytes]:
    """Yield the one ERROR event that a watch of a lost past answers with."""
    yield event_line("ERROR", error.to_status())
