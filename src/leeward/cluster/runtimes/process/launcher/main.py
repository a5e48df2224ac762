"""The launcher's loop: requests in, answers and exits out, over one Unix socket.

Messages are JSON, one a packet. A request has ``id`` and ``op``; its answer has the same ``id`` and either
results or ``error``. ``{"exited": <container>, "code": n}`` is sent when a container has ended and all
its output is in its log. Descriptors travel beside a message: those of a command's streams come with its
request, and ``{"ended": <request>, "code": n}`` follows it; those of a container's input go with the answer
to whoever attaches. The launcher ends, and with it everything it started, when the socket closes.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from leeward.cluster.runtimes.process.launcher import children, linux
from leeward.cluster.runtimes.process.launcher.children import Stdio
from leeward.cluster.runtimes.process.launcher.logs import LogStream, tell
from leeward.cluster.runtimes.process.launcher.taps import PipeTap

MAX_MESSAGE = 1 << 20
MAX_OUTPUT = 64 * 1024  # of a command, each stream
_MAX_DESCRIPTORS = 8  # beside a message
_CLOSED_ON_EXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


@dataclass
class Child:
    """A process that the launcher started."""

    pid: int
    name: str  # the container, or "" for a sandbox or command
    spec: dict[str, Any] = field(default_factory=dict)
    pipes: int = 0  # output pipes still open
    log: int = -1  # descriptor; closed with the last pipe
    input: int = -1  # where its stdin can be written: a pipe's end or its terminal
    streams: dict[str, LogStream] = field(default_factory=dict)
    code: int | None = None
    finish: Callable[[int], None] = lambda code: None  # called when it ended and its pipes are read


class Launcher:
    """Everything the launcher knows."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._children: dict[int, Child] = {}
        self._containers: dict[str, Child] = {}
        self._silenced: set[str] = set()
        self._taps: dict[int, list[tuple[LogStream, PipeTap]]] = {}  # by request
        self._own_network = os.open("/proc/self/ns/net", os.O_RDONLY) if sys.platform == "linux" else -1
        self._own_pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY) if sys.platform == "linux" else -1

    def run(self) -> None:
        """Serve until the socket closes."""
        waking, wakeup = os.pipe()
        os.set_blocking(waking, False)
        os.set_blocking(wakeup, False)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(self._control, selectors.EVENT_READ, self._receive)
        self._selector.register(waking, selectors.EVENT_READ, lambda: self._reap(waking))
        while True:
            for key, _ in self._selector.select():
                try:
                    key.data()
                except OSError as error:  # of one stream; every container depends on this loop
                    tell(str(error))

    def _receive(self) -> None:
        try:
            data, descriptors = _receive(self._control)
        except ConnectionResetError:
            data, descriptors = b"", []
        if not data:
            self._end()
        request = {**json.loads(data), "descriptors": descriptors}
        try:
            getattr(self, f"_op_{request['op']}")(request)
        except OSError as error:
            self._send({"id": request["id"], "error": str(error)})
        finally:
            for descriptor in descriptors:  # but for those that the operation took
                os.close(descriptor)

    def _send(self, message: dict[str, Any], descriptors: list[int] | None = None) -> None:
        try:
            socket.send_fds(self._control, [json.dumps(message).encode()], descriptors or [])
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        """The cluster has gone: so do all containers. The kernel would forget what they started."""
        for child in self._containers.values():
            if child.code is None:
                _kill(child)
        os._exit(0)

    # Operations ------------------------------------------------------------------------------------

    def _op_sandbox(self, request: dict[str, Any]) -> None:
        """Start a sandbox; answers its pid when its namespaces are there."""
        reading, writing = os.pipe()
        errors, told = os.pipe()
        pid = self._fork(lambda: children.sandbox(request, writing), told)
        os.close(writing)
        os.close(told)
        ready = os.read(reading, 16)
        problem = os.read(errors, 4096) if not ready else b""
        os.close(reading)
        os.close(errors)
        if not ready:
            self._send({"id": request["id"], "error": problem.decode() or "the sandbox ended at once"})
            return
        self._children[pid] = Child(pid, "")
        self._send({"id": request["id"], "pid": pid})

    def _op_start(self, request: dict[str, Any]) -> None:
        """Start a container; answers its pid, or why it could not be started."""
        spec = request["spec"]
        with contextlib.ExitStack() as undo:  # all that can fail comes before the fork
            log = os.open(spec["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
            undo.callback(os.close, log)
            errors = _pipe(undo)
            theirs, ours = _ends(spec, undo)
            pid = self._fork_container(spec, theirs, errors[1])
            undo.pop_all()
        for descriptor in (*theirs, errors[1]):
            if descriptor >= 0:
                os.close(descriptor)
        child = Child(pid, request["container"], spec, log=log, input=ours.stdin)
        self._children[pid] = self._containers[child.name] = child
        child.finish = lambda code: self._exited(child, code)
        if ours.terminal >= 0:
            self._await_terminal(child, ours.terminal)
        else:
            self._follow(child, ours.stdout, "stdout")
            self._follow(child, ours.stderr, "stderr")
        self._await_start(request["id"], child, errors[0])

    def _fork_container(self, spec: dict[str, Any], stdio: Stdio, errors: int) -> int:
        """Fork a container's first process, as its mode needs; returns its pid."""

        def body() -> None:
            if spec["mode"] == "userns":
                children.user_container(spec, stdio, errors)
            else:
                children.container(spec, stdio)

        if spec["mode"] == "root" and spec.get("sharesWith"):
            shared = self._running(spec["sharesWith"])
            linux.enter(shared.pid, {"pid": linux.CLONE_NEWPID})
        elif spec["mode"] == "root":
            linux.unshare(linux.CLONE_NEWPID)
        try:
            return self._fork(body, errors)
        finally:
            if spec["mode"] == "root":
                linux.setns(self._own_pid_namespace, linux.CLONE_NEWPID)

    def _await_start(self, request: int, child: Child, errors: int) -> None:
        """Answer when the program runs (the pipe closes on exec) or could not be run."""

        def told() -> None:
            problem = os.read(errors, 4096).decode(errors="replace")
            self._send({"id": request, "pid": child.pid, **({"error": problem} if problem else {})})
            self._release(child, errors)

        child.pipes += 1
        self._selector.register(errors, selectors.EVENT_READ, told)

    def _await_terminal(self, child: Child, promised: int) -> None:
        """Follow a container's terminal as soon as it sends the other end of it."""
        sending = socket.socket(fileno=promised)

        def sent() -> None:
            _, found = _receive(sending)
            if found:
                child.input = os.dup(found[0])
                self._follow(child, found[0], "stdout")
            self._release(child, sending.detach())

        child.pipes += 1
        self._selector.register(promised, selectors.EVENT_READ, sent)

    def _follow(self, child: Child, descriptor: int, name: str) -> None:
        os.set_blocking(descriptor, False)
        stream = child.streams[name] = LogStream(descriptor, child.log, name)
        child.pipes += 1

        def read() -> None:
            if not stream.read():
                del child.streams[name]
                self._release(child, descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def _release(self, child: Child, descriptor: int) -> None:
        """Close what was read to its end."""
        self._selector.unregister(descriptor)
        os.close(descriptor)
        child.pipes -= 1
        if child.pipes == 0 and child.log >= 0:
            os.close(child.log)
            child.log = -1
        self._finish_if_done(child)

    def _op_signal(self, request: dict[str, Any]) -> None:
        """Send a signal to a container; answers whether it was still there."""
        child = self._containers.get(request["container"])
        if child is not None and child.code is None:
            os.kill(child.pid, request["number"])
        self._send({"id": request["id"], "alive": child is not None and child.code is None})

    def _op_kill(self, request: dict[str, Any]) -> None:
        """Kill containers and sandboxes at once; with ``silent`` their exits are not reported."""
        for name in request["containers"]:
            child = self._containers.get(name)
            if child is not None and child.code is None:
                if request["silent"]:
                    self._silenced.add(name)
                _kill(child)
        for pid in request["sandboxes"]:
            if pid in self._children:
                os.kill(pid, signal.SIGKILL)
        self._send({"id": request["id"]})

    def _op_exec(self, request: dict[str, Any]) -> None:
        """Run a command in a container; answers its exit code and output when it has ended."""
        target = self._running(request["container"])
        stdout, stderr, errors = os.pipe(), os.pipe(), os.pipe()
        spec = {**target.spec, **request["spec"]}
        stdio = Stdio(stdout=stdout[1], stderr=stderr[1])
        pid = self._fork(lambda: children.command(spec, self._inner_pid(target), stdio, errors[1]), errors[1])
        for pipe in (stdout, stderr, errors):
            os.close(pipe[1])
        child = self._children[pid] = Child(pid, "", spec)
        output: dict[str, bytes] = {"stdout": b"", "stderr": b""}
        for name, descriptor in (("stdout", stdout[0]), ("stderr", stderr[0]), ("stderr", errors[0])):
            self._collect(child, descriptor, output, name)

        def finish(code: int) -> None:
            text = {name: data.decode("latin-1") for name, data in output.items()}
            self._send({"id": request["id"], "code": code, "pid": pid, **text})

        child.finish = finish
        self._send({"started": request["id"], "pid": pid})

    def _collect(self, child: Child, descriptor: int, output: dict[str, bytes], name: str) -> None:
        """Gather what comes out of a pipe."""
        os.set_blocking(descriptor, False)
        child.pipes += 1

        def read() -> None:
            try:
                data = os.read(descriptor, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            output[name] = (output[name] + data)[:MAX_OUTPUT]
            if not data:
                self._release(child, descriptor)

        self._selector.register(descriptor, selectors.EVENT_READ, read)

    def _op_command(self, request: dict[str, Any]) -> None:
        """Run a command whose streams came with the request; answers its pid when it runs."""
        target = self._running(request["container"])
        spec = {**target.spec, **request["spec"]}
        stdio = Stdio(**dict(zip(request["streams"], request["descriptors"], strict=True)))
        with contextlib.ExitStack() as undo:
            errors = _pipe(undo)
            pid = self._fork(
                lambda: children.command(spec, self._inner_pid(target), stdio, errors[1]), errors[1]
            )
            undo.pop_all()
        os.close(errors[1])
        child = self._children[pid] = Child(pid, "", spec)
        child.finish = lambda code: self._send({"ended": request["id"], "code": code})
        self._await_start(request["id"], child, errors[0])

    def _op_attach(self, request: dict[str, Any]) -> None:
        """Copy what a container says to the pipes of the request; answers with where its input goes."""
        target = self._running(request["container"])
        taps = self._taps[request["id"]] = []
        for name in request["streams"]:
            descriptor = request["descriptors"].pop(0)
            if name not in target.streams:
                os.close(descriptor)  # it is at its end
                continue
            taps.append((target.streams[name], PipeTap(descriptor, self._selector)))
        for stream, tap in taps:
            stream.taps.append(tap)
        inputs = [target.input] if target.input >= 0 else []
        self._send({"id": request["id"], "input": len(inputs)}, inputs)

    def _op_detach(self, request: dict[str, Any]) -> None:
        """Copy no more for the attach request ``number``."""
        for stream, tap in self._taps.pop(request["number"], ()):
            stream.taps.remove(tap)
            tap.close()
        self._send({"id": request["id"]})

    def _op_end_input(self, request: dict[str, Any]) -> None:
        """Let a container see the end of its input; a terminal has none."""
        target = self._running(request["container"])
        if target.input >= 0 and not target.spec.get("tty"):
            os.close(target.input)
            target.input = -1
        self._send({"id": request["id"]})

    def _op_socket(self, request: dict[str, Any]) -> None:
        """Answer with a socket that belongs to the network of a sandbox."""
        linux.enter(request["sandbox"], {"net": linux.CLONE_NEWNET})
        try:
            made = socket.socket(request["family"], socket.SOCK_STREAM)
        finally:
            linux.setns(self._own_network, linux.CLONE_NEWNET)
        with made:
            self._send({"id": request["id"]}, [made.fileno()])

    def _running(self, name: str) -> Child:
        """Return a container that runs.

        Raises:
            OSError: it does not.
        """
        found = self._containers.get(name)
        if found is None or found.code is not None:
            raise OSError("the container is not running")
        return found

    def _op_abort(self, request: dict[str, Any]) -> None:
        """Kill a command that took too long."""
        if request["pid"] in self._children:
            os.kill(request["pid"], signal.SIGKILL)
        self._send({"id": request["id"]})

    def _inner_pid(self, target: Child) -> int:
        """Return the container's first process: without root it is a child of the one we started."""
        if target.spec["mode"] != "userns":
            return target.pid
        with open(f"/proc/{target.pid}/task/{target.pid}/children") as file:
            return int(file.read().split()[0])

    # Ends ------------------------------------------------------------------------------------------

    def _fork(self, body: Callable[[], None], errors: int) -> int:
        pid = os.fork()
        if pid == 0:
            children.run(body, errors)
        return pid

    def _reap(self, waking: int) -> None:
        """Collect ended children."""
        with contextlib.suppress(BlockingIOError):
            os.read(waking, 4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except OSError as error:
                if error.errno == errno.ECHILD:
                    return
                raise
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                code = os.waitstatus_to_exitcode(status)
                child.code = code if code >= 0 else 128 - code
                if child.name and child.spec["mode"] == "plain":
                    _kill(child)  # what it started ends with it, as in a PID namespace
                self._finish_if_done(child)

    def _finish_if_done(self, child: Child) -> None:
        if child.code is not None and child.pipes == 0:
            child.finish(child.code)

    def _exited(self, child: Child, code: int) -> None:
        if child.input >= 0:
            os.close(child.input)
            child.input = -1
        if self._containers.get(child.name) is child:
            del self._containers[child.name]
        if child.name in self._silenced:
            self._silenced.discard(child.name)
            return
        self._send({"exited": child.name, "code": code})


def _pipe(undo: contextlib.ExitStack) -> tuple[int, int]:
    """Return a pipe that is closed when `undo` is."""
    ends = os.pipe()
    for end in ends:
        undo.callback(os.close, end)
    return ends


def _ends(spec: dict[str, Any], undo: contextlib.ExitStack) -> tuple[Stdio, Stdio]:
    """Return the ends of a container's streams: those that it has, and those that we keep."""
    if spec.get("tty"):
        pair = [end.detach() for end in socket.socketpair()]
        for end in pair:
            undo.callback(os.close, end)
        return Stdio(terminal=pair[1]), Stdio(terminal=pair[0])
    stdout, stderr = _pipe(undo), _pipe(undo)
    reading, writing = _pipe(undo) if spec.get("stdin") else (-1, -1)
    return Stdio(reading, stdout[1], stderr[1]), Stdio(writing, stdout[0], stderr[0])


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """Return a message and the descriptors beside it."""
    data, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE, _MAX_DESCRIPTORS, _CLOSED_ON_EXEC)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, descriptors


def _kill(child: Child) -> None:
    """Kill a container; a plain one is a session of processes and no PID namespace."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if child.spec["mode"] == "plain":
            os.killpg(child.pid, signal.SIGKILL)
    if child.code is None:
        os.kill(child.pid, signal.SIGKILL)


def main() -> None:
    """Serve on the descriptor given as the only argument."""
    linux.adopt_orphans()
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)  # no container may have it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started the cluster
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Launcher(control).run()
