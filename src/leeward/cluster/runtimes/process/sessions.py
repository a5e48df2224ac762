"""Talking to processes: descriptors that the event loop reads and writes, made into Streams.

The program holds one end of each pipe and this process the other, so bytes take no detour by the launcher. A
terminal is made inside the container, whose /dev/pts knows it; its other end is sent here.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.interface.streams import Connection, Output, Streams, StreamsWanted
from leeward.cluster.runtimes.process.control import LauncherControl

_CHUNK = 32 * 1024  # bytes of one read


class Descriptor:
    """A descriptor of which nobody else in this process knows.

    Args:
        number: it; closed by this.
    """

    def __init__(self, number: int) -> None:
        os.set_blocking(number, False)
        self._number = number
        self._finished = False
        self._waiting: list[tuple[asyncio.Future[None], Callable[[int], Any]]] = []

    @property
    def number(self) -> int:
        """The descriptor, -1 when it is closed."""
        return self._number

    async def read(self) -> bytes:
        """Return what comes next; nothing at the end."""
        loop = asyncio.get_running_loop()
        while self._number >= 0:
            try:
                return os.read(self._number, _CHUNK)
            except BlockingIOError:
                if self._finished:
                    return b""
                await self._ready(loop.add_reader, loop.remove_reader)
            except OSError:  # a terminal whose program has ended
                return b""
        return b""

    async def write(self, data: bytes) -> None:
        """Write everything; what nobody reads is dropped."""
        loop = asyncio.get_running_loop()
        left = memoryview(data)
        while left and self._number >= 0:
            try:
                left = left[os.write(self._number, left) :]
            except BlockingIOError:
                await self._ready(loop.add_writer, loop.remove_writer)
            except OSError:
                return

    async def _ready(self, add: Callable[..., Any], remove: Callable[[int], Any]) -> None:
        number, future = self._number, asyncio.get_running_loop().create_future()
        entry = (future, remove)
        self._waiting.append(entry)
        add(number, _wake_up, future)
        try:
            await future
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
                remove(number)

    def finish(self) -> None:
        """Take what is there for all that comes: the program has ended, whoever else holds its streams."""
        self._finished = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future, remove in waiting:
            remove(self._number)
            _wake_up(future)

    def close(self) -> None:
        """Close it and wake who waits for it; idempotent."""
        if self._number >= 0:
            self._wake()
            os.close(self._number)
            self._number = -1


def _wake_up(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class ProcessStreams:
    """Implements Streams.

    Args:
        source: where its input is written; None: it has none.
        outputs: what it writes to.
        terminal: its terminal, which may be `source` and an output too.
        ending: its exit code to come; None: its end is the end of its outputs.
        let_go: called when nobody talks to it any more.
        close_input: lets it see the end of its input.
    """

    def __init__(
        self,
        *,
        source: Descriptor | None,
        outputs: dict[Output, Descriptor],
        terminal: Descriptor | None,
        ending: asyncio.Future[int] | None,
        let_go: Callable[[], Any],
        close_input: Callable[[], Any] | None = None,
    ) -> None:
        self._source = source
        self._outputs = outputs
        self._terminal = terminal
        self._ending = ending
        self._let_go = let_go
        self._close_input = close_input
        self._closed = False
        if ending is not None:
            ending.add_done_callback(lambda _: self._finish())

    def _finish(self) -> None:
        for output in self._outputs.values():
            output.finish()
        if self._source is not None and self._source is not self._terminal:
            self._source.close()

    async def read(self, output: Output) -> bytes:
        """Return what comes next."""
        found = self._outputs.get(output)
        return b"" if found is None else await found.read()

    async def write(self, data: bytes) -> None:
        """Write to its input."""
        if self._source is not None:
            await self._source.write(data)

    async def end_input(self) -> None:
        """Close its input; a terminal gets the character that means it."""
        if self._source is None:
            return
        if self._source is self._terminal:
            await self._source.write(b"\x04")
            return
        self._source.close()
        if self._close_input is not None:
            with contextlib.suppress(RuntimeFailureError):  # it has ended
                await self._close_input()

    def resize(self, columns: int, rows: int) -> None:
        """Tell its terminal's size."""
        if self._terminal is not None and self._terminal.number >= 0:
            size = struct.pack("HHHH", rows & 0xFFFF, columns & 0xFFFF, 0, 0)
            with contextlib.suppress(OSError):
                fcntl.ioctl(self._terminal.number, termios.TIOCSWINSZ, size)

    async def exit_code(self) -> int:
        """Wait for its end."""
        return 0 if self._ending is None else await asyncio.shield(self._ending)

    async def close(self) -> None:
        """Close all descriptors; a command that still runs is killed."""
        if self._closed:
            return
        self._closed = True
        for each in (self._source, self._terminal, *self._outputs.values()):
            if each is not None:
                each.close()
        if self._ending is None or not self._ending.done():
            with contextlib.suppress(RuntimeFailureError):  # the launcher has gone, and so has it
                await self._let_go()


