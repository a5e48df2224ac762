"""Containers as processes: the real launcher, real children, no network of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from leeward.base.ids import SeededIds
from leeward.cluster.interface.runtime import (
    ContainerConfig,
    ContainerExit,
    Mount,
    RuntimeFailureError,
    SandboxConfig,
)
from leeward.cluster.runtimes.process import isolation
from leeward.cluster.runtimes.process.images import ImageStore
from leeward.cluster.runtimes.process.isolation import Isolation
from leeward.cluster.runtimes.process.runtime import ProcessRuntime

pytestmark = pytest.mark.e2e
MODES = ["plain"]
if sys.platform == "linux" and isolation._user_namespaces_work():
    MODES.append("userns")
if sys.platform == "linux" and os.geteuid() == 0:
    MODES.append("root")


class Machine:
    """A runtime with one sandbox, and what it reported."""

    def __init__(self, directory: Path, mode: str) -> None:
        self.directory = directory
        self.exits: asyncio.Queue[ContainerExit] = asyncio.Queue()
        self.runtime = ProcessRuntime(
            directory=directory / "run",
            images=ImageStore(directory / "images"),
            network=None,
            isolation=Isolation(mode, ()),  # type: ignore[arg-type]
            ids=SeededIds(),
        )
        self.runtime.on_exit(self.exits.put_nowait)
        self.sandbox = ""

    async def start(self) -> None:
        await self.runtime.start()
        config = SandboxConfig(pod_uid="u", namespace="shop", name="web-0", node="n1", hostname="web-0")
        self.sandbox = (await self.runtime.run_sandbox(config)).id

    async def shell(self, script: str, **options: object) -> str:
        """Start a container that runs `script`; returns its id."""
        config = ContainerConfig(
            name="web",
            image="busybox",
            command=["sh", "-c", script],
            log_path=self.directory / "web.log",
            **options,  # type: ignore[arg-type]
        )
        container = await self.runtime.create_container(self.sandbox, config)
        await self.runtime.start_container(container)
        return container

    def log(self) -> list[str]:
        """Return the log's lines without their times."""
        return [line.split(" ", 1)[1] for line in (self.directory / "web.log").read_text().splitlines()]


Run = Callable[[Callable[[Machine], Awaitable[None]]], None]


@pytest.fixture(params=[pytest.param(mode, marks=[pytest.mark.root] * (mode == "root")) for mode in MODES])
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    def runner(body: Callable[[Machine], Awaitable[None]]) -> None:
        async def whole() -> None:
            machine = Machine(tmp_path, request.param)
            await machine.start()
            try:
                async with asyncio.timeout(30):
                    await body(machine)
            finally:
                await machine.runtime.stop()

        asyncio.run(whole())

    return runner


