"""Talking to programs in containers: pipes, terminals and sockets that reach into them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from leeward.cluster.interface.runtime import RuntimeFailureError
from leeward.cluster.interface.streams import Output, Streams, StreamsWanted
from tests.e2e.runtimes.test_process import MODES, Machine, Run, run

pytestmark = pytest.mark.e2e
__all__ = ["MODES", "Path", "run"]

OUTPUTS = StreamsWanted(stdout=True, stderr=True)
ALL = StreamsWanted(stdin=True, stdout=True, stderr=True)
TERMINAL = StreamsWanted(stdin=True, stdout=True, tty=True)


async def rest(streams: Streams, output: Output = "stdout") -> bytes:
    data = b""
    while chunk := await streams.read(output):
        data += chunk
    return data


async def until(streams: Streams, text: bytes) -> bytes:
    data = b""
    while text not in data:
        chunk = await streams.read("stdout")
        assert chunk, data
        data += chunk
    return data


def test_a_command_has_its_own_streams_the_container_s_environment_and_an_exit_code(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60", env={"COLOUR": "red"}, working_dir="/tmp")
        script = 'echo "$COLOUR"; echo oops >&2; exit 3'
        streams = await machine.runtime.open_exec(container, ["sh", "-c", script], OUTPUTS)
        assert await rest(streams) == b"red\n"
        assert await rest(streams, "stderr") == b"oops\n"
        assert await streams.exit_code() == 3
        await streams.close()

    run(body)


def test_a_command_reads_its_input_to_the_end(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60")
        streams = await machine.runtime.open_exec(container, ["cat"], ALL)
        sent = os.urandom(300_000)

        async def write() -> None:
            await streams.write(sent)
            await streams.end_input()

        writing = asyncio.create_task(write())
        assert await rest(streams) == sent
        await writing
        assert await streams.exit_code() == 0
        await streams.close()

    run(body)


def test_a_command_on_a_terminal_has_a_tty_with_a_size_and_sees_ctrl_c(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60")
        script = "trap 'exit 7' INT; read line; stty size; echo $TERM; while :; do sleep 0.05; done"
        streams = await machine.runtime.open_exec(container, ["sh", "-c", script], TERMINAL)
        streams.resize(100, 40)
        await streams.write(b"go\n")
        await until(streams, b"40 100\r\nxterm\r\n")
        await streams.write(b"\x03")
        await rest(streams)
        assert await streams.exit_code() == 7
        await streams.close()

    run(body)


def test_a_command_that_leaves_something_behind_ends_when_it_ends(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60")
        streams = await machine.runtime.open_exec(container, ["sh", "-c", "sleep 50 & echo done"], OUTPUTS)
        assert await rest(streams) == b"done\n"
        assert await streams.exit_code() == 0
        await streams.close()

    run(body)


def test_a_command_nobody_talks_to_any_more_is_killed(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60")
        streams = await machine.runtime.open_exec(container, ["sleep", "50"], OUTPUTS)
        await streams.close()
        assert await streams.exit_code() == 137

    run(body)


def test_a_command_that_is_not_there_is_told_with_its_name(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60")
        for wanted in (OUTPUTS, TERMINAL):
            with pytest.raises(RuntimeFailureError, match="nonsense: there is no such program"):
                await machine.runtime.open_exec(container, ["nonsense"], wanted)

    run(body)


def test_nothing_is_run_in_a_container_that_has_ended(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("exit 0")
        await machine.exits.get()
        with pytest.raises(RuntimeFailureError, match="not running"):
            await machine.runtime.open_exec(container, ["true"], OUTPUTS)
        with pytest.raises(RuntimeFailureError, match="not running"):
            await machine.runtime.open_attach(container, OUTPUTS)

    run(body)


def test_who_attaches_sees_what_is_said_from_now_on_and_so_does_the_log(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("echo early; read a; echo got $a; read b; echo bye $b", stdin=True)
        first = await machine.runtime.open_attach(container, ALL)
        second = await machine.runtime.open_attach(container, OUTPUTS)
        await first.write(b"one\n")
        for streams in (first, second):
            await until(streams, b"got one\n")
        await second.close()
        await first.write(b"two\n")
        assert await rest(first) == b"bye two\n"
        await machine.exits.get()
        assert machine.log()[-2:] == ["stdout F got one", "stdout F bye two"]
        await first.close()

    run(body)


def test_the_input_of_a_container_ends_with_the_first_who_attached_when_it_is_for_one(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("cat; echo end", stdin=True, stdin_once=True)
        streams = await machine.runtime.open_attach(container, ALL)
        await streams.write(b"one\n")
        await streams.end_input()
        assert await rest(streams) == b"one\nend\n"
        assert (await machine.exits.get()).exit_code == 0
        await streams.close()

    run(body)


def test_the_input_of_a_container_outlives_who_attached_when_it_is_for_several(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("read a; read b; echo $a $b", stdin=True)
        first = await machine.runtime.open_attach(container, ALL)
        await first.write(b"one\n")
        await first.end_input()
        await first.close()
        second = await machine.runtime.open_attach(container, ALL)
        await second.write(b"two\n")
        assert await rest(second) == b"one two\n"
        await second.close()

    run(body)


def test_a_container_with_a_terminal_has_one(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("read a; test -t 1 && stty size", stdin=True, tty=True)
        streams = await machine.runtime.open_attach(container, TERMINAL)
        streams.resize(81, 25)
        await streams.write(b"x\n")
        assert b"25 81\r\n" in await rest(streams)
        assert (await machine.exits.get()).exit_code == 0
        await streams.close()

    run(body)


def test_a_port_that_nobody_listens_on_is_refused_in_the_words_of_containerd(run: Run) -> None:
    async def body(machine: Machine) -> None:
        await machine.shell("sleep 60")
        with pytest.raises(
            RuntimeFailureError, match=r'localhost:1 inside namespace "shop/web-0", IPv4: dial'
        ):
            await machine.runtime.open_port("u", 1)
        with pytest.raises(RuntimeFailureError, match="sandbox is gone"):
            await machine.runtime.open_port("nobody", 1)

    run(body)


def test_what_many_commands_used_is_given_back(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 60", stdin=True)
        before = len(os.listdir("/dev/fd"))
        for wanted in (OUTPUTS, ALL, TERMINAL):
            streams = await machine.runtime.open_exec(container, ["true"], wanted)
            await streams.exit_code()
            await streams.close()
            attached = await machine.runtime.open_attach(container, wanted)
            await attached.close()
            with contextlib.suppress(RuntimeFailureError):
                await machine.runtime.open_exec(container, ["nonsense"], wanted)
        assert len(os.listdir("/dev/fd")) == before

    run(body)
