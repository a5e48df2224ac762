"""A person, or a script, talks to a program in a Pod: input, output, the terminal's size, the exit code."""

from __future__ import annotations

import asyncio
import contextlib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from leeward.base.clock import SystemClock
from leeward.cli import terminal
from leeward.kube.http import UnreachableError
from leeward.kube.remote import STDERR, Conversation, Wanted, converse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from leeward.kube.client import KubeClient
    from leeward.kube.objects import Obj

_PATIENCE = 1.0  # seconds without a word from a program that runs already


async def talk(
    api: KubeClient,
    pod: Obj,
    container: str,
    wanted: Wanted,
    command: Sequence[str] = (),
    opened: Callable[[], Awaitable[None]] | None = None,
    *,
    mute: bool = False,
) -> int:
    """Carry data both ways until the program ends; returns its exit code.

    Args:
        api: the cluster.
        pod: where the program runs, or is to run.
        container: of the Pod.
        wanted: the streams.
        command: what to run; none for the program that runs already.
        opened: awaited when the cluster has let us in, before anything is passed on.
        mute: print nothing of what the program says.

    Raises:
        StatusError: it is refused, or the program cannot be started.
        UnreachableError: the connection was lost.
    """
    meta, verb = pod["metadata"], "exec" if command else "attach"
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}/{verb}"
    async with converse(api.access, path, wanted.query(container, command)) as conversation:
        if opened is not None:
            await opened()
        with terminal.raw() if wanted.tty else contextlib.nullcontext():
            await _Carrier(conversation, wanted, mute=mute, late=not command).carry()
    return conversation.exit_code()


class _Carrier:
    """Carries data between the terminal and a program.

    Args:
        conversation: with the program.
        wanted: its streams.
        mute: print nothing.
        late: the program was there before us, and what it has said is not repeated.
    """

    def __init__(self, conversation: Conversation, wanted: Wanted, *, mute: bool, late: bool) -> None:
        self._conversation = conversation
        self._wanted = wanted
        self._mute = mute
        self._late = late
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent = True

    async def carry(self) -> None:
        """Carry until the program ends."""
        with ExitStack() as stack:
            if self._wanted.tty:
                columns, rows = terminal.size()
                await _quietly(self._conversation.resize(columns + 1, rows + 1))  # what runs draws again
                await _quietly(self._resize())
                stack.enter_context(terminal.on_resize(lambda: self._begin(self._resize())))
            if self._wanted.tty and self._late:
                self._begin(self._hint())
            if self._wanted.stdin:
                self._begin(self._feed())
            try:
                async for channel, data in self._conversation.read():
                    self._silent = False
                    if not self._mute:
                        terminal.write(data, error=channel == STDERR)
            finally:
                for task in tuple(self._tasks):
                    task.cancel()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resize(self) -> None:
        await self._conversation.resize(*terminal.size())

    async def _feed(self) -> None:
        async for data in terminal.typed():
            await self._conversation.write(data)
        await self._conversation.end_input()

    async def _hint(self) -> None:
        await SystemClock().sleep(_PATIENCE)
        if self._silent:
            terminal.write(b"press Enter when there is no prompt\r\n", error=True)


async def _quietly(work: Awaitable[None]) -> None:
    """Do what may fail because the program has ended, which whoever reads notices."""
    with contextlib.suppress(UnreachableError):
        await work
