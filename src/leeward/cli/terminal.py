"""The terminal of whoever types: its size, raw input, and bytes in and out of it.

Input is read by a thread of its own, which waits in the kernel and is left behind when nobody wants more:
making the descriptor non-blocking would change it for the shell too.
"""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from leeward.cli.interrupts import InterruptedByUserError

_CHUNK = 1 << 16


def is_terminal() -> bool:
    """Tell whether both input and output are a terminal."""
    return _isatty(0) and _isatty(1)


def has_input() -> bool:
    """Tell whether standard input is something to read: a terminal, a pipe or a file, not ``/dev/null``."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return _isatty(0) or stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _isatty(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def size() -> tuple[int, int]:
    """Return columns and rows; 80 by 24 where it is not known."""
    try:
        found = os.get_terminal_size(1)
    except OSError:
        return 80, 24
    return found.columns or 80, found.lines or 24


@contextmanager
def raw() -> Iterator[None]:
    """Pass on every key, Ctrl-C too; the terminal is as it was afterwards."""
    import termios
    import tty

    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


@contextmanager
def on_resize(work: Callable[[], object]) -> Iterator[None]:
    """Call `work` whenever the size changes."""
    loop, number = asyncio.get_running_loop(), getattr(signal, "SIGWINCH", None)
    if number is None:
        yield
        return
    loop.add_signal_handler(number, work)
    try:
        yield
    finally:
        loop.remove_signal_handler(number)


@contextmanager
def cancelled_when_ended() -> Iterator[None]:
    """Let whoever ends this process, or closes its terminal, cancel the task: what it began is undone.

    Raises:
        InterruptedByUserError: somebody did.
    """
    loop, task, ended = asyncio.get_running_loop(), asyncio.current_task(), list[int]()

    def end(number: int) -> None:
        ended.append(number)
        if task is not None:
            task.cancel()

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    for number in numbers:
        loop.add_signal_handler(number, end, number)
    try:
        yield
    except asyncio.CancelledError:
        if not ended:
            raise
        raise InterruptedByUserError(f"by {signal.Signals(ended[0]).name}") from None
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def typed(descriptor: int = 0) -> AsyncIterator[bytes]:
    """Yield what comes from standard input, until it ends."""
    loop = asyncio.get_running_loop()
    coming: asyncio.Queue[bytes] = asyncio.Queue(maxsize=1)

    def read() -> None:
        data = b"."
        while data:
            try:
                data = os.read(descriptor, _CHUNK)
            except OSError:
                data = b""
            if loop.is_closed():
                return
            try:
                asyncio.run_coroutine_threadsafe(coming.put(data), loop).result()
            except (RuntimeError, CancelledError):
                return  # nobody wants more

    threading.Thread(target=read, daemon=True).start()
    while data := await coming.get():
        yield data


def write(data: bytes, *, error: bool = False) -> None:
    """Write bytes to standard output, or standard error, as they are."""
    stream = sys.stderr if error else sys.stdout
    stream.flush()
    stream.buffer.write(data)
    stream.buffer.flush()
