"""Container logs: from the kubelet's files to what ``kubectl logs`` prints.

Decides which lines a request sees; follows a growing file by looking at it a few times a second, only
while somebody follows.

Source: ``k8s.io/kubernetes/pkg/kubelet/kuberuntime/logs`` and the CRI log format:
``<RFC 3339 nano> stdout|stderr F|P <text>``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol

from leeward.base.clock import Clock
from leeward.kube.objects import Obj, format_micro_time, parse_time
from leeward.kube.status import BadRequestError

_POLL_SECONDS = 0.2
_CHUNK = 64 * 1024


class LogSource(Protocol):
    """Where container logs are; the composition root asks the kubelets."""

    def __call__(self, pod: Obj, container: str, *, previous: bool) -> Path | None:
        """Return the log file of a container's current (or previous) run; None when it has none."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The query of ``pods/NAME/log``."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None

    @property
    def since_text(self) -> str:
        """The earliest timestamp to show, comparable as text; "" for all."""
        return "" if self.since is None else format_micro_time(self.since)[:-1]


def since_moment(seconds: int | None, time: str, now: datetime) -> datetime | None:
    """Return the moment that ``sinceSeconds`` or ``sinceTime`` name.

    Raises:
        BadRequestError: both are given, or one of them is wrong.
    """
    if seconds is not None and time:
        raise BadRequestError("at most one of `sinceTime` or `sinceSeconds` may be specified")
    if seconds is not None:
        if seconds < 1:
            raise BadRequestError("sinceSeconds: Invalid value: must be greater than 0")
        return now - timedelta(seconds=seconds)
    if not time:
        return None
    try:
        return parse_time(time)
    except ValueError as error:
        raise BadRequestError(f"sinceTime: {error}") from None


def render_line(line: bytes, options: LogOptions) -> bytes | None:
    """Return what a line of the file shows, or None when it is left out."""
    stamp, _, rest = line.partition(b" ")
    _stream, _, rest = rest.partition(b" ")
    tag, _, text = rest.partition(b" ")
    if options.since and stamp.decode("ascii", "replace") < options.since_text:
        return None
    body = text if tag.startswith(b"P") else text + b"\n"
    return stamp + b" " + body if options.timestamps else body


def _lines(file: BinaryIO) -> Iterator[bytes]:
    for line in file:
        if not line.endswith(b"\n"):
            file.seek(-len(line), os.SEEK_CUR)  # still being written
            return
        yield line[:-1]


def _first(file: BinaryIO, options: LogOptions) -> Iterable[bytes]:
    shown = _shown(file, options)
    return shown if options.tail_lines is None else deque(shown, maxlen=max(options.tail_lines, 0))


async def read_log(
    path: Path,
    options: LogOptions,
    clock: Clock,
    still_running: Callable[[], bool],
    next_path: Callable[[], Path | None],
) -> AsyncIterator[bytes]:
    """Yield the log in chunks.

    Args:
        path: the file.
        options: what to show.
        clock: waits between looks at a growing file.
        still_running: whether more may come; following ends when it says no and all was read.
        next_path: the current run's file, to go on with after a restart.
    """
    left = options.limit_bytes
    async for chunk in _chunks(path, options, clock, still_running, next_path):
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
        if chunk:
            yield chunk
        if left == 0:
            return


async def _chunks(
    path: Path,
    options: LogOptions,
    clock: Clock,
    still_running: Callable[[], bool],
    next_path: Callable[[], Path | None],
) -> AsyncIterator[bytes]:
    file = path.open("rb")
    try:
        for chunk in _grouped(_first(file, options)):
            yield chunk
        while options.follow:
            running, current = still_running(), next_path()
            chunks = list(_grouped(_shown(file, options)))
            for chunk in chunks:
                yield chunk
            if current is not None and current != path:
                path = current
                file.close()
                file = path.open("rb")
            elif not running:
                return
            elif not chunks:
                await clock.sleep(_POLL_SECONDS)
    finally:
        file.close()


def _shown(file: BinaryIO, options: LogOptions) -> Iterator[bytes]:
    return (text for line in _lines(file) if (text := render_line(line, options)) is not None)


def _grouped(lines: Iterable[bytes]) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for line in lines:
        parts.append(line)
        size += len(line)
        if size >= _CHUNK:
            yield b"".join(parts)
            parts, size = [], 0
    if parts:
        yield b"".join(parts)
