"""The cluster's side of the launcher's socket: requests answered by futures, exits by a callback."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.runtimes.process.isolation import source_root

logger = logging.getLogger(__name__)
MAX_MESSAGE = 1 << 20
_MAX_DESCRIPTORS = 8
_CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_LOST = 137  # the exit code of a command that died with the launcher
_ENDS_WITHIN = 2.0  # seconds that the launcher has for killing what it started
_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    "from leeward.cluster.runtimes.process.launcher.main import main; main()"
)


class LauncherControl:
    """Starts the launcher and talks to it.

    Args:
        on_exit: called with (container, exit code).
        on_lost: called when the launcher ended by itself; all containers are gone then.
    """

    def __init__(self, on_exit: Callable[[str, int], None], on_lost: Callable[[], None]) -> None:
        self._on_exit = on_exit
        self._on_lost = on_lost
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._commands: dict[int, int] = {}  # request → pid of a command
        self._endings: dict[int, asyncio.Future[int]] = {}  # request → exit code of its command
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The launcher's; 0 when it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        """Start the launcher; call on the thread of the event loop, whose life its children share."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", _PROGRAM, source_root(), str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd="/",
            env={"PATH": os.defpath},
        )
        theirs.close()
        ours.setblocking(False)
        self._socket = ours
        asyncio.get_running_loop().add_reader(ours.fileno(), self._receive)

    def stop(self) -> None:
        """End the launcher and everything it started; returns when it is gone."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._collect()
        self._fail_all()

    def _collect(self) -> None:
        """Wait for the launcher's end, which the closed socket tells it to come to."""
        if self._process is not None:
            try:
                self._process.wait(_ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def _fail_all(self) -> None:
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(RuntimeFailureError("the container launcher has ended"))
        self._waiting.clear()
        for ending in self._endings.values():
            if not ending.done():
                ending.set_result(_LOST)
        self._endings.clear()

    async def ask(self, op: str, descriptors: Sequence[int] = (), **arguments: Any) -> dict[str, Any]:
        """Make a request and wait for its answer; what came beside that is its ``descriptors``.

        Args:
            op: what to do.
            descriptors: sent along; they stay the caller's to close.
            arguments: of the operation.

        Raises:
            RuntimeFailureError: the launcher says no, or is gone.
        """
        number, future = self._request(op, arguments, descriptors)
        return {**await future, "number": number}

    async def run(
        self, descriptors: Sequence[int], **arguments: Any
    ) -> tuple[dict[str, Any], asyncio.Future[int]]:
        """Start a command; returns the answer and the exit code to come.

        Raises:
            RuntimeFailureError: it cannot be started.
        """
        number, future = self._request("command", arguments, descriptors)
        ending = self._endings[number] = asyncio.get_running_loop().create_future()
        try:
            return await future, ending
        except BaseException:
            self._endings.pop(number, None)
            raise

    async def ask_within(self, seconds: float, op: str, **arguments: Any) -> dict[str, Any] | None:
        """Run a command and wait at most `seconds` for it; None when it was killed for that."""
        number, future = self._request(op, arguments)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except TimeoutError:
            future.add_done_callback(lambda done: done.cancelled() or done.exception())
            if (pid := self._commands.pop(number, None)) is not None:
                await self.ask("abort", pid=pid)
            return None

    def _request(
        self, op: str, arguments: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> tuple[int, asyncio.Future[dict[str, Any]]]:
        if self._socket is None:
            raise RuntimeFailureError("the container launcher is not running")
        number = next(self._ids)
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            text = json.dumps({"id": number, "op": op, **arguments}).encode()
            socket.send_fds(self._socket, [text], list(descriptors))
        except OSError as error:
            del self._waiting[number]
            raise RuntimeFailureError(f"the container launcher does not answer: {error}") from error
        return number, future

    def _receive(self) -> None:
        while self._socket is not None:
            try:
                data, descriptors, _, _ = socket.recv_fds(
                    self._socket, MAX_MESSAGE, _MAX_DESCRIPTORS, _CLOSED_ON_EXEC
                )
            except BlockingIOError:
                return
            except OSError:
                data, descriptors = b"", []
            if not data:
                self._lost()
                return
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            self._handle({**json.loads(data), "descriptors": descriptors})

    def _handle(self, message: dict[str, Any]) -> None:
        if "ended" in message:
            ending = self._endings.pop(message["ended"], None)
            if ending is not None and not ending.done():
                ending.set_result(message["code"])
        elif "exited" in message:
            self._on_exit(message["exited"], message["code"])
        elif "started" in message:
            self._commands[message["started"]] = message["pid"]
        else:
            self._commands.pop(message["id"], None)
            future = self._waiting.pop(message["id"], None)
            if future is None or future.done():
                for descriptor in message["descriptors"]:
                    os.close(descriptor)
                return
            if "error" in message:
                future.set_exception(RuntimeFailureError(message["error"], reason="StartError"))
            else:
                future.set_result(message)

    def _lost(self) -> None:
        logger.error("the container launcher ended by itself")
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._collect()
        self._fail_all()
        self._on_lost()
