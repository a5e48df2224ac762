"""Progress while something takes a while: a live line on a terminal, plain lines when piped."""

from __future__ import annotations

import sys
from types import TracebackType


class Steps:
    """Shows one step after another; leaves nothing behind on a terminal."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._shown = ""

    def __enter__(self) -> Steps:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live and self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    @property
    def is_live(self) -> bool:
        """Tell whether there is a terminal, on which one line replaces another."""
        return self._live

    def show(self, text: str) -> None:
        """Show `text` as what is going on now."""
        if text == self._shown:
            return
        self._shown = text
        sys.stderr.write(f"\r\x1b[K{text}" if self._live else f"{text}\n")
        sys.stderr.flush()

    def line(self, text: str) -> None:
        """Print a line that stays."""
        if self._live and self._shown:
            sys.stderr.write("\r\x1b[K")
        sys.stderr.write(f"{text}\n")
        if self._live and self._shown:
            sys.stderr.write(self._shown)
        sys.stderr.flush()
