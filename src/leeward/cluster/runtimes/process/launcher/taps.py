"""Output of containers for whoever attached to them, beside their logs.

Invariant: nobody who watches holds up a container, nor the launcher: who reads too slowly is let go.
"""

from __future__ import annotations

import os
import selectors

MAX_PENDING = 4 << 20  # bytes that wait for one reader


class PipeTap:
    """Copies to a pipe.

    Args:
        descriptor: write end; closed by this.
        selector: calls back what is registered there, as the launcher's does.
    """

    def __init__(self, descriptor: int, selector: selectors.BaseSelector) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._selector = selector
        self._pending = b""
        self._waiting = False
        self._ended = False

    def feed(self, data: bytes) -> None:
        """Take what came out; nothing is the end."""
        if self._descriptor < 0:
            return
        self._ended = self._ended or not data
        self._pending += data
        if len(self._pending) > MAX_PENDING:
            self.close()
        elif not self._waiting:
            self._flush()

    def _flush(self) -> None:
        try:
            self._pending = self._pending[os.write(self._descriptor, self._pending) :]
        except BlockingIOError:
            pass
        except OSError:  # nobody reads any more
            self.close()
            return
        if self._pending and not self._waiting:
            self._selector.register(self._descriptor, selectors.EVENT_WRITE, self._flush)
            self._waiting = True
        elif not self._pending:
            self._stop_waiting()
            if self._ended:
                self.close()

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._selector.unregister(self._descriptor)
            self._waiting = False

    def close(self) -> None:
        """Let go; idempotent."""
        if self._descriptor >= 0:
            self._stop_waiting()
            os.close(self._descriptor)
            self._descriptor = -1
