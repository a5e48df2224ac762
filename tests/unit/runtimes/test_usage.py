"""Which processes belong to a container, and what they use together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from leeward.cluster.interface.runtime import ContainerStats
from leeward.cluster.runtimes.process.usage import Root, measure

LAUNCHER, SHELL, WORKER = 10, 20, 21
TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class Machine:
    """A /proc of processes that the test makes."""

    def __init__(self, directory: Path) -> None:
        self.proc = directory

    def add(
        self,
        pid: int,
        parent: int,
        *,
        ticks: int = 1,
        children: int = 0,
        session: int = 0,
        pss: int | None = 100,
        namespace: str = "",
    ) -> None:
        directory = self.proc / str(pid)
        (directory / "ns").mkdir(parents=True)
        fields = ["S", parent, pid, session, *[0] * 7, ticks, 0, children, 0, *[0] * 6, 3, 0]
        (directory / "stat").write_text(f"{pid} (a (odd) name) {' '.join(map(str, fields))}\n")
        if pss is not None:
            (directory / "smaps_rollup").write_text(f"0-f ---p [rollup]\nRss: 900 kB\nPss: {pss} kB\n")
        if namespace:
            (directory / "ns" / "pid").symlink_to(namespace)

    def measure(self, **roots: Root) -> dict[str, ContainerStats]:
        return measure(roots, LAUNCHER, self.proc)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.add(1, 0)
    machine.add(LAUNCHER, 1)
    machine.add(SHELL, LAUNCHER, ticks=5, children=2, namespace="pid:[7]")
    machine.add(WORKER, SHELL, ticks=30)
    return machine


def test_a_container_uses_what_its_processes_and_their_ended_children_use(machine: Machine) -> None:
    assert machine.measure(web=Root(SHELL)) == {"web": ContainerStats(37 * TICK, 200 * 1024)}


def test_commands_in_its_pid_namespace_belong_to_it_and_other_processes_do_not(machine: Machine) -> None:
    machine.add(30, LAUNCHER, ticks=500, namespace="pid:[1]")  # a sandbox
    machine.add(31, LAUNCHER, ticks=500, namespace="pid:[1]")  # waits for a command
    machine.add(32, 31, ticks=4, namespace="pid:[7]")
    machine.add(33, 1, ticks=500, namespace="pid:[7]")  # not the launcher's
    assert machine.measure(web=Root(SHELL))["web"].cpu_nanoseconds == 41 * TICK


def test_what_a_parent_left_belongs_to_the_container_of_its_session(machine: Machine) -> None:
    machine.add(40, LAUNCHER, ticks=3, session=SHELL)
    assert machine.measure(web=Root(SHELL))["web"].cpu_nanoseconds == 40 * TICK


def test_a_process_that_only_waits_for_a_container_is_not_counted(machine: Machine) -> None:
    found = machine.measure(web=Root(SHELL, supervises=True))
    assert found == {"web": ContainerStats(30 * TICK, 100 * 1024)}


def test_resident_pages_count_where_the_share_in_them_is_not_told(machine: Machine) -> None:
    machine.add(50, LAUNCHER, pss=None)
    assert machine.measure(job=Root(50))["job"].memory_bytes == 3 * PAGE


def test_a_container_that_has_ended_is_left_out_and_so_is_every_one_without_proc(machine: Machine) -> None:
    assert machine.measure(gone=Root(99)) == {}
    assert measure({"web": Root(SHELL)}, LAUNCHER, machine.proc / "none") == {}
