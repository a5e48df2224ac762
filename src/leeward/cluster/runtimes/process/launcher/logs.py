"""Container output as CRI log lines: ``<RFC 3339 with nanoseconds> stdout|stderr F|P <text>``.

Source: kubernetes.io design proposal "kubelet-cri-logging"; a part of a long line, and
a last line that has no end, is tagged P.
"""

from __future__ import annotations

import os
import time

MAX_LINE = 16384


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

    def read(self) -> bool:
        """Move what is there to the log; False at the end of the pipe."""
        try:
            data = os.read(self.pipe, 65536)
        except BlockingIOError:
            return True
        except OSError:
            data = b""
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
            os.write(self._log, b"".join(out))
        return bool(data)

    def _line(self, stamp: bytes, tag: bytes, text: bytes) -> bytes:
        return b"%s %s %s %s\n" % (stamp, self._name, tag, text)


def _now() -> bytes:
    nanoseconds = time.time_ns()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(nanoseconds // 1_000_000_000))
    return b"%s.%09dZ" % (whole.encode(), nanoseconds % 1_000_000_000)
