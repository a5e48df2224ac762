"""Running a service once and waiting for it: its output here, its exit code, and nothing left behind.

Output comes from the Pod's log, where nothing of it is missed; with a terminal, from the program itself.
Input goes to the program itself. Whoever interrupts it ends the program.

Invariants: a connection that is lost ends no program: its log is followed again, and when the cluster cannot
be reached for long, the Job goes on and is told. Input that was cut off is never taken for the end of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from leeward.base.clock import SystemClock, within
from leeward.base.errors import LeewardError, OperationError
from leeward.cli import output
from leeward.cli.progress import Steps
from leeward.cli.talking import talk
from leeward.delivery.health import judge
from leeward.delivery.oneoff import OneOff, one_off_job
from leeward.delivery.promotion.patience import Patient
from leeward.delivery.services import of_manifest
from leeward.kube.http import UnreachableError, may_pass
from leeward.kube.jobs import finished_condition
from leeward.kube.remote import Wanted
from leeward.kube.status import NotFoundError, StatusError

if TYPE_CHECKING:
    from leeward.base.clock import Clock
    from leeward.cli.room import Room
    from leeward.delivery.services import Service
    from leeward.kube.objects import Obj

_JOBS = "jobs.batch"
_POLL = 0.2  # seconds
_LOOK = 2.0  # seconds between two looks at a program whose log tells when it ends
_LAST_WORDS = 10.0  # seconds that the log of a program may take to end after it


async def run_once(
    room: Room, service: Service, wanted: OneOff, *, keep: bool = False, clock: Clock | None = None
) -> int:
    """Run a service once, to its end; returns its exit code.

    Args:
        room: where.
        service: whose.
        wanted: what is otherwise than in the service.
        keep: leave the Job when it has ended.
        clock: the real one, unless another is given.

    Raises:
        OperationError: it cannot be started, or its end is not known.
    """
    if wanted.stdin:
        await room.require("create", "pods/attach")  # not when the program runs already
    job = await start(room, service, wanted)
    try:
        code = await _OneTime(room, service, job, clock or SystemClock()).follow(wanted)
    except BaseException as error:
        if isinstance(error, LeewardError) and may_pass(error):
            raise OperationError(
                f"{error}. {wanted.name} goes on without being watched",
                remedy=f"kubectl logs -f job/{wanted.name} -n {room.namespace}",
            ) from error
        if not keep:
            await _remove(room, job)
        raise
    if not keep:
        await _remove(room, job)
    return code


async def start(room: Room, service: Service, wanted: OneOff) -> Obj:
    """Start it; returns the Job."""
    applied = of_manifest(service, await room.applied())
    pods = await room.api.list("pods", room.namespace)
    job = await room.api.create(_JOBS, one_off_job(applied, wanted, room.namespace, pods))
    try:
        program = next(iter(wanted.entrypoint or wanted.command), "")
        await room.record("run", "started", service=service.name, job=wanted.name, program=program)
    except BaseException:
        await _remove(room, job)  # nothing that is not in the trail
        raise
    return job


class _OneTime:
    """A program that was started, until it has ended."""

    def __init__(self, room: Room, service: Service, job: Obj, clock: Clock) -> None:
        self._room = room
        self._service = service
        self._name: str = job["metadata"]["name"]
        self._clock = clock
        self._api = Patient(room.api, clock, lambda: None)
        self._said = 0  # lines of its log that are printed

    async def follow(self, wanted: OneOff) -> int:
        """Carry what it says, and what it is told, until it has ended; returns its exit code."""
        with Steps() as steps:
            pod = await self._started(steps)
        streams = Wanted(stdin=wanted.stdin, tty=wanted.tty)
        if wanted.tty:
            with contextlib.suppress(StatusError):  # it has ended already: the log says what it said
                await talk(self._room.api, pod, self._service.container, streams)
                return await self._exit_code()
        feeding = asyncio.ensure_future(self._feed(pod, streams)) if wanted.stdin else None
        log = asyncio.ensure_future(self._print(pod))
        try:
            code = await self._exit_code(log)
            try:
                await within(self._clock, _LAST_WORDS, _end_of(log))
            except TimeoutError:  # nobody told that the connection was lost
                await self._show(pod, follow=False)
            if feeding is not None and feeding.done() and not feeding.result():
                raise OperationError(
                    f"the connection for input of {self._service.name} was lost; it ended with {code}",
                    remedy="See what it did with the part that it got, and run it again.",
                )
            return code
        finally:
            for task in filter(None, (feeding, log)):
                task.cancel()

    async def _print(self, pod: Obj) -> None:
        while True:
            try:
                await self._show(pod, follow=True)
            except UnreachableError:  # whether that is for good, whoever asks for the exit code finds out
                await self._clock.sleep(_LOOK)
            else:
                return

    async def _show(self, pod: Obj, *, follow: bool) -> None:
        """Print what of its log is not printed yet."""
        number, name = 0, pod["metadata"]["name"]
        async for line in self._room.api.logs(
            self._room.namespace, name, container=self._service.container, follow=follow
        ):
            number += 1
            if number > self._said:
                self._said = number
                output.say(line)

    async def _feed(self, pod: Obj, streams: Wanted) -> bool:
        """Pass input on; tells whether the connection for it held as long as the program.

        What the program says comes from its log, but listening keeps its input open.
        """
        try:
            await talk(self._room.api, pod, self._service.container, streams, mute=True)
        except StatusError:  # the program has ended, which its log tells
            return True
        except OperationError:
            return False
        return True

    async def _started(self, steps: Steps) -> Obj:
        """Return the Pod, when its program runs or has ended.

        Raises:
            OperationError: it will not.
        """
        while True:
            pods = await self._pods()
            if found := next((pod for pod in pods if self._state(pod)), None):
                return found
            live = await self._api.find(_JOBS, self._room.namespace, self._name)
            if live is None:
                raise OperationError(f"{self._service.name} does not start: its Job was deleted")
            health = judge(live, pods)
            if health.hopeless:
                raise OperationError(f"{self._service.name} does not start: {health.problem}")
            steps.show(f"waiting for {self._name}{f': {health.problem}' if health.problem else ''}")
            await self._clock.sleep(_POLL)

    async def _exit_code(self, log: asyncio.Future[None] | None = None) -> int:
        """Return the exit code of the program, when it has ended.

        Raises:
            OperationError: the Pod went before it was told.
        """
        while True:
            for pod in await self._pods():
                ended = (self._state(pod) or {}).get("terminated")
                if ended:
                    return int(ended.get("exitCode", 1))
            live = await self._api.find(_JOBS, self._room.namespace, self._name)
            condition = None if live is None else finished_condition(live)
            if live is None or condition is not None:
                why = (condition or {}).get("message") or "its Job was deleted"
                raise OperationError(f"how {self._service.name} ended is not known: {why}")
            if log is None or log.done():
                await self._clock.sleep(_POLL)
            else:
                with contextlib.suppress(TimeoutError):
                    await within(self._clock, _LOOK, _wait_for(log))
            if log is not None and log.done():
                log.result()  # raises what was wrong with it

    async def _pods(self) -> list[Obj]:
        selector = f"batch.kubernetes.io/job-name={self._name}"
        return await self._api.list("pods", self._room.namespace, label_selector=selector)

    def _state(self, pod: Obj) -> Obj | None:
        """Return the state of the service's container, when it runs or has ended."""
        for status in (pod.get("status") or {}).get("containerStatuses") or ():
            state: Obj = status.get("state") or {}
            if status["name"] == self._service.container and ("running" in state or "terminated" in state):
                return state
        return None


async def _end_of(log: asyncio.Future[None]) -> None:
    await log


async def _wait_for(log: asyncio.Future[None]) -> None:
    await asyncio.wait((log,))


async def _remove(room: Room, job: Obj) -> None:
    with contextlib.suppress(NotFoundError):
        await room.api.delete(_JOBS, room.namespace, job["metadata"]["name"], propagation="Background")
