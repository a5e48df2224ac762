"""What a forked child does before it becomes a sandbox, a container or a command in one.

Every function here runs in a fresh child and ends it: with exec, or with an exit code and a message on
the error pipe.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from leeward.cluster.runtimes.process.launcher import linux, rootfs

EXIT_CANNOT_RUN = 126
EXIT_NOT_FOUND = 127
_MOST_DESCRIPTORS = 65536


class Stdio(NamedTuple):
    """What a program's standard streams are: descriptors, -1 for /dev/null."""

    stdin: int = -1
    stdout: int = -1
    stderr: int = -1
    terminal: int = -1  # a socket that gets the other end of a new terminal, which is all three then


def run(body: Callable[[], None], errors: int) -> NoReturn:
    """Run `body` in this child; whatever goes wrong is told on `errors` and ends the child."""
    code = EXIT_CANNOT_RUN
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        linux.die_with_parent()
        body()
        code = 0
    except FileNotFoundError as error:
        code = EXIT_NOT_FOUND
        os.write(errors, str(error).encode())
    except BaseException as error:  # noqa: BLE001 - a child must never return into the parent's code
        os.write(errors, f"{type(error).__name__}: {error}".encode())
    os._exit(code)


def sandbox(spec: dict[str, Any], ready: int) -> None:
    """Become a sandbox: hold the namespaces that a Pod's containers share, and wait to be killed."""
    if spec["network"]:
        linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC)
        linux.set_hostname(spec["hostname"])
        linux.loopback_up()
        for name, value in spec["sysctls"].items():
            with open("/proc/sys/" + name.replace(".", "/"), "w") as file:
                file.write(value)
    os.write(ready, b"ready")
    os.close(ready)
    os.closerange(0, 1024)
    while True:
        signal.pause()


def container(spec: dict[str, Any], stdio: Stdio) -> None:
    """Become a container's first process."""
    os.setsid()
    if spec["mode"] == "root":
        if spec["sandboxPid"]:
            shared = {"net": linux.CLONE_NEWNET, "uts": linux.CLONE_NEWUTS, "ipc": linux.CLONE_NEWIPC}
            linux.enter(spec["sandboxPid"], shared)
        linux.unshare(linux.CLONE_NEWNS)
        rootfs.build(spec)
    elif spec["mode"] == "userns":
        rootfs.build(spec)  # the user namespace was made before the fork
    os.chdir(spec["cwd"])
    _become_user(spec)
    _execute(spec["argv"], spec["env"], stdio)


def _become_user(spec: dict[str, Any]) -> None:
    """Give up root for the container's user, as far as its mode knows users."""
    if spec["mode"] == "root":
        os.setgroups(spec["groups"])
        if spec["gid"]:
            os.setgid(spec["gid"])
        if spec["uid"]:
            os.setuid(spec["uid"])
        linux.die_with_parent()  # changing identity cleared it


def command(spec: dict[str, Any], pid: int, stdio: Stdio, errors: int) -> None:
    """Run a command inside the container whose first process is `pid`, and end as it ends."""
    if spec["mode"] == "plain":
        os.chdir(spec["cwd"])
        _execute(spec["argv"], spec["env"], stdio)
    names = {"user": linux.CLONE_NEWUSER} if spec["mode"] == "userns" else {"net": linux.CLONE_NEWNET}
    if spec["mode"] == "root":
        names |= {"uts": linux.CLONE_NEWUTS, "ipc": linux.CLONE_NEWIPC}
    linux.enter(pid, {**names, "mnt": linux.CLONE_NEWNS, "pid": linux.CLONE_NEWPID})
    os.chroot(os.path.join(spec["directory"], "root"))
    os.chdir(spec["cwd"])

    def body() -> None:
        _become_user(spec)
        _execute(spec["argv"], spec["env"], stdio)

    _supervise(body, errors)


def user_container(spec: dict[str, Any], stdio: Stdio, errors: int) -> None:
    """Start a container without root: in a user namespace where this process stays as its parent."""
    make_user_namespace(os.getuid(), os.getgid())
    linux.unshare(linux.CLONE_NEWPID)
    _supervise(lambda: container(spec, stdio), errors)


def _supervise(body: Callable[[], None], errors: int) -> NoReturn:
    """Run `body` in a child, pass signals on to it and end with its exit code."""
    child = os.fork()
    if child == 0:
        run(body, errors)

    def forward(number: int, frame: object) -> None:
        os.kill(child, number)

    for number in (
        signal.SIGTERM,
        signal.SIGINT,
        signal.SIGHUP,
        signal.SIGQUIT,
        signal.SIGUSR1,
        signal.SIGUSR2,
    ):
        signal.signal(number, forward)
    os.closerange(3, _MOST_DESCRIPTORS)  # whoever reads or writes there waits for the child, not for this one
    while True:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)


def make_user_namespace(uid: int, gid: int) -> None:
    """Become root of a new user namespace, in new mount and PID namespaces."""
    linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNS)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _execute(argv: list[str], env: dict[str, str], stdio: Stdio) -> NoReturn:
    """Replace this process by a program."""
    if stdio.terminal >= 0:
        _make_terminal(stdio.terminal)
    else:
        null = os.open("/dev/null", os.O_RDWR)
        for number, descriptor in enumerate(stdio[:3]):
            os.dup2(descriptor if descriptor >= 0 else null, number)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    program = find_program(argv[0], env.get("PATH", os.defpath))
    os.execve(program, argv, env)


def _make_terminal(wanted: int) -> None:
    """Make a terminal of the container's own the controlling one, and send its other end to `wanted`."""
    other, ours = os.openpty()
    with socket.socket(fileno=wanted) as out:
        socket.send_fds(out, [b"terminal"], [other])
    os.close(other)
    os.login_tty(ours)


def find_program(name: str, path: str) -> str:
    """Return the file to execute.

    Raises:
        FileNotFoundError: there is none; the message says where it was looked for.
    """
    if "/" in name:
        if not os.path.exists(name):
            raise FileNotFoundError(f"{name}: there is no such program in this image or on this machine")
        return name
    for directory in path.split(":"):
        candidate = os.path.join(directory, name)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    raise FileNotFoundError(f"{name}: there is no such program on this machine (PATH is {path})")