def is_running(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_output_goes_to_the_log_and_the_exit_code_is_told(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("echo out; echo err >&2; printf partial; exit 3")

        assert await machine.exits.get() == ContainerExit(container, 3, "Error")
        assert sorted(machine.log()) == ["stderr F err", "stdout F out", "stdout P partial"]

    run(body)


def test_environment_and_hostname_are_the_containers_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEAKED", "from the cluster")

    async def body(machine: Machine) -> None:
        await machine.shell("echo $MODE $HOSTNAME ${LEAKED-none}", env={"MODE": "fast"})

        await machine.exits.get()
        assert machine.log() == ["stdout F fast web-0 none"]

    run(body)


def test_a_program_that_is_not_there_is_told_by_name(run: Run) -> None:
    async def body(machine: Machine) -> None:
        config = ContainerConfig(
            name="web", image="busybox", command=["no-such-program"], log_path=machine.directory / "web.log"
        )
        container = await machine.runtime.create_container(machine.sandbox, config)

        with pytest.raises(RuntimeFailureError, match="no-such-program: there is no such program"):
            await machine.runtime.start_container(container)

    run(body)


def test_stopping_sends_the_stop_signal_first(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell(
            "trap 'echo bye; exit 0' INT; echo ready; while :; do sleep 0.02; done", stop_signal="SIGINT"
        )
        while not (machine.directory / "web.log").read_text():
            await asyncio.sleep(0.01)

        await machine.runtime.stop_container(container, 20)

        assert machine.exits.get_nowait() == ContainerExit(container, 0, "Completed")
        assert machine.log()[-1] == "stdout F bye"

    run(body)


def test_what_ignores_the_stop_signal_is_killed(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("trap '' TERM; echo ready; while :; do sleep 0.02; done")
        while not (machine.directory / "web.log").read_text():
            await asyncio.sleep(0.01)

        await machine.runtime.stop_container(container, 0.2)

        assert machine.exits.get_nowait() == ContainerExit(container, 137, "Error")

    run(body)


def test_a_command_runs_inside_and_is_killed_when_it_takes_too_long(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 100")

        done = await machine.runtime.exec(container, ["sh", "-c", "echo out; echo err >&2; exit 4"], 20)
        late = await machine.runtime.exec(container, ["sleep", "100"], 0.1)

        assert (done.exit_code, done.stdout, done.stderr) == (4, b"out\n", b"err\n")
        assert (late.exit_code, late.stderr) == (124, b"the command did not end within 0.1 s")

    run(body)


def test_what_a_container_started_ends_with_it(run: Run) -> None:
    async def body(machine: Machine) -> None:
        before = set(sleepers())
        await machine.shell("sleep 1234 & sleep 1234 & echo started; wait")
        while len(set(sleepers()) - before) < 2:
            await asyncio.sleep(0.01)
        started = set(sleepers()) - before

        await machine.runtime.remove_sandbox(machine.sandbox)
        await machine.runtime.stop()

        assert [pid for pid in started if is_running(pid)] == []

    run(body)


def test_a_killed_launcher_is_reported_and_replaced(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 100")
        process = machine.runtime._control._process
        assert process is not None

        os.kill(process.pid, signal.SIGKILL)

        assert await machine.exits.get() == ContainerExit(container, 137, "Error")
        with pytest.raises(RuntimeFailureError, match="the container is not running"):
            await machine.runtime.exec(container, ["true"], 5)

    run(body)


def test_a_power_cut_reports_nothing(run: Run) -> None:
    async def body(machine: Machine) -> None:
        container = await machine.shell("sleep 100")

        await machine.runtime.cut_power("n1")

        assert machine.exits.empty()
        with pytest.raises(RuntimeFailureError, match="there is no container"):
            await machine.runtime.exec(container, ["true"], 5)

    run(body)


def test_a_volume_is_seen_where_it_is_mounted(run: Run) -> None:
    async def body(machine: Machine) -> None:
        volume = machine.directory / "volume"
        volume.mkdir()
        (volume / "a").write_text("A")
        mount = Mount(host_path=volume, container_path="/srv/data")

        await machine.shell("cat data/a; echo B > data/b", working_dir="/srv", mounts=[mount])
        await machine.exits.get()

        assert machine.log() == ["stdout P A"]
        assert (volume / "b").read_text() == "B\n"

    run(body)


@pytest.mark.skipif("root" not in MODES, reason="needs root on Linux")
def test_with_root_a_container_writes_to_a_file_system_of_its_own(tmp_path: Path) -> None:
    async def body() -> None:
        machine = Machine(tmp_path, "root")
        await machine.start()
        try:
            await machine.shell("echo x > /etc/leeward-test; cat /etc/leeward-test; echo $$")
            await machine.exits.get()

            assert machine.log() == ["stdout F x", "stdout F 1"]
            assert not Path("/etc/leeward-test").exists()
        finally:
            await machine.runtime.stop()

    asyncio.run(body())


def sleepers() -> list[int]:
    """Return the processes that run ``sleep 1234``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if path.read_bytes() == b"sleep\x001234\x00":
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found
