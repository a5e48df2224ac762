"""The process that promotes is killed (SIGKILL) at a write; whoever runs it again finishes or goes back.

A point is one write of a promotion, and whether the cluster still did it. Some are tried, spread over the
promotion; with ``LEEWARD_KILL_POINTS=all`` all are, each twice.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from leeward.kube.kubeconfig import Access
from tests.e2e.delivery.bakery import Bakery
from tests.e2e.delivery.faultyapi import Asked, Fault, FaultyApi, going_through

_ALL = os.environ.get("LEEWARD_KILL_POINTS") == "all"
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(7200 if _ALL else 240)]


class Point(NamedTuple):
    """Where the process is killed."""

    write: int
    done: bool  # whether the cluster does it


@pytest.fixture
def api(access: Access, tmp_path: Path) -> Iterator[FaultyApi]:
    with going_through(access, tmp_path / "pki") as found:
        yield found


def points_of(writes: int, few: int, times: int = 1) -> list[Point]:
    """Return all points of a promotion, so many times, or a few of them."""
    every = [Point(write, done) for write in range(1, writes + 1) for done in (False, True)]
    if _ALL:
        return every * times
    step = len(every) / few
    return [every[int((index + 0.5) * step)] for index in range(few)]


def kill_at(bakery: Bakery, api: FaultyApi, point: Point, *arguments: str) -> None:
    """Run a command line and kill it."""

    def rule(asked: Asked) -> Fault | None:
        is_it = asked.number == point.write
        return Fault(forwarded=point.done, then=process.kill) if is_it else None

    api.begin(rule)
    with bakery.start(*arguments) as process:
        out, err = process.communicate(timeout=100)
    api.begin()
    assert process.returncode == -9, (point, out + err)


def count_writes(bakery: Bakery, api: FaultyApi, version: str) -> int:
    """Promote without a fault; return the number of writes."""
    api.begin()
    bakery.run("promote", version, "--to", "ci", "--yes")
    return api.writes


def test_a_promotion_that_was_killed_is_finished_by_the_same_command(
    access: Access, api: FaultyApi, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bakery = Bakery.made("killed", tmp_path / "work", api.access)
    for version in ("1", "2"):
        count_writes(bakery, api, version)
    writes = {version: count_writes(bakery, api, version) for version in ("1", "2")}
    ways = {version: points_of(number, few=2) for version, number in writes.items()}
    for turn in range(max(map(len, ways.values()))):
        for version, points in ways.items():  # there and back again: each point twice
            point = points[turn % len(points)]
            kill_at(bakery, api, point, "promote", version, "--to", "ci", "--yes")
            bakery.ok("promote", version, "--to", "ci", "--yes")
            bakery.check(access, version)
    record_property("killed", sum(map(len, ways.values())))
    assert min(writes.values()) >= 15  # so that all are at least 30 points


def test_a_promotion_that_fails_and_was_killed_goes_back(
    access: Access, api: FaultyApi, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    bakery = Bakery.made("failing", tmp_path / "work", api.access)
    bakery.ok("promote", "1", "--to", "ci", "--yes")
    count_writes(bakery, api, "3")
    writes = count_writes(bakery, api, "3")
    points = points_of(writes, few=2, times=2)
    for point in points:
        kill_at(bakery, api, point, "promote", "3", "--to", "ci", "--yes")
        code, said = bakery.run("promote", "3", "--to", "ci", "--yes")
        assert (code, "tests failed" in said) == (1, True), said
        bakery.check(access, "1")
    record_property("killed", len(points))
    assert writes >= 15


def test_what_was_killed_in_the_middle_is_taken_back_by_a_rollback_or_another_release(
    access: Access, api: FaultyApi, tmp_path: Path
) -> None:
    bakery = Bakery.made("taken", tmp_path / "work", api.access)
    bakery.ok("promote", "1", "--to", "ci", "--yes")
    writes = count_writes(bakery, api, "2")
    bakery.ok("promote", "1", "--to", "ci", "--yes")
    for point in points_of(writes, few=2):
        kill_at(bakery, api, point, "promote", "2", "--to", "ci", "--yes")
        bakery.ok("rollback", "ci", "--to", "1", "--yes")
        bakery.check(access, "1")
    kill_at(bakery, api, Point(writes // 2, done=True), "promote", "2", "--to", "ci", "--yes")
    code, _ = bakery.run("promote", "3", "--to", "ci", "--yes")
    assert code == 1
    bakery.check(access, "1")
