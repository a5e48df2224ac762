"""Runs controllers: events become keys, keys are synced in small batches on the clock's thread.

A batch is bounded so that the event loop is never held for more than a few milliseconds. On a virtual
clock the same code runs in whatever order the clock decides, always the same one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from leeward.base.clock import Clock, Timer
from leeward.cluster.controllers.framework.controller import Controller
from leeward.cluster.controllers.framework.workqueue import WorkQueue
from leeward.cluster.interface.client import Event, Reader, Unsubscribe
from leeward.kube.objects import ObjectKey
from leeward.kube.status import ConflictError, NotFoundError, StatusError

logger = logging.getLogger(__name__)
BATCH = 16  # keys a turn of the event loop
FIELD_MANAGER = "kube-controller-manager"  # what managedFields calls all of them


class ControllerRunner:
    """One controller with its queue."""

    def __init__(self, name: str, controller: Controller, reader: Reader, clock: Clock) -> None:
        self.name = name
        self._controller = controller
        self._reader = reader
        self._clock = clock
        self._queue = WorkQueue(clock, self._schedule)
        self._turn: Timer | None = None
        self._unsubscribe: Unsubscribe | None = None

    def start(self) -> None:
        """Follow events from now on and sync everything that is there."""
        resources = self._controller.resources
        self._unsubscribe = self._reader.watch(resources, self._note)
        for resource in resources:
            for obj in self._reader.list(resource):
                self._note(Event("ADDED", resource, obj, None, 0))

    def stop(self) -> None:
        """Follow no more."""
        if self._unsubscribe:
            self._unsubscribe()
            self._unsubscribe = None
        self._queue.clear()
        if self._turn:
            self._turn.cancel()
            self._turn = None

    def _note(self, event: Event) -> None:
        for key in self._controller.keys_for(event):
            self._queue.add(key)

    def _schedule(self) -> None:
        if self._turn is None:
            self._turn = self._clock.call_later(0.0, self._run_batch)

    def _run_batch(self) -> None:
        self._turn = None
        for _ in range(min(BATCH, len(self._queue))):
            self._sync(self._queue.pop())
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
            if again is not None:
                self._queue.add_after(key, again)


class ControllerManager:
    """Starts and stops controllers.

    Args:
        controllers: (name, controller), in start order.
        reader: where events come from.
        clock: paces them.
    """

    def __init__(self, controllers: Iterable[tuple[str, Controller]], reader: Reader, clock: Clock) -> None:
        self._runners = [ControllerRunner(name, each, reader, clock) for name, each in controllers]

    def start(self) -> None:
        """Start all of them."""
        for runner in self._runners:
            runner.start()

    def stop(self) -> None:
        """Stop all of them, last first."""
        for runner in reversed(self._runners):
            runner.stop()
