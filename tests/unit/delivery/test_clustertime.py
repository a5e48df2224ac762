"""What time it is at a cluster, whatever the clock of this machine shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from leeward.base.clock import VirtualClock
from leeward.delivery.clustertime import ClusterClock
from leeward.kube.http import date_of


class Ahead:
    """A client whose server is so far ahead."""

    def __init__(self, ahead: timedelta) -> None:
        self.ahead = ahead


def test_a_clock_shows_the_servers_time_and_goes_as_this_machines_does() -> None:
    here, server = VirtualClock(), Ahead(timedelta())
    clock = ClusterClock(server, here)
    assert clock.now() == here.now()
    server.ahead = timedelta(hours=-3)  # known with its first answer
    assert here.now() - clock.now() == timedelta(hours=3)
    rung: list[datetime] = []
    clock.call_later(5, lambda: rung.append(clock.now()))
    here.advance(5)
    assert rung == [here.now() - timedelta(hours=3)]
    assert clock.monotonic() == here.monotonic()


@pytest.mark.parametrize("text", ["", "yesterday", "Sat, 28 Nov 2026 08:00:00 -0000"])
def test_a_server_may_say_nothing_of_its_time(text: str) -> None:
    assert date_of({"date": text}) is None


def test_a_server_says_its_time_with_every_answer() -> None:
    moment = datetime(2026, 11, 28, 8, 0, 0, tzinfo=UTC)
    assert date_of({"date": "Sat, 28 Nov 2026 08:00:00 GMT"}) == moment
