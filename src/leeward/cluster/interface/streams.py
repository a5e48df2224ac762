"""Talking to a program in a container: its streams, its terminal, its end.

Source: ``k8s.io/cri-api`` (Exec, Attach, PortForward) and ``k8s.io/kubelet/pkg/cri/streaming`` (1.36),
without the HTTP between kubelet and runtime.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol

Output = Literal["stdout", "stderr"]
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsWanted:
    """Which streams somebody wants; with a terminal all output is stdout."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class Streams(Protocol):
    """A running program's streams."""

    async def read(self, output: Output) -> bytes:
        """Return what comes next; nothing at the end, and for a stream that was not wanted."""
        ...

    async def write(self, data: bytes) -> None:
        """Write to its input; returns when it was taken, or when nobody reads it any more."""
        ...

    async def end_input(self) -> None:
        """Let it see the end of its input."""
        ...

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal's size; nothing happens where there is none."""
        ...

    async def exit_code(self) -> int:
        """Wait for its end; 0 for a container that somebody was attached to."""
        ...

    async def close(self) -> None:
        """Let go: a command is killed, a container goes on. Idempotent."""
        ...
