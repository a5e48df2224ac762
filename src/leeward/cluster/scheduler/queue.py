"""Pods that wait to be placed: ready, backing off, or parked until something changes.

Order: priority, then time of arrival. A Pod that failed is parked with the plugins that rejected it
and comes back when an event happens that one of them named, but not before its back-off (1 s doubling
to 10 s) is over; or after five minutes.

Source: ``pkg/scheduler/backend/queue``.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from leeward.base.clock import Clock, Timer
from leeward.cluster.scheduler.podinfo import PodInfo

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
FLUSH_SECONDS = 300.0

PluginEvents = Mapping[str, Mapping[str, Collection[str]]]  # plugin -> resource -> event types


@dataclass(slots=True, eq=False)
class QueuedPod:
    """A Pod and the history of its attempts."""

    info: PodInfo
    order: int
    attempts: int = 0
    rejected_by: set[str] = field(default_factory=set)
    not_before: float = 0.0  # monotonic seconds
    state: str = "new"  # "active", "backoff", "parked", "held" (gated) or "flight"
    timer: Timer | None = None


class Queue:
    """The scheduling queue.

    Args:
        clock: times the back-off.
        events: which events each plugin wants its rejected Pods retried on.
        wake: called whenever a Pod becomes ready.
    """

    def __init__(self, clock: Clock, events: PluginEvents, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._events = events
        self._wake = wake
        self._order = itertools.count()
        self._pods: dict[str, QueuedPod] = {}  # by uid
        self._parked: dict[str, QueuedPod] = {}  # of these, those that are parked
        self._heap: list[tuple[int, int, int, QueuedPod]] = []
        self._pushes = itertools.count()

    def __len__(self) -> int:
        return len(self._pods)

    def get(self, uid: str) -> QueuedPod | None:
        """Return the entry of a Pod, if it waits."""
        return self._pods.get(uid)

    def add(self, info: PodInfo) -> None:
        """Enter a new Pod, ready."""
        queued = QueuedPod(info, next(self._order))
        self._pods[info.uid] = queued
        self._activate(queued)

    def hold(self, info: PodInfo) -> None:
        """Enter a Pod that may not be tried."""
        self.remove(info.uid)
        self._pods[info.uid] = QueuedPod(info, next(self._order), state="held")

    def remove(self, uid: str) -> None:
        """Forget a Pod."""
        queued = self._pods.pop(uid, None)
        self._parked.pop(uid, None)
        if queued is not None:
            self._stop_timer(queued)
            queued.state = "gone"

    def pop(self) -> QueuedPod | None:
        """Take the next ready Pod; it stays known until removed, parked or retried."""
        while self._heap:
            *_, queued = heapq.heappop(self._heap)
            if queued.state == "active":
                queued.state = "flight"
                queued.attempts += 1
                return queued
        return None

    def has_ready(self) -> bool:
        """Tell whether :meth:`pop` would return one."""
        while self._heap and self._heap[0][-1].state != "active":
            heapq.heappop(self._heap)
        return bool(self._heap)

    def park(self, queued: QueuedPod, rejected_by: Collection[str]) -> None:
        """Put a rejected Pod aside until something changes."""
        if queued.state != "flight":
            return
        queued.rejected_by = set(rejected_by)
        self._set_backoff(queued)
        queued.state = "parked"
        self._parked[queued.info.uid] = queued
        queued.timer = self._clock.call_later(FLUSH_SECONDS, lambda: self._retry_if(queued, "parked"))

    def retry(self, queued: QueuedPod) -> None:
        """Try a Pod again after its back-off, whatever happens (a failed write, a changed Pod)."""
        if queued.state == "flight":
            self._set_backoff(queued)
        if queued.state in ("flight", "parked"):
            self._back_off(queued)

    def moved(self, resource: str, kind: str) -> None:
        """Something happened: retry the parked Pods whose plugins care."""
        for queued in [each for each in self._parked.values() if self._cares(each, resource, kind)]:
            self._back_off(queued)

    def _cares(self, queued: QueuedPod, resource: str, kind: str) -> bool:
        if not queued.rejected_by:
            return True
        return any(kind in self._events.get(plugin, {}).get(resource, ()) for plugin in queued.rejected_by)

    def _set_backoff(self, queued: QueuedPod) -> None:
        seconds = min(INITIAL_BACKOFF_SECONDS * 2 ** min(queued.attempts - 1, 10), MAX_BACKOFF_SECONDS)
        queued.not_before = self._clock.monotonic() + seconds

    def _back_off(self, queued: QueuedPod) -> None:
        self._parked.pop(queued.info.uid, None)
        self._stop_timer(queued)
        wait = queued.not_before - self._clock.monotonic()
        if wait <= 0:
            self._activate(queued)
            return
        queued.state = "backoff"
        queued.timer = self._clock.call_later(wait, lambda: self._retry_if(queued, "backoff"))

    def _retry_if(self, queued: QueuedPod, state: str) -> None:
        if queued.state == state:
            self._activate(queued)

    def _activate(self, queued: QueuedPod) -> None:
        self._parked.pop(queued.info.uid, None)
        self._stop_timer(queued)
        queued.state = "active"
        heapq.heappush(self._heap, (-queued.info.priority, queued.order, next(self._pushes), queued))
        self._wake()

    @staticmethod
    def _stop_timer(queued: QueuedPod) -> None:
        if queued.timer is not None:
            queued.timer.cancel()
            queued.timer = None

    def close(self) -> None:
        """Stop every timer."""
        for uid in list(self._pods):
            self.remove(uid)
