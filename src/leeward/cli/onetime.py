"""Running a service once and waiting for it: its output here, its exit code, and nothing left behind.

Output comes from the Pod's log, where nothing of it is missed; with a terminal, from the program itself.
Input goes to the program itself. Whoever interrupts it ends the program.
"""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from leeward.base.clock import SystemClock
from leeward.base.errors import OperationError
from leeward.cli import output
from leeward.cli.progress import Steps
from leeward.cli.talking import talk
from leeward.delivery.health import judge
from leeward.delivery.oneoff import OneOff, one_off_job
from leeward.delivery.services import of_manifest
from leeward.kube.jobs import finished_condition
from leeward.kube.remote import Wanted
from leeward.kube.status import NotFoundError, StatusError

if TYPE_CHECKING:
    from leeward.cli.room import Room
    from leeward.delivery.services import Service
    from leeward.kube.objects import Obj

_JOBS = "jobs.batch"
_POLL = 0.2  # seconds


async def run_once(room: Room, service: Service, wanted: OneOff, *, keep: bool = False) -> int:
    """Run a service once, to its end; returns its exit code.

    Args:
        room: where.
        service: whose.
        wanted: what is otherwise than in the service.
        keep: leave the Job when it has ended.

    Raises:
        OperationError: it cannot be started, or its end is not known.
    """
    if wanted.stdin:
        await room.require("create", "pods/attach")  # not when the program runs already
    job = await start(room, service, wanted)
    async with AsyncExitStack() as stack:
        if not keep:
            stack.push_async_callback(_remove, room, job)
        return await _follow(room, service, job, wanted)


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


async def _follow(room: Room, service: Service, job: Obj, wanted: OneOff) -> int:
    with Steps() as steps:
        pod = await _started(room, service, job, steps)
    streams = Wanted(stdin=wanted.stdin, tty=wanted.tty)
    if wanted.tty:
        with contextlib.suppress(StatusError):  # it has ended already: the log says what it said
            await talk(room.api, pod, service.container, streams)
            return await _exit_code(room, service, job)
    feeding = asyncio.ensure_future(_feed(room, pod, service, streams)) if wanted.stdin else None
    try:
        name = pod["metadata"]["name"]
        async for line in room.api.logs(room.namespace, name, container=service.container, follow=True):
            output.say(line)
    finally:
        if feeding is not None:
            feeding.cancel()
    return await _exit_code(room, service, job)


async def _feed(room: Room, pod: Obj, service: Service, streams: Wanted) -> None:
    """Pass input on; what the program says comes from its log, but listening keeps its input open."""
    with contextlib.suppress(StatusError, OperationError):  # the program has ended, which the log tells
        await talk(room.api, pod, service.container, streams, mute=True)


async def _started(room: Room, service: Service, job: Obj, steps: Steps) -> Obj:
    """Return the Pod, when its program runs or has ended.

    Raises:
        OperationError: it will not.
    """
    clock = SystemClock()
    while True:
        pods = await _pods(room, job)
        if found := next((pod for pod in pods if _state(pod, service)), None):
            return found
        live = await room.api.get(_JOBS, room.namespace, job["metadata"]["name"])
        health = judge(live, pods)
        if health.hopeless:
            raise OperationError(f"{service.name} does not start: {health.problem}")
        steps.show(f"waiting for {job['metadata']['name']}{f': {health.problem}' if health.problem else ''}")
        await clock.sleep(_POLL)


async def _exit_code(room: Room, service: Service, job: Obj) -> int:
    """Return the exit code of the program, when it has ended.

    Raises:
        OperationError: the Pod went before it was told.
    """
    clock = SystemClock()
    while True:
        for pod in await _pods(room, job):
            ended = (_state(pod, service) or {}).get("terminated")
            if ended:
                return int(ended.get("exitCode", 1))
        live = await room.api.find(_JOBS, room.namespace, job["metadata"]["name"])
        condition = None if live is None else finished_condition(live)
        if live is None or condition is not None:
            why = (condition or {}).get("message") or "its Job was deleted"
            raise OperationError(f"how {service.name} ended is not known: {why}")
        await clock.sleep(_POLL)


async def _pods(room: Room, job: Obj) -> list[Obj]:
    selector = f"batch.kubernetes.io/job-name={job['metadata']['name']}"
    return await room.api.list("pods", room.namespace, label_selector=selector)


def _state(pod: Obj, service: Service) -> Obj | None:
    """Return the state of the service's container, when it runs or has ended."""
    for status in (pod.get("status") or {}).get("containerStatuses") or ():
        state: Obj = status.get("state") or {}
        if status["name"] == service.container and ("running" in state or "terminated" in state):
            return state
    return None


async def _remove(room: Room, job: Obj) -> None:
    with contextlib.suppress(NotFoundError):
        await room.api.delete(_JOBS, room.namespace, job["metadata"]["name"], propagation="Background")
