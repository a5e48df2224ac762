"""Container output as CRI log lines: ``<RFC 3339 with nanoseconds> stdout|stderr F|P <text>``.

Source: kubernetes.io design proposal "kubelet-cri-logging"; a part of a long line, and
a last line that has no end, is tagged P.

Invariant: the file has whole lines only. What it cannot take, on a full disk, is dropped; a container is
neither stopped nor held up by that.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Protocol

MAX_LINE = 16384


class Tap(Protocol):
    """Somebody who watches a container's output."""

    def feed(self, data: bytes) -> None:
        """Take what came out; nothing is the end."""
        ...


class LogStream:
    """One pipe of one container.

    Args:
        pipe: read end, non-blocking.
        log: descriptor of the log file, opened for appending.
        name: "stdout" or "stderr".
    """

    def __init__(self, pipe: int, log: int, name: str) -> None:
        self.pipe = pipe
        self._log = log
        self._name = name.encode()
        self._pending = b""
        self._dropping = False
        self.taps: list[Tap] = []  # who watches

    def read(self) -> bool:
        """Move what is there to the log; False at the end of the pipe."""
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
        for tap in self.taps:
            tap.feed(data)
        *lines, rest = (self._pending + data).split(b"\n")
        stamp = _now()
        out = [self._line(stamp, b"F", line) for line in lines]
        while len(rest) > MAX_LINE:
            out.append(self._line(stamp, b"P", rest[:MAX_LINE]))
            rest = rest[MAX_LINE:]
        self._pending = rest
        if not data and self._pending:
            out.append(self._line(stamp, b"P", self._pending))
            self._pending = b""
        if out:
            self._write(b"".join(out))
        return bool(data)

    def _write(self, lines: bytes) -> None:
        """Append lines; those that do not fit are dropped."""
        written = 0
        try:
            while written < len(lines):
                written += os.write(self._log, lines[written:])
            self._dropping = False
        except OSError as error:
            with contextlib.suppress(OSError):
                self._cut(written - lines[:written].rfind(b"\n") - 1)
            if not self._dropping:
                self._dropping = True
                tell(f"{self._name.decode()} of a container is lost: {error}")

    def _cut(self, length: int) -> None:
        """Take back the last bytes of the file, which are part of a line."""
        if length:
            os.ftruncate(self._log, os.fstat(self._log).st_size - length)

    def _line(self, stamp: bytes, tag: bytes, text: bytes) -> bytes:
        return b"%s %s %s %s\n" % (stamp, self._name, tag, text)


def tell(message: str) -> None:
    """Say something on the launcher's own stderr, if that can be written."""
    with contextlib.suppress(OSError):
        print(f"leeward launcher: {message}", file=sys.stderr, flush=True)


def _now() -> bytes:
    nanoseconds = time.time_ns()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    return b"%s.%09dZ" % (whole.encode(), nanoseconds % 1_000_000_000)
