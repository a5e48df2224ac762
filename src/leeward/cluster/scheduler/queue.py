"""Pods that wait to be placed: ready, backing off, or parked until something changes.

Order: priority, then time of arrival or of the last failure. A Pod that failed is parked with the plugins
that rejected it and comes back when an event happens of which one of them expects something, after its
back-off (1 s doubling to 10 s); or after five minutes. While nothing else is to do, Pods that back off have
their turn before it is over, unless they do so after an error, failed often, or are very many: what happens
all the time must not keep the cluster busy with Pods that fit nowhere.

Source: ``pkg/scheduler/backend/queue`` (with SchedulerQueueingHints and SchedulerPopFromBackoffQ).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Collection
from dataclasses import dataclass

from leeward.base.clock import Clock, Timer
from leeward.cluster.interface.store import Event
from leeward.cluster.scheduler.podinfo import PodInfo, Template

INITIAL_BACKOFF_SECONDS = 1.0
MAX_BACKOFF_SECONDS = 10.0
FLUSH_SECONDS = 300.0
_MOST_EARLY = 100  # so many Pods may have their turn before their back-off is over,
_EARLY_ATTEMPTS = 5  # so often

_Kind = tuple[Template, frozenset[str]]  # who was rejected, by which plugins
Hint = Callable[[PodInfo, frozenset[str], Event], bool]


@dataclass(slots=True, eq=False)
class QueuedPod:
    """A Pod and the history of its attempts."""

    info: PodInfo
    order: int
    attempts: int = 0
    rejected_by: frozenset[str] = frozenset()
    not_before: float = 0.0  # monotonic seconds
    state: str = "new"  # "active", "backoff", "parked", "held" (gated) or "flight"
    timer: Timer | None = None
    parked_as: _Kind | None = None


def _rank(queued: QueuedPod) -> tuple[int, int]:
    """Return what sorts Pods as PrioritySort does."""
    return (-queued.info.priority, queued.order)


class Queue:
    """The scheduling queue.

    Args:
        clock: times the back-off.
        hint: tells whether an event may help a Pod that some plugins rejected; asked once a template.
        wake: called whenever a Pod becomes ready.
    """

    def __init__(self, clock: Clock, hint: Hint, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._hint = hint
        self._wake = wake
        self._order = itertools.count()
        self._pods: dict[str, QueuedPod] = {}  # by uid
        self._parked: dict[_Kind, dict[str, QueuedPod]] = {}  # of these, those that are parked
        self._early: dict[str, QueuedPod] = {}  # and those that back off, but may come earlier
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
        if queued is not None:
            self._leave(queued)
            self._stop_timer(queued)
            queued.state = "gone"

    def pop(self) -> QueuedPod | None:
        """Take the next ready Pod; it stays known until removed, parked or retried."""
        if not self._has_active():
            if not self.has_ready():
                return None
            self._activate(min(self._early.values(), key=lambda each: (int(each.not_before), *_rank(each))))
            self._has_active()
        *_, queued = heapq.heappop(self._heap)
        queued.state = "flight"
        queued.attempts += 1
        return queued

    def has_ready(self) -> bool:
        """Tell whether :meth:`pop` would return one."""
        return self._has_active() or 0 < len(self._early) <= _MOST_EARLY

    def _has_active(self) -> bool:
        while self._heap and self._heap[0][-1].state != "active":
            heapq.heappop(self._heap)
        return bool(self._heap)

    def park(self, queued: QueuedPod, rejected_by: Collection[str]) -> None:
        """Put a rejected Pod aside until something changes."""
        if queued.state != "flight":
            return
        queued.rejected_by = frozenset(rejected_by)
        queued.order = next(self._order)
        self._set_backoff(queued)
        queued.state = "parked"
        queued.parked_as = (queued.info.template, queued.rejected_by)
        self._parked.setdefault(queued.parked_as, {})[queued.info.uid] = queued
        queued.timer = self._clock.call_later(FLUSH_SECONDS, lambda: self._retry_if(queued, "parked"))

    def retry(self, queued: QueuedPod) -> None:
        """Try a Pod again after its back-off, whatever happens (a failed write, a changed Pod)."""
        failed = queued.state == "flight"
        if failed:
            self._set_backoff(queued)
        if failed or queued.state == "parked":
            self._back_off(queued, may_be_early=not failed)

    def moved(self, event: Event) -> None:
        """Something happened: retry the parked Pods that it may help."""
        for (_, rejected_by), parked in list(self._parked.items()):
            found = list(parked.values())
            if not rejected_by or self._hint(found[0].info, rejected_by, event):
                for queued in found:
                    self._back_off(queued)

    def _set_backoff(self, queued: QueuedPod) -> None:
        seconds = min(INITIAL_BACKOFF_SECONDS * 2 ** min(queued.attempts - 1, 10), MAX_BACKOFF_SECONDS)
        queued.not_before = self._clock.monotonic() + seconds

    def _leave(self, queued: QueuedPod) -> None:
        """Take a Pod out of where it waits."""
        uid = queued.info.uid
        self._early.pop(uid, None)
        if queued.parked_as is not None:
            parked = self._parked[queued.parked_as]
            del parked[uid]
            if not parked:
                del self._parked[queued.parked_as]
            queued.parked_as = None

    def _back_off(self, queued: QueuedPod, *, may_be_early: bool = True) -> None:
        self._leave(queued)
        self._stop_timer(queued)
        wait = queued.not_before - self._clock.monotonic()
        if wait <= 0:
            self._activate(queued)
            return
        queued.state = "backoff"
        if may_be_early and queued.attempts <= _EARLY_ATTEMPTS:
            self._early[queued.info.uid] = queued
            self._wake()
        queued.timer = self._clock.call_later(wait, lambda: self._retry_if(queued, "backoff"))

    def _retry_if(self, queued: QueuedPod, state: str) -> None:
        if queued.state == state:
            self._activate(queued)

    def _activate(self, queued: QueuedPod) -> None:
        self._leave(queued)
        self._stop_timer(queued)
        queued.state = "active"
        heapq.heappush(self._heap, (*_rank(queued), next(self._pushes), queued))
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
