"""Containers that only have states."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from leeward.base.clock import VirtualClock
from leeward.base.ids import SeededIds
from leeward.cluster.interface.runtime import (
    ContainerConfig,
    ContainerExit,
    ContainerStats,
    RuntimeFailureError,
    SandboxConfig,
)
from leeward.cluster.runtimes.simulated.runtime import Load, SimulatedRuntime


class _Bench:
    """A simulated runtime in virtual time."""

    def __init__(self, directory: Path, network: str = "10.0.0.0/24") -> None:
        self.clock = VirtualClock()
        self.runtime = SimulatedRuntime(self.clock, SeededIds(1), IPv4Network(network))
        self.ends: list[tuple[float, str, int, str]] = []
        self.names: dict[str, str] = {}
        self.runtime.on_exit(self._ended)
        self._directory = directory

    def _ended(self, end: ContainerExit) -> None:
        when = round(self.clock.monotonic(), 2)
        self.ends.append((when, self.names[end.container_id], end.exit_code, end.reason))

    async def sandbox(self, node: str = "n1", name: str = "web") -> str:
        config = SandboxConfig(pod_uid=name, namespace="shop", name=name, node=node, hostname=name)
        return (await self.runtime.run_sandbox(config)).id

    async def container(self, sandbox: str, name: str = "c", *, start: bool = True, **config: Any) -> str:
        path = self._directory / name / "0.log"
        made = ContainerConfig(name=name, image="web:1", log_path=path, **config)
        container = await self.runtime.create_container(sandbox, made)
        self.names[container] = name
        if start:
            task = asyncio.ensure_future(self.runtime.start_container(container))
            await asyncio.sleep(0)
            self.clock.advance(0.05)
            await task
        return container

    async def running(self, container: str) -> bool:
        return (await self.runtime.exec(container, ["true"], 1)).exit_code == 0


@pytest.fixture
def bench(tmp_path: Path) -> _Bench:
    return _Bench(tmp_path)


def _run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(body())


def test_a_container_runs_after_a_moment_until_it_is_stopped(bench: _Bench) -> None:
    async def body() -> None:
        sandbox = await bench.sandbox()
        container = await bench.container(sandbox, start=False)
        assert not await bench.running(container)
        starting = asyncio.ensure_future(bench.runtime.start_container(container))
        await asyncio.sleep(0)
        assert not starting.done()
        bench.clock.advance(0.05)
        await starting
        assert await bench.running(container)
        bench.clock.advance(1e6)
        await bench.runtime.stop_container(container, 30)
        assert bench.ends == [(1000000.05, "c", 0, "Completed")]
        assert not await bench.running(container)

    _run(body)


def test_a_killed_container_ends_with_137(bench: _Bench) -> None:
    async def body() -> None:
        container = await bench.container(await bench.sandbox())
        await bench.runtime.stop_container(container, 0)
        assert [end[1:] for end in bench.ends] == [("c", 137, "Error")]

    _run(body)


@pytest.mark.parametrize(
    ("command", "args", "seconds", "code"),
    [
        (["sleep", "5"], None, 5, 0),
        (["sh", "-c", "echo hello; exit 3"], None, 0, 3),
        (["sh", "-c"], ["sleep 7"], 7, 0),
        (None, ["exit", "0"], 0, 0),
    ],
)
def test_a_command_may_say_how_it_ends(
    bench: _Bench, command: list[str] | None, args: list[str] | None, seconds: float, code: int
) -> None:
    async def body() -> None:
        await bench.container(await bench.sandbox(), command=command, args=args)
        bench.clock.advance(seconds)
        assert bench.ends == [(seconds + 0.05, "c", code, "Error" if code else "Completed")]

    _run(body)


@pytest.mark.parametrize("command", [["sleep", "infinity"], ["nginx", "-g", "daemon off;"], ["sleep"]])
def test_any_other_command_runs_for_ever(bench: _Bench, command: list[str]) -> None:
    async def body() -> None:
        container = await bench.container(await bench.sandbox(), command=command)
        bench.clock.advance(1e6)
        assert await bench.running(container)

    _run(body)


def test_a_container_ends_once(bench: _Bench) -> None:
    async def body() -> None:
        container = await bench.container(await bench.sandbox(), command=["sleep", "5"])
        await bench.runtime.stop_container(container, 30)
        await bench.runtime.stop_container(container, 0)
        bench.clock.advance(60)
        assert len(bench.ends) == 1

    _run(body)


def test_a_removed_sandbox_takes_its_containers_along_without_a_word(bench: _Bench) -> None:
    async def body() -> None:
        sandbox, other = await bench.sandbox(name="a"), await bench.sandbox(name="b")
        gone = await bench.container(sandbox, "gone", command=["sleep", "5"])
        kept = await bench.container(other, "kept")
        await bench.runtime.remove_sandbox(sandbox)
        await bench.runtime.remove_sandbox(sandbox)
        bench.clock.advance(60)
        assert bench.ends == []
        assert [bench.runtime.is_alive(each) for each in (sandbox, other)] == [False, True]
        assert [await bench.running(each) for each in (gone, kept)] == [False, True]

    _run(body)


def test_nothing_is_made_in_a_sandbox_that_is_gone(bench: _Bench) -> None:
    async def body() -> None:
        sandbox = await bench.sandbox()
        await bench.runtime.remove_sandbox(sandbox)
        with pytest.raises(RuntimeFailureError, match="sandbox is gone"):
            await bench.container(sandbox)

    _run(body)


def test_a_power_cut_takes_one_node_and_tells_nobody(bench: _Bench) -> None:
    async def body() -> None:
        lost, kept = await bench.sandbox("n1", "a"), await bench.sandbox("n2", "b")
        await bench.container(lost, "lost")
        survivor = await bench.container(kept, "kept")
        await bench.runtime.cut_power("n1")
        assert bench.ends == []
        assert [bench.runtime.is_alive(each) for each in (lost, kept)] == [False, True]
        assert await bench.running(survivor)

    _run(body)


def test_a_stopped_runtime_forgets_everything(bench: _Bench) -> None:
    async def body() -> None:
        sandbox = await bench.sandbox()
        container = await bench.container(sandbox, command=["sleep", "5"])
        await bench.runtime.stop()
        bench.clock.advance(60)
        assert bench.ends == []
        assert not bench.runtime.is_alive(sandbox)
        assert not await bench.running(container)

    _run(body)


def test_addresses_are_of_the_network_and_do_not_repeat_at_once(bench: _Bench) -> None:
    async def body() -> None:
        network = IPv4Network("10.0.0.0/24")
        seen = []
        for number in range(240):
            config = SandboxConfig(
                pod_uid=str(number), namespace="shop", name="web", node="n1", hostname="web"
            )
            seen.append((await bench.runtime.run_sandbox(config)).ip)
        assert len(set(seen)) == 240
        hosts = {str(each) for each in network.hosts()}
        assert set(seen) <= hosts - {"10.0.0.1"}

    _run(body)


def test_every_image_is_there_and_logs_have_a_place(bench: _Bench, tmp_path: Path) -> None:
    async def body() -> None:
        assert (await bench.runtime.pull("shop/web:1")).names == ["shop/web:1"]
        assert await bench.runtime.find("shop/web:1") is not None
        container = await bench.container(await bench.sandbox(), "logging")
        assert container.startswith("simulated://")
        assert (tmp_path / "logging" / "0.log").is_file()

    _run(body)


def test_a_container_uses_half_of_what_it_requests_unless_the_load_says_otherwise(bench: _Bench) -> None:
    async def body() -> None:
        sandbox = await bench.sandbox()
        container = await bench.container(sandbox, cpu_request_millis=300, memory_request_bytes=1024)
        waiting = await bench.container(sandbox, "waiting", start=False)
        bench.clock.advance(2)
        found = bench.runtime.stats([container, waiting, "none"])
        assert found == {container: ContainerStats(300_000_000, 512)}

    _run(body)


def test_a_load_may_change_with_time(tmp_path: Path) -> None:
    bench = _Bench(tmp_path)
    load = Load(100, 1)
    bench.runtime = SimulatedRuntime(
        bench.clock, SeededIds(1), IPv4Network("10.0.0.0/24"), load=lambda sandbox, config: load
    )

    async def body() -> None:
        nonlocal load
        container = await bench.container(await bench.sandbox())
        bench.clock.advance(1)
        first = bench.runtime.stats([container])[container]
        bench.clock.advance(1)
        load = Load(500, 2)
        second = bench.runtime.stats([container])[container]
        assert (first.memory_bytes, second.memory_bytes) == (1, 2)
        assert second.cpu_nanoseconds - first.cpu_nanoseconds == 500_000_000

    _run(body)
