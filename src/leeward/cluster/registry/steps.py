"""Writes that may have to wait: a write is a generator that yields what it asks of webhooks.

Invariant: between two steps anything may have changed in the store; what a write decided before it waited it
checks again, or it starts over.

Source: docs/decisions/0008-webhooks-and-the-synchronous-registry.md.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import orjson

from leeward.cluster.interface.client import WaitingError
from leeward.cluster.registry.admission.webhooks.calls import HookCall, HookCaller, Outcome
from leeward.kube.status import ConflictError

T = TypeVar("T")
Steps = Generator[Sequence[HookCall], Sequence[Outcome], T]

_ATTEMPTS = 5  # at a write whose object others change meanwhile
_REMEMBERED = 256  # failures that nobody has come back for


class Stepper:
    """Carries writes out: at once where nothing has to be waited for, else as tasks.

    Args:
        call: asks a webhook; None: nobody can.
    """

    def __init__(self, call: HookCaller | None) -> None:
        self._call = call
        self._tasks: dict[bytes, asyncio.Task[Any]] = {}
        self._failed: OrderedDict[bytes, Exception] = OrderedDict()

    def finish(self, make: Callable[[], Steps[T]], attended: bool, what: Sequence[Any]) -> T:
        """Return what a write returns.

        Args:
            make: begins the write; called again to start over.
            attended: the caller waits, should it have to.
            what: the write, as JSON values. The same one is not begun twice: a caller that does not wait
                comes back with it.

        Raises:
            WaitingError: the write goes on as a task.
            StatusError: it is refused, or it was when it went on as a task.
        """
        steps = make()
        try:
            calls = next(steps)
        except StopIteration as done:
            result: T = done.value
            return result
        if self._call is None:
            return self._without_calls(steps, calls)
        if attended:
            raise WaitingError(asyncio.ensure_future(self._carry_on(make, steps, calls, self._call)))
        key = orjson.dumps(what, default=str, option=orjson.OPT_SORT_KEYS)
        error = self._failed.pop(key, None)
        if error is not None:
            steps.close()
            raise error
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.ensure_future(self._carry_on(make, steps, calls, self._call))
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        else:
            steps.close()
        raise WaitingError(task)

    @staticmethod
    def _without_calls(steps: Steps[T], calls: Sequence[HookCall]) -> T:
        while True:
            try:
                calls = steps.send([Outcome(failure="no webhook can be called from here") for _ in calls])
            except StopIteration as done:
                result: T = done.value
                return result

    async def _carry_on(
        self, make: Callable[[], Steps[T]], steps: Steps[T], calls: Sequence[HookCall], call: HookCaller
    ) -> T:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                while True:
                    outcomes = await asyncio.gather(*map(call, calls))
                    calls = steps.send(outcomes)
            except StopIteration as done:
                result: T = done.value
                return result
            except ConflictError:
                if attempt == _ATTEMPTS:
                    raise
            steps = make()
            try:
                calls = next(steps)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
        raise AssertionError("unreachable")

    def _ended(self, key: bytes, task: asyncio.Task[Any]) -> None:
        del self._tasks[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._failed[key] = error
            if len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)