async def open_command(
    control: LauncherControl, container: str, spec: dict[str, Any], wanted: StreamsWanted
) -> ProcessStreams:
    """Start a command in a container.

    Args:
        control: of the launcher.
        container: its id.
        spec: ``argv``, ``cwd`` and ``env``.
        wanted: its streams.

    Raises:
        RuntimeFailureError: it cannot be started.
    """
    with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
        streams: dict[str, int] = {}
        kept: dict[str, int] = {}
        if wanted.tty:
            here, there = (end.detach() for end in socket.socketpair())
            streams["terminal"], kept["terminal"] = there, here
        else:
            for name in ("stdin", "stdout", "stderr"):
                if getattr(wanted, name):
                    reading, writing = os.pipe()
                    streams[name], kept[name] = (reading, writing) if name == "stdin" else (writing, reading)
        for descriptor in streams.values():
            theirs.callback(os.close, descriptor)
        for descriptor in kept.values():
            ours.callback(os.close, descriptor)
        answer, ending = await control.run(
            list(streams.values()), container=container, spec=spec, streams=list(streams)
        )
        if wanted.tty:
            kept = _terminal(kept["terminal"])
        else:
            ours.pop_all()

    async def abort() -> None:
        await control.ask("abort", pid=answer["pid"])

    return _streams(kept, wanted, ending, abort)


def _terminal(sending: int) -> dict[str, int]:
    """Return the terminal that a program, which runs by now, has sent before it did."""
    with socket.socket(fileno=os.dup(sending)) as end:
        data, found, _, _ = socket.recv_fds(end, 64, 1)
    if not data or not found:
        raise RuntimeFailureError("the command has no terminal")
    os.set_inheritable(found[0], False)
    return {"terminal": found[0]}


def _streams(
    kept: dict[str, int], wanted: StreamsWanted, ending: asyncio.Future[int] | None, let_go: Callable[[], Any]
) -> ProcessStreams:
    opened = {name: Descriptor(number) for name, number in kept.items()}
    terminal = opened.get("terminal")
    if terminal is not None:
        source, outputs = terminal if wanted.stdin else None, {"stdout": terminal}
    else:
        source = opened.pop("stdin", None)
        outputs = opened
    return ProcessStreams(
        source=source,
        outputs=outputs,  # type: ignore[arg-type] # the names of outputs
        terminal=terminal,
        ending=ending,
        let_go=let_go,
    )


async def open_attach(
    control: LauncherControl, container: str, spec: dict[str, Any], wanted: StreamsWanted, *, once: bool
) -> ProcessStreams:
    """Talk to a container's own program.

    Args:
        control: of the launcher.
        container: its id.
        spec: as it was launched: ``stdin``, ``tty``.
        wanted: its streams.
        once: its input ends with this conversation's.

    Raises:
        RuntimeFailureError: it does not run.
    """
    names = [name for name in ("stdout", "stderr") if getattr(wanted, name)]
    if spec.get("tty"):
        names = names[:1] and ["stdout"]
    pipes = {name: os.pipe() for name in names}
    try:
        answer = await control.ask(
            "attach", [pipe[1] for pipe in pipes.values()], container=container, streams=names
        )
    except BaseException:
        for pipe in pipes.values():
            os.close(pipe[0])
        raise
    finally:
        for pipe in pipes.values():
            os.close(pipe[1])
    target = Descriptor(answer["descriptors"][0]) if answer["descriptors"] else None

    source = target if wanted.stdin and spec.get("stdin") else None
    terminal = target if spec.get("tty") else None
    if target is not None and source is None and terminal is None:
        target.close()

    async def end_input() -> None:
        if once and source is not None:
            await control.ask("end_input", container=container)

    async def detach() -> None:
        await control.ask("detach", number=answer["number"])
        await end_input()

    return ProcessStreams(
        source=source,
        outputs={name: Descriptor(pipe[0]) for name, pipe in pipes.items()},  # type: ignore[misc]
        terminal=terminal,
        ending=None,
        let_go=detach,
        close_input=end_input,
    )


async def open_port(control: LauncherControl, sandbox: int, where: str, port: int) -> Connection:
    """Connect to a port of "localhost" in a sandbox's network.

    Args:
        control: of the launcher.
        sandbox: pid of its process; 0: the machine's own network.
        where: the name of the network, for messages.
        port: of TCP.

    Raises:
        RuntimeFailureError: nobody listens there.
    """
    problems = []
    for family, address, shown in (
        (socket.AF_INET, "127.0.0.1", f"IPv4: dial tcp4 127.0.0.1:{port}"),
        (socket.AF_INET6, "::1", f"IPv6 dial tcp6 [::1]:{port}"),
    ):
        try:
            return await _connected(await _socket(control, sandbox, family), address, port)
        except OSError as error:
            problems.append(f"{shown}: connect: {os.strerror(error.errno or 0).lower()}")
    raise RuntimeFailureError(
        f'failed to connect to localhost:{port} inside namespace "{where}", {" ".join(problems)}'
    )


async def _connected(made: socket.socket, address: str, port: int) -> Connection:
    made.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(made, (address, port))
        return await asyncio.open_connection(sock=made)
    except BaseException:
        made.close()
        raise


async def _socket(control: LauncherControl, sandbox: int, family: socket.AddressFamily) -> socket.socket:
    if not sandbox:
        return socket.socket(family, socket.SOCK_STREAM)
    answer = await control.ask("socket", sandbox=sandbox, family=int(family))
    return socket.socket(fileno=answer["descriptors"][0])


if TYPE_CHECKING:

    def _conforms(streams: ProcessStreams) -> Streams:
        return streams
