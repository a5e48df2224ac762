"""What Ctrl-C means: the first one stops in good order and says what, the second one stops at once.

SIGTERM does as the first one, where something has to be brought back.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

from leeward.base.errors import LeewardError

INTERRUPTED = 130  # exit code, as of a shell's child that SIGINT ended
TERMINATED = 143  # the same for SIGTERM


class InterruptedByUserError(LeewardError):
    """Ctrl-C was pressed; the message says what became of what was going on."""

    exit_code: ClassVar[int] = INTERRUPTED


def finish(work: Callable[[], object], done: str, left: str) -> InterruptedByUserError:
    """Do what has to be done after a Ctrl-C; return the error to raise.

    Args:
        work: stops what is going on.
        done: said when it has ended.
        left: said when a second Ctrl-C cuts it short.
    """
    try:
        work()
    except KeyboardInterrupt:
        return InterruptedByUserError(left)
    return InterruptedByUserError(done)


def end_on_sigterm() -> None:
    """Make SIGTERM cancel the task that runs, as Ctrl-C does, so that what it has taken down is brought back.

    The CancelledError has the signal, as far as it is not another one by then; see :data:`TERMINATED`.
    """
    import asyncio

    task = asyncio.current_task()
    with suppress(NotImplementedError):  # Windows
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel, signal.SIGTERM)
