"""What containers use, read from /proc when somebody asks; nothing is kept between two questions.

A container's processes are those below its first one, those of its session (without namespaces, what was
left by its parent), and commands executed in it, which are in its PID namespace and below the launcher.
Its CPU time is theirs and that of their ended children; it falls when a child ends that nobody waited for.
Memory is the proportional set size: pages that several processes share are counted once.

Source: proc(5), ``/proc/<pid>/stat`` and ``/proc/<pid>/smaps_rollup``.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from leeward.cluster.interface.runtime import ContainerStats

_PROC = Path("/proc")
_TICKS, _PAGE = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")


class Root(NamedTuple):
    """The process that the launcher started for a container."""

    pid: int
    supervises: bool = False  # it only waits for the container's first process, and is not the container's


class _Process(NamedTuple):
    parent: int
    session: int
    ticks: int  # of CPU time, with that of ended children
    pages: int  # resident


def measure(roots: Mapping[str, Root], launcher: int, proc: Path = _PROC) -> dict[str, ContainerStats]:
    """Return what containers use; those whose processes are not seen are left out.

    Args:
        roots: by container.
        launcher: the process that started all of them.
        proc: where the processes of this machine are shown.
    """
    processes = _read(proc)
    ticks, memory = dict.fromkeys(roots, 0), dict.fromkeys(roots, 0)
    for pid, name in _owners(processes, roots, launcher, proc).items():
        ticks[name] += processes[pid].ticks
        memory[name] += _memory(f"{proc}/{pid}", processes[pid])
    return {
        name: ContainerStats(ticks[name] * 1_000_000_000 // _TICKS, memory[name])
        for name, root in roots.items()
        if root.pid in processes
    }


def _read(proc: Path) -> dict[int, _Process]:
    """Return all processes."""
    found: dict[int, _Process] = {}
    try:
        names = [name for name in os.listdir(proc) if name.isdigit()]
    except FileNotFoundError:
        return found
    for name in names:
        try:
            with open(f"{proc}/{name}/stat", "rb") as file:
                text = file.read()
        except OSError:
            continue  # it has ended
        fields = text.rpartition(b")")[2].split()
        times = sum(int(field) for field in fields[11:15])
        found[int(name)] = _Process(int(fields[1]), int(fields[3]), times, int(fields[21]))
    return found


def _owners(
    processes: Mapping[int, _Process], roots: Mapping[str, Root], launcher: int, proc: Path
) -> dict[int, str]:
    """Return to which container each process belongs, for those that belong to one."""
    firsts = {root.pid: name for name, root in roots.items()}
    known, strays = dict(firsts), []
    for pid in processes:
        way: list[int] = []
        at = pid
        while at not in known and at in processes and at != launcher:
            way.append(at)
            at = processes[at].parent
        sessions = (firsts.get(processes[each].session) for each in way)
        owner = known.get(at) or next(filter(None, sessions), None)
        if owner is not None:
            known.update(dict.fromkeys(way, owner))
        elif at == launcher and way:
            strays.append(pid)
    helpers = {root.pid for root in roots.values() if root.supervises}
    mine = {pid: name for pid, name in known.items() if pid in processes and pid not in helpers}
    return {**mine, **_by_namespace(strays, mine, proc)}


def _by_namespace(strays: Iterable[int], members: Mapping[int, str], proc: Path) -> dict[int, str]:
    """Return the owners of processes that were put into the PID namespace of a container."""
    one_of_each: dict[str, int] = {}
    for pid, name in members.items():
        one_of_each.setdefault(name, pid)  # the first: others may have namespaces of their own
    inner = {_namespace(proc, pid): name for name, pid in one_of_each.items()}
    for nobodys in (_namespace(proc, os.getpid()), ""):
        inner.pop(nobodys, None)
    found = ((pid, inner.get(_namespace(proc, pid))) for pid in strays)
    return {pid: name for pid, name in found if name is not None}


def _namespace(proc: Path, pid: int) -> str:
    try:
        return os.readlink(f"{proc}/{pid}/ns/pid")
    except OSError:
        return ""


def _memory(directory: str, process: _Process) -> int:
    """Return the bytes of a process; its resident ones where its share in them is not told."""
    try:
        with open(f"{directory}/smaps_rollup", "rb") as file:
            text = file.read()
        return int(text.partition(b"\nPss:")[2].split(maxsplit=1)[0]) * 1024
    except (OSError, IndexError, ValueError):
        return process.pages * _PAGE
