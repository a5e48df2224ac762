"""Forgets Events an hour after they were last written.

Invariant: an Event that is written again lives on for as long again. With nothing to forget nothing happens.
Those of an earlier process are as old as they say.

Source: --event-ttl of kube-apiserver; leases in k8s.io/apiserver/pkg/storage/etcd3 (Kubernetes 1.36).
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

from leeward.base.clock import Clock, Timer
from leeward.cluster.interface.store import Event, Store, Unsubscribe
from leeward.kube.objects import Obj, ObjectKey, key_of, parse_time

EVENTS = "events"
_BATCH = 64  # a turn of the event loop
_PAUSE = 1.0  # seconds between looks


class EventExpiry:
    """Removes Events from a store when their time has come.

    Args:
        store: has them.
        clock: tells how old they are.
        seconds: that they live.
    """

    def __init__(self, store: Store, clock: Clock, seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._due: OrderedDict[ObjectKey, float] = OrderedDict()  # monotonic seconds, the next first
        self._timer: Timer | None = None
        self._unsubscribe: Unsubscribe | None = None

    def start(self) -> None:
        """Watch over those that are there, and those that come."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        ages = {key_of(each): (now - _written(each)).total_seconds() for each in self._store.list(EVENTS)}
        for key in sorted(ages, key=lambda each: -ages[each]):
            self._due[key] = monotonic + self._seconds - ages[key]
        self._unsubscribe = self._store.subscribe([EVENTS], self._note)
        self._wait()

    def stop(self) -> None:
        """Forget nothing more."""
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._unsubscribe = None
        self._due.clear()

    def _note(self, event: Event) -> None:
        key = key_of(event.object)
        self._due.pop(key, None)
        if event.type != "DELETED":
            self._due[key] = self._clock.monotonic() + self._seconds
            self._wait()

    def _wait(self) -> None:
        if self._timer is None and self._due:
            left = next(iter(self._due.values())) - self._clock.monotonic()
            self._timer = self._clock.call_later(max(left, _PAUSE), self._look)

    def _look(self) -> None:
        self._timer = None
        now = self._clock.monotonic()
        for _ in range(_BATCH):
            key = next(iter(self._due), None)
            if key is None or self._due[key] > now:
                self._wait()
                return
            del self._due[key]
            if self._store.get(EVENTS, *key) is not None:
                self._store.delete(EVENTS, *key)
        self._timer = self._clock.call_later(0.0, self._look)


def _written(event: Obj) -> datetime:
    """Return when an Event was last written, as far as it says."""
    series = event.get("series") or {}
    told = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    times = [each for each in told if each] or [event["metadata"]["creationTimestamp"]]
    return max(map(parse_time, times))
