"""What Ctrl-C means: the first one stops in good order and says what, the second one stops at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from leeward.base.errors import LeewardError

INTERRUPTED = 130  # exit code, as of a shell's child that SIGINT ended


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
