"""Runs controllers: events become keys, keys are synced in small batches on the clock's thread.

A batch is bounded so that the event loop is never held for more than a few milliseconds; what is there at
the start is looked at in batches too, and no key is synced before all of that was seen. On a virtual clock
the same code runs in whatever order the clock decides, always the same one.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from leeward.base.clock import Clock, Timer
from leeward.cluster.controllers.framework.controller import LONGEST_SECONDS, Collecting, Controller
from leeward.cluster.controllers.framework.workqueue import WorkQueue
from leeward.cluster.interface.client import Client, Event, Unsubscribe
from leeward.kube.objects import ObjectKey, key_of
from leeward.kube.resources import CRDS
from leeward.kube.status import ConflictError, NotFoundError, StatusError

logger = logging.getLogger(__name__)
BATCH = 16  # keys a turn of the event loop
_OBJECTS = 32  # objects a turn, at the start
FIELD_MANAGER = "kube-controller-manager"  # what managedFields calls all of them


class ControllerRunner:
    """One controller with its queue."""

    def __init__(self, name: str, controller: Controller, client: Client, clock: Clock) -> None:
        self.name = name
        self._controller = controller
        self._collecting = controller if isinstance(controller, Collecting) else None
        self._client = client
        self._clock = clock
        self._queue = WorkQueue(clock, self._schedule)
        self._turn: Timer | None = None
        self._more: Timer | None = None
        self._followed: dict[str, Unsubscribe] = {}  # by resource
        self._unseen: Iterator[Event] = iter(())
        self._looks = False
        self._synced: OrderedDict[ObjectKey, float] = OrderedDict()  # of late, for those that collect
        self.has_synced = False  # what was there at the start

    def start(self) -> None:
        """Follow events from now on and sync everything that is there."""
        self._follow()

    def stop(self) -> None:
        """Follow no more."""
        for unsubscribe in self._followed.values():
            unsubscribe()
        self._followed.clear()
        self._queue.clear()
        for timer in (self._turn, self._more):
            if timer:
                timer.cancel()
        self._turn = self._more = None
        self._unseen, self._looks, self.has_synced = iter(()), False, False

    def _follow(self) -> None:
        """Follow what the controller wants and is not followed yet, such as a kind defined since."""
        self._more = None
        new = [name for name in self._controller.resources if name not in self._followed]
        for resource in new:
            self._followed[resource] = self._client.watch((resource,), self._note)
        self._unseen = chain(self._unseen, self._what_is_there(new))
        self._look()

    def _look(self) -> None:
        """Note a batch of what is there."""
        seen = list(islice(self._unseen, _OBJECTS))
        for event in seen:
            self._note(event)
        self._looks = len(seen) == _OBJECTS
        self.has_synced = self.has_synced or not self._looks
        if len(self._queue) or self._looks:
            self._schedule()

    def _what_is_there(self, resources: Iterable[str]) -> Iterator[Event]:
        """Yield what is there; what goes before its turn has come is left out."""
        for resource in resources:
            for listed in self._client.list(resource):
                obj = self._client.find(resource, *key_of(listed))
                if obj is not None:
                    yield Event("ADDED", resource, obj, None, 0)

    def _note(self, event: Event) -> None:
        for key in self._controller.keys_for(event):
            seconds = self._collecting.delay(key, event, self._rested(key)) if self._collecting else 0.0
            if seconds > 0:
                self._queue.add_after(key, seconds)
            else:
                self._queue.add(key)
        if event.resource == CRDS and event.type == "ADDED" and event.revision and self._more is None:
            self._more = self._clock.call_later(0.0, self._follow)

    def _rested(self, key: ObjectKey) -> float:
        return self._clock.monotonic() - self._synced.get(key, float("-inf"))

    def _note_synced(self, key: ObjectKey) -> None:
        """Remember when a key was synced, as long as that matters."""
        now = self._synced[key] = self._clock.monotonic()
        self._synced.move_to_end(key)
        while now - next(iter(self._synced.values())) > LONGEST_SECONDS:
            self._synced.popitem(last=False)

    def _schedule(self) -> None:
        if self._turn is None:
            self._turn = self._clock.call_later(0.0, self._run_batch)

    def _run_batch(self) -> None:
        if self._looks:
            self._turn = None
            self._look()
            return
        with self._client.batch():
            for _ in range(min(BATCH, len(self._queue))):
                self._sync(self._queue.pop())
        self._turn = None  # only now: whoever was told of what this batch wrote has its turn first
        if len(self._queue):
            self._schedule()

    def _sync(self, key: ObjectKey) -> None:
        try:
            again = self._controller.sync(key)
        except (ConflictError, NotFoundError) as error:
            logger.debug("%s: %s: %s", self.name, key, error)
            self._queue.add_failed(key)
        except StatusError as error:
            delay = self._queue.add_failed(key)
            logger.info("%s: %s: %s (again in %.3f s)", self.name, key, error, delay)
        except Exception:
            logger.exception("%s: %s failed", self.name, key)
            self._queue.add_failed(key)
        else:
            self._queue.forget(key)
            if self._collecting:
                self._note_synced(key)
            if again is not None:
                self._queue.add_after(key, again)


class ControllerManager:
    """Starts and stops controllers.

    Args:
        controllers: (name, controller), in start order.
        client: where events come from; their writes are made durable in batches.
        clock: paces them.
    """

    def __init__(self, controllers: Iterable[tuple[str, Controller]], client: Client, clock: Clock) -> None:
        self._runners = [ControllerRunner(name, each, client, clock) for name, each in controllers]

    def start(self) -> None:
        """Start all of them."""
        for runner in self._runners:
            runner.start()

    @property
    def has_synced(self) -> bool:
        """Tell whether all of them have seen what was there when they started."""
        return all(runner.has_synced for runner in self._runners)

    def stop(self) -> None:
        """Stop all of them, last first."""
        for runner in reversed(self._runners):
            runner.stop()
